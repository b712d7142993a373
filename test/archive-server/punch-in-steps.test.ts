import { expect, it } from 'vitest';
import { punchInSteps } from '../../src/archive-server/punch-in-steps.ts';
import { type FileHandle, MIB, WalbError } from '../../src/core/index.ts';

/** Only records what is punched, as start and end. */
function recorder(): { readonly image: FileHandle; readonly punched: [number, number][] } {
  const punched: [number, number][] = [];
  const punch = (position: number, length: number): void => {
    punched.push([position, position + length]);
  };
  return { image: { punch } as FileHandle, punched };
}

it('punches without a gap, in steps that cut no block of a pool, and pauses after each', async () => {
  const { image, punched } = recorder();
  const reached: number[] = [];
  await punchInSteps(image, 5 * MIB + 512, 40 * MIB, (position) => void reached.push(position));
  expect(punched).toEqual([
    [5 * MIB + 512, 16 * MIB],
    [16 * MIB, 32 * MIB],
    [32 * MIB, 40 * MIB],
  ]);
  expect(reached).toEqual([16 * MIB, 32 * MIB, 40 * MIB]);
});

it('ends where a pause throws, and does nothing in an empty range', async () => {
  const { image, punched } = recorder();
  await punchInSteps(image, MIB, MIB, () => {
    throw new Error('there is nothing to pause after');
  });
  expect(punched).toEqual([]);
  const stop = () => Promise.reject(new WalbError('cancelled', 'stopped'));
  await expect(punchInSteps(image, 0, 100 * MIB, stop)).rejects.toMatchObject({
    code: 'cancelled',
  });
  expect(punched).toEqual([[0, 16 * MIB]]);
});
