/** Single operations of the device: wrong states, faults of either disk, hooks, freezing, watching. */
import { describe, expect, test } from 'vitest';
import { LB_SIZE, WalbError } from '../../../src/core/index.ts';
import {
  blockBackend,
  type FormatDeviceOptions,
  formatDevice,
  type OpenDeviceOptions,
  openDevice,
  type WriteRequest,
} from '../../../src/wdev/index.ts';
import { type TestEnv, testEnv, turns } from '../support/test-env.ts';

const FILES = { log: 'log', data: 'data' };
const SIZE = 2048;

async function make(
  format: Partial<FormatDeviceOptions> = {},
  open: Partial<OpenDeviceOptions> = {},
  env: TestEnv = testEnv(),
) {
  const logBytes = 512 * 1024;
  await formatDevice(env, { ...FILES, name: 'v', sizeLb: SIZE, pbs: 512, logBytes, ...format });
  return { env, device: await openDevice(env, { ...FILES, pendingBytes: 64 * 1024, ...open }) };
}

const fill = (offset: number, blocks: number, value: number): WriteRequest => ({
  kind: 'write',
  offset,
  data: new Uint8Array(blocks * LB_SIZE).fill(value),
});

function valueAt(device: { read(offset: number, into: Uint8Array): void }, block: number): number {
  const into = new Uint8Array(LB_SIZE);
  device.read(block, into);
  expect(into.every((byte) => byte === into[0])).toBe(true);
  return into[0]!;
}

const failing =
  (operation: string, path: string, code: 'io' | 'no-space' = 'io') =>
  (op: string, p: string) => {
    if (op === operation && p === path) throw new WalbError(code, `${path}: injected`);
  };

describe('opening and formatting', () => {
  test('a device opens once; the second one is told who has it', async () => {
    const { env, device } = await make();
    await expect(openDevice(env, FILES)).rejects.toMatchObject({ code: 'busy' });
    await expect(make({}, {}, env)).rejects.toMatchObject({ code: 'busy' });
    await device.close();
    await (await openDevice(env, FILES)).close();
  });

  test('W5: a data image that is missing or cut short is reported as lost', async () => {
    const { env, device } = await make();
    await device.close();
    env.files.put('data', new Uint8Array(100));
    await expect(openDevice(env, FILES)).rejects.toThrow(/restore the volume from an archive/);
    env.files.remove('data');
    await expect(openDevice(env, FILES)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/image was lost; restore the volume from an archive/),
    });
    env.files.put('data', new Uint8Array(SIZE * LB_SIZE));
    await (await openDevice(env, FILES)).close();
  });

  test('a damaged super sector is refused by field', async () => {
    const { env, device } = await make();
    await device.close();
    env.files.content('log')[4096 + 90]! ^= 1;
    await expect(openDevice(env, FILES)).rejects.toMatchObject({ code: 'corrupt' });
  });

  test.each([
    ['too small a log', { logBytes: 20_000 }],
    ['an odd block size', { pbs: 1024 }],
    ['no size', { sizeLb: 0 }],
    ['a long name', { name: 'x'.repeat(32) }],
    ['one file for both', { data: 'log' }],
  ])('format refuses %s', async (_, options) => {
    await expect(make(options)).rejects.toBeInstanceOf(WalbError);
  });

  test('formatting keeps what a disk holds', async () => {
    const env = testEnv();
    env.files.put('data', new Uint8Array(SIZE * LB_SIZE).fill(7));
    const { device } = await make({}, {}, env);
    expect(valueAt(device, 5)).toBe(7);
    await device.close();
  });
});

describe('writes', () => {
  test('a batch is readable at once, in order, and is one log write', async () => {
    const { env, device } = await make();
    let writes = 0;
    env.files.fault = (op, path) => {
      if (op === 'write' && path === 'log') writes++;
    };
    const done = device.submit([
      fill(0, 8, 1),
      fill(4, 8, 2),
      { kind: 'discard', offset: 6, sizeLb: 1 },
    ]);
    expect(done).toBeUndefined();
    expect([3, 4, 6, 7, 11].map((block) => valueAt(device, block))).toEqual([1, 2, 0, 2, 2]);
    expect((await device.lsids()).latest).toBe(17n);
    expect(writes, 'one header and two data parts').toBe(3);
    await device.close();
  });

  test.each<[string, WriteRequest]>([
    ['beyond the end', fill(SIZE - 1, 2, 1)],
    ['of no length', { kind: 'write', offset: 0, data: new Uint8Array(0) }],
    ['of half a block', { kind: 'write', offset: 0, data: new Uint8Array(100) }],
    ['at a negative offset', { kind: 'zeros', offset: -1, sizeLb: 1 }],
    ['of a fraction', { kind: 'discard', offset: 0.5, sizeLb: 1 }],
  ])('a request %s fails its whole batch and leaves no trace', async (_, request) => {
    const { device } = await make();
    expect(() => device.submit([fill(0, 1, 9), request])).toThrow(WalbError);
    expect(valueAt(device, 0)).toBe(0);
    expect((await device.lsids()).latest).toBe(0n);
    await device.close();
  });

  test('nothing reaches the image before its log is permanent', async () => {
    const { env, device } = await make();
    let synced = 0;
    env.files.fault = (op, path) => {
      if (op === 'sync' && path === 'log') synced = 1;
      if (op === 'write' && path === 'data') expect(synced).toBe(1);
    };
    device.submit([fill(0, 8, 1)]);
    await turns(10);
    expect(env.files.content('data')[0]).toBe(0);
    env.clock.advance(100);
    await turns(10);
    expect(env.files.content('data')[0]).toBe(1);
    await device.close();
  });

  test('several flushes share one sync; later writes get the next one', async () => {
    const { env, device } = await make();
    let syncs = 0;
    env.files.fault = (op, path) => {
      if (op === 'sync' && path === 'log') syncs++;
    };
    device.submit([fill(0, 1, 1)]);
    const first = [device.flush(), device.flush()];
    device.submit([fill(1, 1, 1)]);
    const second = [device.flush(), device.flush(), device.flush()];
    await Promise.all([...first, ...second]);
    expect(syncs).toBe(2);
    expect((await device.lsids()).permanent).toBe(4n);
    await device.flush();
    expect(syncs, 'nothing to sync').toBe(2);
    await device.close();
  });

  test('more than memory holds: writers wait, nothing is lost', async () => {
    const { device } = await make();
    const waits: Promise<void>[] = [];
    for (let i = 0; i < 40; i++) {
      const done = device.submit([fill(i * 40, 40, i + 1)]);
      if (done !== undefined) waits.push(done);
    }
    expect(waits.length).toBeGreaterThan(0);
    expect(device.status.pendingBytes).toBeLessThanOrEqual(64 * 1024);
    await Promise.all(waits);
    for (let i = 0; i < 40; i++) expect(valueAt(device, i * 40 + 39)).toBe(i + 1);
    await device.close();
  });
});

describe('faults', () => {
  test('a failed log sync fails the flush and every later write, not the reads', async () => {
    const { env, device } = await make();
    device.submit([fill(0, 1, 3)]);
    env.files.fault = failing('sync', 'log');
    await expect(device.flush()).rejects.toMatchObject({ code: 'io' });
    env.files.fault = undefined;
    expect(() => device.submit([fill(1, 1, 1)])).toThrow(/no more writes are taken/);
    await expect(device.flush()).rejects.toMatchObject({ code: 'io' });
    await expect(device.takeCheckpoint()).rejects.toMatchObject({ code: 'io' });
    expect(valueAt(device, 0)).toBe(3);
    expect(device.status.condition).toBe('failed');
    expect((await device.lsids()).permanent).toBe(0n);
    await device.close();
    const again = await openDevice(env, FILES);
    expect(valueAt(again, 0)).toBe(3);
    await again.close();
  });

  test('a log that can not be written fails the device', async () => {
    const { env, device } = await make();
    env.files.fault = failing('write', 'log');
    expect(() => device.submit([fill(0, 1, 1)])).toThrow(WalbError);
    env.files.fault = undefined;
    expect(() => device.submit([fill(0, 1, 1)])).toThrow(/no more writes are taken/);
    expect(valueAt(device, 0)).toBe(0);
    await device.close();
  });

  test('a full log disk fails the batch only, and leaves no packs for a redo to find', async () => {
    const { env, device } = await make();
    device.submit([fill(0, 1, 1)]);
    let parts = 0;
    env.files.fault = (op, path) => {
      // The first pack of the batch is written whole, the second is not.
      if (op === 'write' && path === 'log' && ++parts === 20)
        throw new WalbError('no-space', 'full');
    };
    const batch = Array.from({ length: 30 }, (_, i) => fill(10 + i, 1, 5));
    expect(() => device.submit(batch)).toThrow(/full/);
    env.files.fault = undefined;
    expect(valueAt(device, 10)).toBe(0);
    await device.flush();
    env.files.kill();
    await device.close();
    const again = await openDevice(env, FILES);
    expect([valueAt(again, 0), valueAt(again, 10)]).toEqual([1, 0]);
    again.submit([fill(0, 1, 2)]);
    expect(valueAt(again, 0)).toBe(2);
    await again.close();
  });

  test('a full disk under the image: writes wait in the log and go on when there is space', async () => {
    const { env, device } = await make();
    env.files.fault = failing('write', 'data', 'no-space');
    device.submit([fill(0, 8, 4)]);
    await device.flush();
    await turns(10);
    expect(device.status.condition).toBe('no-space');
    expect(valueAt(device, 0)).toBe(4);
    await expect(device.takeCheckpoint()).rejects.toMatchObject({ code: 'no-space' });
    const write = async () => {
      for (let i = 0; i < 10; i++) await device.submit([fill(100 * (i + 1), 40, 5)]);
    };
    await expect(write(), 'memory is full').rejects.toMatchObject({ code: 'no-space' });
    env.files.fault = undefined;
    env.clock.advance(1000);
    await turns(20);
    expect(device.status.condition).toBe('ok');
    await device.takeCheckpoint();
    expect(env.files.content('data')[0]).toBe(4);
    await device.close();
  });

  test('closing on a full disk keeps everything in the log', async () => {
    const { env, device } = await make();
    env.files.fault = failing('write', 'data', 'no-space');
    device.submit([fill(0, 8, 4)]);
    await device.flush();
    await turns(10);
    await device.close();
    env.files.fault = undefined;
    const again = await openDevice(env, FILES);
    expect(valueAt(again, 0)).toBe(4);
    await again.close();
  });

  test('W5: an image that fails stops writes; the log brings everything back', async () => {
    const { env, device } = await make();
    env.files.fault = failing('write', 'data');
    device.submit([fill(0, 8, 6)]);
    await device.flush();
    await turns(10);
    expect(device.status.reason?.message).toMatch(/data image failed/);
    expect(() => device.submit([fill(0, 1, 1)])).toThrow(/data image failed/);
    expect(valueAt(device, 0)).toBe(6);
    await device.close();
    env.files.fault = undefined;
    const again = await openDevice(env, FILES);
    expect(valueAt(again, 0)).toBe(6);
    await again.close();
  });

  test('a failed image sync does not move the place where redo starts', async () => {
    const { env, device } = await make();
    device.submit([fill(0, 8, 6)]);
    env.files.fault = failing('sync', 'data');
    await expect(device.takeCheckpoint()).rejects.toThrow(/data image failed during a checkpoint/);
    await device.close();
    env.files.fault = undefined;
    const again = await openDevice(env, FILES);
    expect(valueAt(again, 0)).toBe(6);
    await again.close();
  });
});

describe('the log', () => {
  async function packs(
    device: { readLog(begin: bigint): AsyncIterable<{ lsid: bigint }> },
    begin = 0n,
  ) {
    const lsids: bigint[] = [];
    for await (const pack of device.readLog(begin)) lsids.push(pack.lsid);
    return lsids;
  }

  test('B.4: only permanent log is read', async () => {
    const { device } = await make();
    device.submit([fill(0, 1, 1)]);
    expect(await packs(device)).toEqual([]);
    await device.flush();
    device.submit([fill(0, 1, 2)]);
    expect(await packs(device)).toEqual([0n]);
    await device.close();
  });

  test('damage is told by lsid and field; erased and reset log by code', async () => {
    const { env, device } = await make();
    for (let i = 0; i < 3; i++) device.submit([fill(i, 1, i + 1)]);
    await device.takeCheckpoint();
    const ring = 4096 + 1024;
    env.files.content('log')[ring + 3 * 512]! ^= 1;
    await expect(packs(device)).rejects.toMatchObject({
      code: 'corrupt',
      details: { lsid: 3n, field: 'record[0]' },
    });
    env.files.content('log')[ring + 4 * 512]! ^= 1;
    await expect(packs(device, 4n)).rejects.toMatchObject({
      code: 'corrupt',
      details: { lsid: 4n, field: 'pack header' },
    });
    await device.setOldestLsid(2n);
    await expect(packs(device)).rejects.toMatchObject({ code: 'overflow' });
    const reading = device.readLog(2n)[Symbol.asyncIterator]();
    env.files.content('log')[ring + 3 * 512]! ^= 1;
    await reading.next();
    await device.resetLog();
    await expect(reading.next()).rejects.toMatchObject({ code: 'conflict' });
    await device.close();
  });

  test('reading stops when asked to', async () => {
    const { device } = await make();
    device.submit([fill(0, 1, 1)]);
    await device.flush();
    const read = async () => {
      for await (const _ of device.readLog(0n, AbortSignal.abort()));
    };
    await expect(read()).rejects.toMatchObject({ code: 'cancelled' });
    await device.close();
  });

  test('a write that a power cut took does not come back with a later one', async () => {
    const { env, device } = await make();
    const { latest } = await device.lsids();
    for (const value of [1, 2, 3]) device.submit([fill(0, 1, value)]);
    await device.flush();
    env.files.kill();
    await device.close();
    // The disk kept the packs with 1 and 3 but lost the header of the one with 2.
    const ring = 4096 + 1024;
    env.files
      .content('log')
      .fill(0, ring + (Number(latest) + 2) * 512, ring + (Number(latest) + 3) * 512);
    env.files.content('data').fill(0);
    const second = await openDevice(env, FILES);
    expect(valueAt(second, 0)).toBe(1);
    second.submit([fill(0, 1, 4)]);
    await second.flush();
    env.files.kill();
    await second.close();
    const third = await openDevice(env, FILES);
    expect([valueAt(third, 0), (await third.lsids()).latest]).toEqual([4, 4n]);
    await third.close();
  });

  test('the oldest lsid moves only forward and not past the last checkpoint', async () => {
    const { device } = await make();
    device.submit([fill(0, 1, 1)]);
    await expect(device.setOldestLsid(2n)).rejects.toMatchObject({ code: 'invalid-argument' });
    await device.takeCheckpoint();
    await device.setOldestLsid(2n);
    await expect(device.setOldestLsid(1n)).rejects.toMatchObject({ code: 'invalid-argument' });
    expect((await device.lsids()).oldest).toBe(2n);
    await device.close();
  });

  test('W2: the oldest block is overwritten only when all log before is permanent', async () => {
    const { env, device } = await make();
    const ringStart = 4096 + 1024;
    device.submit([fill(0, 1, 1)]);
    let overwritten = 0;
    env.files.fault = (op, path, position) => {
      if (op !== 'write' || path !== 'log' || position !== ringStart) return;
      if (overwritten++ === 0) expect(env.files.hasUnsynced('log')).toBe(false);
    };
    while (!(await device.isOverflow())) await device.submit([fill(1, 5, 1)]);
    expect(overwritten).toBe(1);
    await device.close();
  });

  test('W2: overflow does not stop writes, survives a power cut at once, and a reset clears it', async () => {
    const { env, device } = await make();
    const { ringPb, uuid, salt } = await device.info();
    let written = 0;
    while (!(await device.isOverflow())) {
      await device.submit([fill(written % SIZE, 1, (written % 255) + 1)]);
      written++;
    }
    expect(Number((await device.lsids()).latest)).toBeLessThan(ringPb + 10);
    env.files.crash(() => 0);
    await device.close();
    const again = await openDevice(env, FILES);
    expect(await again.isOverflow()).toBe(true);
    await again.submit([fill(0, 1, 200)]);
    await again.flush();
    expect(valueAt(again, 0)).toBe(200);
    await expect(again.setOldestLsid(5n)).rejects.toMatchObject({ code: 'overflow' });
    await expect(packs(again)).rejects.toMatchObject({ code: 'overflow' });
    const info = await again.resetLog();
    expect(info.salt).not.toBe(salt);
    expect(Buffer.compare(info.uuid, uuid)).not.toBe(0);
    expect(await again.isOverflow()).toBe(false);
    expect(Object.values(await again.lsids())).toEqual(new Array(8).fill(0n));
    expect(valueAt(again, 0)).toBe(200);
    await again.close();
  });
});

describe('administration', () => {
  test('growing keeps data and shows zeros; shrinking is refused', async () => {
    const { device } = await make();
    device.submit([fill(SIZE - 1, 1, 9)]);
    await expect(device.resize(SIZE - 1)).rejects.toMatchObject({ code: 'invalid-argument' });
    await device.resize(SIZE + 10);
    expect([valueAt(device, SIZE - 1), valueAt(device, SIZE + 9)]).toEqual([9, 0]);
    device.submit([fill(SIZE + 9, 1, 8)]);
    expect((await device.info()).sizeLb).toBe(SIZE + 10);
    await device.close();
  });

  test('a frozen device holds writes back, its image is whole, and it melts by time', async () => {
    const { env, device } = await make();
    device.submit([fill(0, 1, 1)]);
    await device.freeze(5);
    expect(env.files.content('data')[0]).toBe(1);
    let done = false;
    const waiting = Promise.resolve(device.submit([fill(0, 1, 2)])).then(() => {
      done = true;
    });
    await turns(5);
    expect([done, device.status.isFrozen, valueAt(device, 0)]).toEqual([false, true, 1]);
    await expect(device.resetLog()).rejects.toMatchObject({ code: 'wrong-state' });
    env.clock.advance(5000);
    await waiting;
    expect([device.status.isFrozen, valueAt(device, 0)]).toEqual([false, 2]);
    expect(device.melt()).toBe(false);
    await device.close();
  });

  test('watchers hear once per turn, after a write and after a sync, until they cancel', async () => {
    const { device } = await make();
    let calls = 0;
    const cancel = device.watch(() => calls++);
    device.submit([fill(0, 1, 1)]);
    device.submit([fill(1, 1, 1)]);
    expect(calls).toBe(0);
    await turns(1);
    expect(calls).toBe(1);
    await device.flush();
    await turns(1);
    expect(calls).toBeGreaterThan(1);
    cancel();
    const before = calls;
    device.submit([fill(1, 1, 1)]);
    await turns(5);
    expect(calls).toBe(before);
    await device.close();
  });

  test('checkpoints come by time and by the ring filling up', async () => {
    const { env, device } = await make({}, { checkpointInterval: 1000 });
    device.submit([fill(0, 1, 1)]);
    env.clock.advance(100);
    await turns(10);
    expect((await device.lsids()).prevWritten).toBe(0n);
    env.clock.advance(1000);
    await turns(10);
    expect((await device.lsids()).prevWritten).toBe(2n);
    for (let i = 0; i < 400; i++) await device.submit([fill(i, 1, 1)]);
    await device.flush();
    await turns(20);
    await device.submit([fill(0, 1, 1)]);
    await turns(20);
    expect((await device.lsids()).prevWritten).toBeGreaterThan(2n);
    await device.close();
  });

  test('a closed device refuses everything, closing twice is one close, no timer stays', async () => {
    const { env, device } = await make();
    await Promise.all([device.close(), device.close()]);
    expect(() => device.submit([fill(0, 1, 1)])).toThrow(/closed/);
    expect(() => device.read(0, new Uint8Array(512))).toThrow(/closed/);
    for (const refused of [
      device.takeCheckpoint(),
      device.resetLog(),
      device.resize(1),
      device.setOldestLsid(0n),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 'wrong-state' });
    }
    expect(device.status.condition).toBe('closed');
    expect(env.clock.timers).toBe(0);
  });
});

describe('hooks (X1)', () => {
  test('a view at one lsid is kept whole by saving what is about to be replaced', async () => {
    const saved = new Map<number, Uint8Array>();
    const dirty: [number, number, bigint][] = [];
    let viewLsid = 1n << 62n;
    const image = { read: (_offset: number, _into: Uint8Array) => {} };
    const { env, device } = await make(
      {},
      {
        hooks: {
          beforeReplace: (offset, sizeLb, lsid) => {
            if (lsid <= viewLsid) return;
            for (let block = offset; block < offset + sizeLb; block++) {
              if (saved.has(block)) continue;
              const old = new Uint8Array(LB_SIZE);
              image.read(block, old);
              saved.set(block, old);
            }
          },
          markDirty: (...range) => dirty.push(range),
        },
      },
    );
    image.read = (offset, into) =>
      into.set(env.files.content('data').subarray(offset * 512, offset * 512 + into.length));
    for (let i = 0; i < 50; i++) await device.submit([fill(i * 3, 5, i + 1)]);
    viewLsid = (await device.lsids()).latest;
    const expected = new Uint8Array(SIZE * LB_SIZE);
    device.read(0, expected);
    for (let i = 0; i < 80; i++) await device.submit([fill((i * 7) % 200, 6, 100 + i)]);
    await device.takeCheckpoint();
    const view = env.files.content('data').slice();
    for (const [block, old] of saved) view.set(old, block * LB_SIZE);
    expect(Buffer.compare(view, expected)).toBe(0);
    expect(dirty.length).toBe(130);
    expect(dirty[0]).toEqual([0, 5, 6n]);
    await device.close();
  });

  test('a hook that waits holds the image back, not the reads', async () => {
    const gate = Promise.withResolvers<void>();
    const { env, device } = await make({}, { hooks: { beforeReplace: () => gate.promise } });
    device.submit([fill(0, 1, 1)]);
    await device.flush();
    await turns(10);
    expect([env.files.content('data')[0], valueAt(device, 0)]).toEqual([0, 1]);
    gate.resolve();
    await device.takeCheckpoint();
    expect(env.files.content('data')[0]).toBe(1);
    await device.close();
  });
});

test('NBD backend: bytes, FUA as one sync, fast zeroes refused one by one', async () => {
  const { device } = await make();
  const backend = blockBackend(device);
  const change = (kind: 'write' | 'trim' | 'zero', offset: number, length: number, more = {}) => ({
    kind,
    offset,
    length,
    data: kind === 'write' ? new Uint8Array(length).fill(3) : new Uint8Array(0),
    fua: false,
    mayPunch: true,
    fast: false,
    error: undefined,
    ...more,
  });
  expect(backend.size).toBe(SIZE * 512);
  expect(backend.submit([change('write', 0, 4096)])).toBeUndefined();
  const fast = change('zero', 0, 512, { fast: true });
  await backend.submit([fast, change('trim', 512, 512), change('zero', 1024, 512, { fua: true })]);
  expect(fast.error).toMatchObject({ code: 'unsupported' });
  expect([0, 1, 2, 3].map((block) => valueAt(device, block))).toEqual([3, 0, 0, 3]);
  const { permanent, latest } = await device.lsids();
  expect(permanent).toBe(latest);
  expect(backend.nextData?.(0)).toMatchObject({ start: 0 });
  await device.close();
});
