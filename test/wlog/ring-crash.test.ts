/**
 * Crashes while a log device is formatted, restored or repaired: of the writes since the last sync any
 * subset may be lost. docs/formats-wlog.md, "Write order and crashes".
 */
import { describe, expect, test } from 'vitest';
import { equalBytes, WalbError } from '../../src/core/index.ts';
import {
  bytesSource,
  findEndOfLog,
  formatRingLog,
  openRingLog,
  readRing,
  readWlog,
  repairTail,
  restoreRing,
  SeededRandom,
} from '../../src/wlog/index.ts';
import { MemoryFile } from '../support/memory-file.ts';
import { generated } from './support.ts';

const ROUNDS = 300;
const SIZE = 600 * 512;

/** Remembers what was written since the last sync. */
class CrashFile extends MemoryFile {
  readonly steps: {
    readonly bytes: Uint8Array;
    readonly position: number;
    readonly epoch: number;
  }[] = [];

  override write(from: Uint8Array, position: number): void {
    this.steps.push({ bytes: from.slice(), position, epoch: this.syncs });
    super.write(from, position);
  }

  /** The device after a crash just before step `at`: synced writes are there, of the others some. */
  crash(before: Uint8Array, at: number, random: SeededRandom): MemoryFile {
    const file = new MemoryFile(before);
    const unsynced = this.steps[at]?.epoch ?? this.syncs;
    const loss = [0, 0.05, 0.4][random.below(3)]!;
    for (const step of this.steps.slice(0, at)) {
      if (step.epoch === unsynced && random.chance(loss)) continue;
      file.write(step.bytes, step.position);
    }
    return file;
  }
}

function recordsOf(file: MemoryFile): string[] {
  const list: string[] = [];
  for (const item of readRing(openRingLog(file))) {
    if (item.kind !== 'io' || item.type === 'padding') continue;
    list.push(`${item.record.lsid} ${item.record.offset} ${item.record.blocks}`);
  }
  return list;
}

async function ringOf(seed: number): Promise<MemoryFile> {
  const file = new MemoryFile(SIZE);
  const uuid = new Uint8Array(16).fill(seed);
  const log = await formatRingLog(file, {
    pbs: 512,
    uuid,
    salt: seed,
    name: '',
    deviceLb: 1 << 20,
  });
  await restoreRing(log, readWlog(bytesSource(logOf(seed))), { lsidDiff: 400n });
  return file;
}

function logOf(seed: number): Uint8Array {
  return generated({
    seed,
    totalLb: 250,
    maxIoLb: 16,
    maxDiscardLb: 16,
    maxPackPb: 40,
    data: 'random',
  });
}

/** Runs `operate`, then crashes it at every kind of point; `check` sees each outcome. */
async function everyCrash(
  start: MemoryFile,
  operate: (file: CrashFile) => Promise<unknown>,
  check: (file: MemoryFile) => void,
): Promise<void> {
  const file = new CrashFile(start.bytes);
  await operate(file);
  expect(file.steps.length).toBeGreaterThan(1);
  for (let round = 0; round < ROUNDS; round++) {
    const random = new SeededRandom(round);
    check(file.crash(start.bytes, random.below(file.steps.length + 1), random));
  }
}

const isPrefix = (part: string[], whole: string[]) => part.every((one, i) => one === whole[i]);

describe('a crash', () => {
  test('while restoring leaves the old log, its loss, or a prefix of the new one', async () => {
    const old = await ringOf(1);
    const wanted = await ringOf(2);
    const [before, after] = [recordsOf(old), recordsOf(wanted)];
    const { uuid } = openRingLog(old).superSector;
    const seen = { old: 0, lost: 0, part: 0, whole: 0 };
    const restore = (file: CrashFile) =>
      restoreRing(openRingLog(file), readWlog(bytesSource(logOf(2))), { lsidDiff: 400n });
    await everyCrash(old, restore, (file) => {
      const found = recordsOf(file);
      const isNew = !equalBytes(openRingLog(file).superSector.uuid, uuid);
      expect(isPrefix(found, isNew ? after : before)).toBe(true);
      if (found.length === 0) seen.lost++;
      else if (!isNew) seen.old++;
      else if (found.length < after.length) seen.part++;
      else seen.whole++;
    });
    expect(before).not.toEqual(after);
    for (const [outcome, count] of Object.entries(seen)) expect(count, outcome).toBeGreaterThan(0);
  });

  test('while formatting leaves the old log, its loss, or an empty one', async () => {
    const old = await ringOf(1);
    const before = recordsOf(old);
    const options = { pbs: 512, uuid: new Uint8Array(16), salt: 5, name: '', deviceLb: 9 };
    await everyCrash(
      old,
      (file) => formatRingLog(file, options),
      (file) => {
        const isNew = openRingLog(file).superSector.salt === 5;
        expect(isNew ? recordsOf(file) : [], 'new log is empty').toEqual([]);
        if (!isNew) expect(isPrefix(recordsOf(file), before)).toBe(true);
      },
    );
  });

  test('while repairing leaves the same end of log', async () => {
    const damaged = await ringOf(3);
    const target = [...readRing(openRingLog(damaged))].findLast(
      (i) => i.kind === 'io' && i.type === 'write',
    );
    damaged.bytes[target?.offset ?? 0]! ^= 1;
    const end = findEndOfLog(openRingLog(damaged));
    expect(end.reason).toBe('bad-data');
    const before = recordsOf(damaged);
    await everyCrash(
      damaged,
      (file) => repairTail(openRingLog(file)),
      (file) => {
        expect(recordsOf(file)).toEqual(before);
        expect(findEndOfLog(openRingLog(file)).lsid).toBe(end.lsid);
      },
    );
  });
});

test('a failed sync fails the operation: nothing is called durable', async () => {
  const failure = new WalbError('io', 'the disk failed');
  const file = await ringOf(1);
  file.sync = () => Promise.reject(failure);
  const options = { pbs: 512, uuid: new Uint8Array(16), salt: 5, name: '', deviceLb: 9 };
  await expect(formatRingLog(file, options)).rejects.toBe(failure);
  expect(openRingLog(file).superSector.salt, 'the super sector comes after the sync').not.toBe(5);
  const restore = restoreRing(openRingLog(file), readWlog(bytesSource(logOf(2))));
  await expect(restore).rejects.toBe(failure);
});
