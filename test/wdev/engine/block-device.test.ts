/** Log device and data image as real block devices (loop devices; needs root), both block sizes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/index.ts';
import { createRealEnv } from '../../../src/core/real-env.ts';
import { formatDevice, openDevice } from '../../../src/wdev/index.ts';
import { has, notice } from '../../support/tools.ts';
import { seeded } from '../support/test-env.ts';
import { randomRequest, VolumeModel } from '../support/volume-model.ts';

const MIB = 1 << 20;
const env = createRealEnv({ network: undefined as never, log: silentLogger });
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function loopDevice(
  folder: string,
  name: string,
  bytes: number,
  blockSize: number,
): string | undefined {
  const file = join(folder, name);
  writeFileSync(file, '');
  truncateSync(file, bytes);
  const args = ['--find', '--show', '--sector-size', String(blockSize), file];
  const { status, stdout } = spawnSync('losetup', args, { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const device = stdout.trim();
  cleanups.push(() => execFileSync('losetup', ['--detach', device]));
  return device;
}

describe.skipIf(process.getuid?.() !== 0 || !has('losetup'))('on block devices', () => {
  test.each([512, 4096])('sectors of %i bytes', async (pbs) => {
    const folder = mkdtempSync(join(tmpdir(), 'walb-loop-'));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const log = loopDevice(folder, 'log', 4 * MIB, pbs);
    const data = loopDevice(folder, 'data', 2 * MIB, pbs);
    if (log === undefined || data === undefined)
      return notice('no loop devices here: test skipped');
    const sizeLb = MIB / 512;
    await formatDevice(env, { log, data, name: 'loop', sizeLb, pbs });
    const model = new VolumeModel(sizeLb);
    const pick = seeded(pbs);
    for (let round = 0; round < 3; round++) {
      const device = await openDevice(env, { log, data });
      await expect(openDevice(env, { log, data })).rejects.toMatchObject({ code: 'busy' });
      for (let i = 0; i < 100; i++) {
        const batch = [randomRequest(pick, model.sizeLb, 64)];
        await device.submit(batch);
        model.apply(batch);
        if (pick(10) === 0) await device.takeCheckpoint();
        if (!(await device.isOverflow())) {
          await device.setOldestLsid((await device.lsids()).prevWritten);
        }
      }
      const actual = new Uint8Array(model.content.length);
      device.read(0, actual);
      expect(Buffer.compare(actual, model.content)).toBe(0);
      if (round === 0) {
        await device.resize(sizeLb + 64);
        model.grow(sizeLb + 64);
        await expect(device.resize((2 * MIB) / 512 + 8)).rejects.toMatchObject({
          code: 'no-space',
        });
      }
      await device.close();
    }
  });
});
