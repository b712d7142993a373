/**
 * The volume device in this process, without NBD: `node bench/wdev.ts [FOLDER]`. Each write goes to the
 * log, is summed, and reaches the image in the background; the baseline is one pwrite of the same bytes
 * to a plain file, so 0.5 would be "two writes and nothing else".
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KIB, LB_SIZE, MIB, silentLogger } from '../src/core/index.ts';
import { createRealEnv } from '../src/core/real-env.ts';
import { formatDevice, openDevice, type WalbDevice, type WriteRequest } from '../src/wdev/index.ts';
import {
  halfRandom,
  measure,
  measureAsync,
  peakMemoryMiB,
  printTable,
  type Sample,
} from './support.ts';

const VOLUME = 1024 * MIB;
const LOG = 2048 * MIB;
const SECONDS = 2;

const env = createRealEnv({ network: undefined as never, log: silentLogger });
const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'walb-bench-'));

/** Offsets in logical blocks, the same for baseline and device. */
function offsets(size: number, order: 'random' | 'sequential'): () => number {
  const slots = VOLUME / size;
  let x = 1;
  let next = 0;
  return () => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    const slot = order === 'random' ? x % slots : next++ % slots;
    return (slot * size) / LB_SIZE;
  };
}

function plainWrites(size: number, batch: number, order: 'random' | 'sequential'): Sample {
  const file = env.files.open(join(folder, 'plain'), 'replace');
  file.truncate(VOLUME);
  const data = halfRandom(size);
  const at = offsets(size, order);
  const sample = measure(
    'pwrite',
    size * batch,
    () => {
      for (let i = 0; i < batch; i++) file.write(data, at() * LB_SIZE);
    },
    { seconds: SECONDS },
  );
  file.close();
  return sample;
}

async function withDevice<T>(use: (device: WalbDevice) => Promise<T>): Promise<T> {
  const files = { log: join(folder, 'log'), data: join(folder, 'data') };
  await formatDevice(env, {
    ...files,
    name: 'bench',
    sizeLb: VOLUME / LB_SIZE,
    pbs: 512,
    logBytes: LOG,
  });
  const device = await openDevice(env, files);
  try {
    return await use(device);
  } finally {
    await device.close();
  }
}

function deviceWrites(size: number, batch: number, order: 'random' | 'sequential', flushEach = 0) {
  const data = halfRandom(size);
  const at = offsets(size, order);
  let rounds = 0;
  const name = flushEach > 0 ? `device, flush every ${flushEach} batches` : 'device';
  return withDevice((device) =>
    measureAsync(
      name,
      size * batch,
      async () => {
        const requests: WriteRequest[] = [];
        for (let i = 0; i < batch; i++) requests.push({ kind: 'write', offset: at(), data });
        await device.submit(requests);
        if (flushEach > 0 && ++rounds % flushEach === 0) await device.flush();
        // As between two deliveries of a socket: the image gets its turn.
        if (rounds % 16 === 0) await env.clock.yield();
      },
      { seconds: SECONDS },
    ),
  );
}

async function reads(size: number): Promise<void> {
  const into = Buffer.alloc(size);
  const at = offsets(size, 'random');
  const file = env.files.open(join(folder, 'plain'), 'update');
  const plain = measure('pread', size, () => file.read(into, at() * LB_SIZE));
  file.close();
  const samples = await withDevice(async (device) => {
    const clean = measure('device', size, () => device.read(at(), into));
    const few = offsets(4 * KIB, 'random');
    const data = halfRandom(4 * KIB);
    for (let i = 0; i < 2000; i++) await device.submit([{ kind: 'write', offset: few(), data }]);
    return [clean, measure('device, 2000 writes pending', size, () => device.read(at(), into))];
  });
  printTable(`read ${size / KIB} KiB`, [plain, ...samples], plain);
}

try {
  const large = halfRandom(MIB);
  const copy = Buffer.alloc(MIB);
  printTable('memcpy 1 MiB', [measure('memcpy', MIB, () => copy.set(large))]);
  for (const [size, batch, order] of [
    [4 * KIB, 1, 'random'],
    [4 * KIB, 32, 'random'],
    [64 * KIB, 1, 'sequential'],
    [MIB, 1, 'sequential'],
  ] as const) {
    const plain = plainWrites(size, batch, order);
    const samples = [
      plain,
      await deviceWrites(size, batch, order),
      await deviceWrites(size, batch, order, 64),
    ];
    const title = `write ${batch} x ${size / KIB} KiB ${order}`;
    const notes = samples.map((s) => ({
      ...s,
      note: `${Math.round(s.amount / size / s.seconds)} IO/s`,
    }));
    printTable(title, notes, plain);
  }
  for (const size of [4 * KIB, 256 * KIB]) await reads(size);
  console.log(`peak memory ${peakMemoryMiB().toFixed(0)} MiB`);
} finally {
  rmSync(folder, { recursive: true });
}
