/**
 * The device against a plain byte array: random writes, discards, flushes, reads, checkpoints, erasing
 * of log, resets, growth, kill and power cut, on rings small enough to wrap many times (W1, W2).
 */
import { expect, test } from 'vitest';
import { LB_SIZE } from '../../../src/core/index.ts';
import { appendLimits } from '../../../src/wdev/engine/log-appender.ts';
import { formatDevice, openDevice, type WalbDevice } from '../../../src/wdev/index.ts';
import { seeded, type TestEnv, testEnv, turns } from '../support/test-env.ts';
import { randomRequest, VolumeModel } from '../support/volume-model.ts';

const SEEDS = 30;
const STEPS = 150;
const PENDING = 256 * 1024;
const FILES = { log: 'log', data: 'data' };

interface Scene {
  readonly env: TestEnv;
  readonly pick: (below: number) => number;
  readonly model: VolumeModel;
  readonly pbs: number;
  readonly ringPb: number;
  device: WalbDevice;
  seen: Set<string>;
}

async function scene(seed: number, pbs: number): Promise<Scene> {
  const env = testEnv(seed);
  const pick = seeded(seed * 7 + 1);
  const ringPb = 80 + pick(400);
  const logBytes = (ringPb + 4096 / pbs + 2) * pbs;
  const sizeLb = 64 + pick(2000);
  await formatDevice(env, { ...FILES, name: 'test', sizeLb, pbs, logBytes });
  const device = await openDevice(env, { ...FILES, pendingBytes: PENDING });
  return { env, pick, model: new VolumeModel(sizeLb), pbs, ringPb, device, seen: new Set() };
}

const reopen = (s: Scene) => openDevice(s.env, { ...FILES, pendingBytes: PENDING });

function content(device: WalbDevice): Uint8Array {
  const bytes = new Uint8Array(device.sizeLb * LB_SIZE);
  device.read(0, bytes);
  return bytes;
}

async function write(s: Scene): Promise<void> {
  const count = 1 + s.pick(12);
  const requests = Array.from({ length: count }, () => randomRequest(s.pick, s.model.sizeLb, 300));
  const done = s.device.submit(requests);
  if (done !== undefined) {
    s.seen.add('waited');
    await done;
  }
  s.model.apply(requests);
}

/** The log is erased up to what a checkpoint covers, as the storage server does after delivery. */
async function erase(s: Scene): Promise<void> {
  if (await s.device.isOverflow()) return;
  await s.device.setOldestLsid((await s.device.lsids()).prevWritten);
}

async function flush(s: Scene): Promise<void> {
  const count = s.model.unsafe;
  await s.device.flush();
  s.model.flushed(count);
}

function checkRead(s: Scene): void {
  const blocks = 1 + s.pick(Math.min(64, s.model.sizeLb));
  const offset = s.pick(s.model.sizeLb - blocks + 1);
  const into = new Uint8Array(blocks * LB_SIZE);
  s.device.read(offset, into);
  const expected = s.model.content.subarray(offset * LB_SIZE, (offset + blocks) * LB_SIZE);
  expect(Buffer.compare(into, expected), `read of ${blocks} at ${offset}`).toBe(0);
}

/** Everything from oldest to permanent is whole packs, each where the one before ends. */
async function checkLog(s: Scene): Promise<void> {
  if (await s.device.isOverflow()) return;
  const { oldest, permanent } = await s.device.lsids();
  let next = oldest;
  for await (const pack of s.device.readLog(oldest)) {
    expect(pack.lsid).toBe(next);
    next += 1n + BigInt(pack.data.length / s.pbs);
  }
  expect(next).toBe(permanent);
}

async function checkOrder(s: Scene): Promise<void> {
  const l = await s.device.lsids();
  const order = [l.oldest, l.prevWritten, l.written, l.permanent, l.flush, l.submitted, l.latest];
  expect([...order].sort((a, b) => Number(a - b))).toEqual(order);
}

async function crash(s: Scene, loss: 'power' | 'process'): Promise<void> {
  const wasOverflow = await s.device.isOverflow();
  if (loss === 'power') s.env.files.crash(s.pick);
  else s.env.files.kill();
  await s.device.close();
  s.device = await reopen(s);
  const actual = content(s.device);
  if (loss === 'process') {
    expect(Buffer.compare(actual, s.model.content), 'a killed process loses nothing').toBe(0);
    s.model.flushed(s.model.unsafe);
  } else {
    const geometry = { pbs: s.pbs, ringPb: s.ringPb, ringOffsetPb: 0 };
    const kept = s.model.crashedTo(actual, appendLimits(geometry, PENDING).maxIoLb);
    expect(kept, 'a power cut leaves a state the volume had').toBeDefined();
  }
  expect(await s.device.isOverflow(), 'overflow neither comes nor goes by a crash').toBe(
    wasOverflow,
  );
  s.seen.add(loss);
}

async function step(s: Scene): Promise<void> {
  const choice = s.pick(100);
  if (choice < 50) await write(s);
  else if (choice < 65) checkRead(s);
  else if (choice < 72) await flush(s);
  else if (choice < 78) await turns(1 + s.pick(4));
  else if (choice < 82) s.env.clock.advance(s.pick(12_000));
  else if (choice < 86) await s.device.takeCheckpoint();
  else if (choice < 91) await erase(s);
  else if (choice < 93) await checkLog(s);
  else if (choice < 94) s.seen.add((await s.device.resetLog()) && 'reset');
  else if (choice < 95) {
    const sizeLb = s.model.sizeLb + 1 + s.pick(50);
    await s.device.resize(sizeLb);
    s.model.grow(sizeLb);
  } else if (choice < 96) {
    await s.device.close();
    s.device = await reopen(s);
    s.model.flushed(s.model.unsafe);
  } else await crash(s, s.pick(2) === 0 ? 'power' : 'process');
  if (await s.device.isOverflow()) s.seen.add('overflow');
  await checkOrder(s);
}

test.each([512, 4096])('pbs %i: acknowledged is readable, flushed survives', async (pbs) => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const s = await scene(seed, pbs);
    try {
      for (let i = 0; i < STEPS; i++) await step(s);
      expect(Buffer.compare(content(s.device), s.model.content)).toBe(0);
      await s.device.close();
      expect(Buffer.compare(s.env.files.content('data'), s.model.content), 'image').toBe(0);
    } catch (error) {
      throw new Error(`seed ${seed}, pbs ${pbs}: ${String(error)}`, { cause: error });
    }
    for (const event of s.seen) seen.add(event);
  }
  expect([...seen].sort()).toEqual(['overflow', 'power', 'process', 'reset', 'waited']);
});
