/** Small parts of the archive server that need no server. */
import { describe, expect, it } from 'vitest';
import { BaseReaders } from '../../src/archive-server/base-readers.ts';
import { ARCHIVE_OPTIONS, archiveConfig } from '../../src/archive-server/config.ts';
import { abortable, together } from '../../src/archive-server/duplex.ts';
import { Replicas } from '../../src/archive-server/replicas.ts';
import { TimedLock } from '../../src/archive-server/timed-lock.ts';
import { type Clock, type Logger, silentLogger, WalbError } from '../../src/core/index.ts';
import { parseOriginal } from '../../src/core/original-options.ts';
import { OptionValues } from '../../src/server/common-options.ts';

describe('readers of the base', () => {
  it('let an apply go up to the oldest of them and no further', () => {
    const readers = new BaseReaders();
    const one = readers.read(5n, 'export one');
    using _two = readers.read(9n, 'a scan');
    readers.change(5n)[Symbol.dispose]();
    expect(() => readers.change(6n)).toThrowError(/snapshot 5.*export one/);
    one[Symbol.dispose]();
    readers.change(9n)[Symbol.dispose]();
    expect(() => readers.requireNoneBefore(10n)).toThrowError(
      expect.objectContaining({ code: 'busy' }),
    );
  });

  it('do not begin to read what an apply is writing over', () => {
    const readers = new BaseReaders();
    const change = readers.change(7n);
    expect(() => readers.read(6n, 'a scan')).toThrowError(
      expect.objectContaining({ code: 'busy' }),
    );
    readers.read(7n, 'a scan')[Symbol.dispose]();
    change[Symbol.dispose]();
    readers.read(6n, 'a scan')[Symbol.dispose]();
  });
});

describe('both directions of a call', () => {
  const never = new Promise<never>(() => {});
  const stream = { send: () => never, receive: () => never, end: () => never, cancel: () => {} };

  it('end together, with the first failure', async () => {
    let ended = false;
    const work = together([
      async (signal) => {
        await abortable(stream, signal)
          .receive()
          .finally(() => {
            ended = true;
          });
      },
      async () => {
        throw new WalbError('corrupt', 'the first');
      },
    ]);
    await expect(work).rejects.toThrow('the first');
    expect(ended).toBe(true);
  });

  it('are over when both are', async () => {
    const done: number[] = [];
    await together([async () => void done.push(1), async () => void done.push(2)]);
    expect(done).toEqual([1, 2]);
  });

  it('refuse to go on after the failure', async () => {
    const signal = AbortSignal.abort(new WalbError('io', 'broken'));
    await expect(abortable(stream, signal).send({})).rejects.toMatchObject({ code: 'io' });
  });
});

describe('the lock of a catalogue', () => {
  it('says who waited or held it too long', async () => {
    let now = 0;
    const warnings: string[] = [];
    const log: Logger = { ...silentLogger, warn: (_fields, text) => void warnings.push(text) };
    const lock = new TimedLock({ monotonic: () => now } as Clock, log, 1000);
    const first = await lock.lock();
    const second = lock.lock();
    now += 500;
    first.release();
    (await second).release();
    expect(warnings).toEqual([]);
    const third = await lock.lock();
    const fourth = lock.lock();
    now += 2000;
    third.release();
    (await fourth).release();
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).toMatch(/held too long/);
    expect(warnings.join()).toMatch(/waited for too long/);
    expect(lock.isLocked).toBe(false);
  });
});

it('replicas are remembered up to a bound, the newest word about each', () => {
  const replicas = new Replicas();
  for (let i = 0; i < 100; i += 1) replicas.note(`a${i}`, BigInt(i), i);
  replicas.note('a99', 200n, 200);
  const deltas = replicas.deltas('vol', { gid: 300n, timestamp: 300 });
  expect(deltas).toHaveLength(64);
  expect(deltas.at(-1)).toMatchObject({ dest: 'a99', destGid: 200n, destTimestamp: 200 });
});

describe('options', () => {
  const config = (...words: string[]) =>
    archiveConfig(
      new OptionValues(
        ARCHIVE_OPTIONS,
        parseOriginal({ program: 'walb-archive', about: '', options: ARCHIVE_OPTIONS }, words),
      ),
    );

  it('are those of the original', () => {
    expect(config()).toMatchObject({
      baseDirectory: '/var/forest/walb/archive',
      maxWdiffFiles: 1000,
      fsyncInterval: 2 ** 30,
      autoResize: false,
      keepOneColdSnapshot: false,
      maxOpenDiffs: 0,
      maxOpenDiffsVirtual: 0,
      applySleepPercent: 0,
      lockTimeThreshold: 10_000,
      syncCompression: { kind: 'snappy', level: 0, nrCpu: 1 },
    });
    const more = ['-keep-one-cold-snap', '-lock-time-th', '0.5', '-maxopen', '7'];
    expect(config(...more)).toMatchObject({
      keepOneColdSnapshot: true,
      lockTimeThreshold: 500,
      maxOpenDiffs: 7,
    });
  });

  it.each([
    ['-apply-sleep-pct', '100'],
    ['-discard', 'sometimes'],
    ['-wn', '0'],
    ['-fi', '0'],
    ['-lock-time-th', 'soon'],
    ['-sync-cmpr', 'rar:1:1'],
  ])('%s %s is refused', (...words) => {
    expect(() => config(...words)).toThrowError(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });
});
