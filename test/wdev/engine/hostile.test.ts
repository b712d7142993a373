/**
 * Damaged log devices: opening one gives a device that works, or a WalbError; never another error, an
 * endless loop or a volume in a state it never had (seeded).
 */
import { expect, test } from 'vitest';
import { LB_SIZE, WalbError } from '../../../src/core/index.ts';
import { formatDevice, openDevice } from '../../../src/wdev/index.ts';
import { seeded, type TestEnv, testEnv } from '../support/test-env.ts';
import { randomRequest, VolumeModel } from '../support/volume-model.ts';

const FILES = { log: 'log', data: 'data' };
const PENDING = 64 * 1024;
const SIZE_LB = 300;
const SEEDS = 400;
const SUPER = 4096;

/** A log with unapplied packs, and every state of the volume they lead to. */
async function makeLog(seed: number, pbs: number) {
  const env = testEnv(seed);
  const pick = seeded(seed);
  await formatDevice(env, { ...FILES, name: 'v', sizeLb: SIZE_LB, pbs, logBytes: 120 * pbs });
  const device = await openDevice(env, { ...FILES, pendingBytes: PENDING });
  const model = new VolumeModel(SIZE_LB);
  const states = [model.content.slice()];
  for (let i = 0; i < 8; i++) {
    // Short enough to be one record each: a cut pack is then one of these states.
    const request = randomRequest(pick, SIZE_LB, 8);
    await device.submit([request]);
    model.apply([request]);
    states.push(model.content.slice());
  }
  env.files.kill();
  await device.close();
  return { env, pick, states };
}

function damage(env: TestEnv, pick: (below: number) => number): void {
  const log = env.files.content('log');
  const kind = pick(4);
  if (kind === 0) env.files.put('log', log.slice(0, pick(log.length)));
  if (kind === 1) log[SUPER + pick(104)] = pick(256);
  if (kind < 2) return;
  for (let count = 1 + pick(4); count > 0; count--) {
    const at = SUPER + 512 + pick(log.length - SUPER - 512);
    if (kind === 2) log[at] = pick(256);
    else log.fill(pick(2) * 255, at, Math.min(log.length, at + pick(2000)));
  }
}

test.each([512, 4096])(
  'pbs %i: damage is refused or leaves a state the volume had',
  async (pbs) => {
    let opened = 0;
    let refused = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { env, pick, states } = await makeLog(seed, pbs);
      damage(env, pick);
      try {
        const device = await openDevice(env, { ...FILES, pendingBytes: PENDING });
        const content = new Uint8Array(SIZE_LB * LB_SIZE);
        device.read(0, content);
        const isKnown = states.some((state) => Buffer.compare(state, content) === 0);
        expect(isKnown, `seed ${seed}: the volume was never in this state`).toBe(true);
        await device.submit([{ kind: 'write', offset: 0, data: new Uint8Array(LB_SIZE) }]);
        await device.close();
        opened++;
      } catch (error) {
        if (!(error instanceof WalbError)) throw error;
        expect(error.code, `seed ${seed}: ${error.message}`).toBe('corrupt');
        refused++;
      }
    }
    expect(Math.min(opened, refused)).toBeGreaterThan(SEEDS / 10);
  },
);
