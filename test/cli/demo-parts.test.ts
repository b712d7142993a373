/** The demo's judgement and its writes: a difference must never pass as equal. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeInput } from '../../src/cli/demo-input.ts';
import { Report } from '../../src/cli/demo-report.ts';
import { hashExport, Writer, writeDifference } from '../../src/cli/demo-volume.ts';
import { RealClock } from '../../src/core/real-clock.ts';
import { connectNbd } from '../../src/wdev/nbd/index.ts';
import { has } from '../support/tools.ts';
import { RamBackend } from '../wdev/nbd/ram-backend.ts';
import { ServedFolder } from '../wdev/nbd/sockets.ts';

describe('Report', () => {
  const lines: string[] = [];
  beforeEach(() => void (lines.length = 0));
  const report = () => new Report((line) => void lines.push(line));

  test('is good only when something was compared and all of it was equal', () => {
    const made = report();
    expect(made.isGood).toBe(false);
    made.compare({ what: 'first' }, 'aa', 'aa');
    expect(made.isGood).toBe(true);
    expect(made.verdict()).toContain('1 of 1 restored snapshots are equal');
    made.compare({ what: 'second' }, 'aa', 'bb');
    expect(made.isGood).toBe(false);
    expect(made.verdict()).toContain('1 of 2 restored snapshots DIFFER');
    expect(lines.at(-1)).toContain('DIFFERS from aa');
  });

  test('prints sizes, times and rates in columns', () => {
    report().step({ what: 'copy', bytes: 64 << 20, ms: 500, note: 'gid 7' });
    expect(lines).toEqual([`  ${'copy'.padEnd(38)}   64 MiB  0.50 s   134 MB/s   gid 7`]);
  });

  test('a note that does not fit the terminal has a line of its own', () => {
    const narrow = new Report((line) => void lines.push(line), 80);
    narrow.step({ what: 'copy', bytes: 64 << 20, ms: 500, note: 'fits here' });
    narrow.step({ what: 'copy', bytes: 64 << 20, ms: 500, note: 'does not fit here' });
    expect(lines).toEqual([
      `  ${'copy'.padEnd(38)}   64 MiB  0.50 s   134 MB/s   fits here`,
      `  ${'copy'.padEnd(38)}   64 MiB  0.50 s   134 MB/s`,
      '    does not fit here',
    ]);
  });
});

describe('a volume over NBD', () => {
  const SIZE = 8 << 20;
  let served: ServedFolder;
  let backend: RamBackend;

  beforeEach(async () => {
    backend = new RamBackend({ size: SIZE });
    served = await ServedFolder.start({ ram: backend });
  });
  afterEach(() => served[Symbol.asyncDispose]());
  const connect = () =>
    connectNbd(
      { kind: 'unix', path: served.socket },
      { exportName: 'ram', clock: new RealClock() },
    );

  test('hashExport hashes all of it; writeDifference writes what differs, and only that', async () => {
    await using client = await connect();
    const first = randomBytes(SIZE);
    expect(await writeDifference(client, undefined, first)).toBe(SIZE);
    const wanted = createHash('sha256').update(first).digest('hex');
    expect(await hashExport(client)).toBe(wanted);
    const second = Buffer.from(first);
    for (const at of [0, 4096, 3 << 20, SIZE - 1]) second[at] = (second[at] as number) ^ 1;
    expect(await writeDifference(client, first, second)).toBe(4 * 4096);
    expect(second.equals(backend.content)).toBe(true);
    expect(await writeDifference(client, second, second)).toBe(0);
  });

  test('a paused writer has nothing under way, and keeps to its part', async () => {
    await using client = await connect();
    const from = 4 << 20;
    const writer = new Writer(client, randomBytes(256 << 10), from);
    writer.start();
    while (writer.written === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await writer.pause();
    const paused = await hashExport(client);
    expect(await hashExport(client)).toBe(paused);
    expect(backend.content.subarray(0, from).every((byte) => byte === 0)).toBe(true);
    writer.start();
    await writer.pause();
  });
});

describe.skipIf(!has('mke2fs', 'debugfs', 'e2fsck'))('the input', () => {
  test('is a file system that changes, stays clean, and is found damaged when it is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'walb-input-'));
    try {
      const input = await makeInput(folder, 16 << 20);
      expect(input.image.length).toBe(16 << 20);
      const changed = await input.changed();
      expect(changed.image.length).toBe(input.image.length);
      expect(Buffer.compare(changed.image, input.image)).not.toBe(0);
      const copy = join(folder, 'copy');
      writeFileSync(copy, changed.image);
      expect(await input.check(copy)).toMatch(/^e2fsck: clean, \d+ inodes$/);
      const damaged = Buffer.from(changed.image);
      damaged.fill(0xff, 4096, 64 << 10);
      writeFileSync(copy, damaged);
      await expect(input.check(copy)).rejects.toThrow();
      expect(existsSync(join(folder, 'ext4.img'))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
