/**
 * Log devices written by the original tools and by the kernel driver. formats.md 3 [v].
 */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { U64_MAX } from '../../src/core/index.ts';
import {
  bytesSource,
  catRing,
  encodeSuperSector,
  findEndOfLog,
  formatRingLog,
  openRingLog,
  originalInfoLines,
  originalShowLines,
  readRing,
  readSuperSector,
  readWlog,
  redoLog,
  repairTail,
  restoreRing,
  ringOffsetPb,
} from '../../src/wlog/index.ts';
import { describeGolden, golden } from '../golden/golden.ts';
import { MemoryFile } from '../support/memory-file.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const text = (name: string) => golden.read(name).toString('latin1');
const images = golden.available ? golden.list('ldev').map((name) => name.replace('.img', '')) : [];
const ringOf = (name: string) => new MemoryFile(golden.read(name), name);

class BufferSink {
  readonly parts: Buffer[] = [];
  write(bytes: Uint8Array): void {
    this.parts.push(Buffer.from(bytes));
  }
  get bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

async function joined(lines: AsyncIterable<string>): Promise<string> {
  let all = '';
  for await (const line of lines) all += `${line}\n`;
  return all;
}

function infoText(file: MemoryFile): string {
  const sector = readSuperSector(file);
  return `${originalInfoLines(sector, ringOffsetPb(sector.pbs)).join('\n')}\n`;
}

describeGolden('golden log devices', () => {
  test.each(images)('%s: info prints what wldev-info prints', (name) => {
    expect(infoText(ringOf(`ldev/${name}.img`))).toBe(text(`text/${name}.wldev-info.txt`));
  });

  test.each(images)('%s: show prints what wldev-show prints', async (name) => {
    const log = openRingLog(ringOf(`ldev/${name}.img`));
    const items = readRing(log, { data: 'skip' });
    const { oldestLsid: begin, pbs } = log.superSector;
    const info = infoText(log.file as MemoryFile);
    const lines = await joined(originalShowLines(items, { begin, end: U64_MAX, pbs }));
    const shown = text(`text/${name}.wldev-show.txt`);
    const header = shown.split('\n').find((line) => line.startsWith('wlog_h')) ?? '';
    expect(shown).toBe(`${info}${header}\n${lines}`);
  });

  test.each(images)('%s: cat gives the file of wlog-cat', async (name) => {
    const sink = new BufferSink();
    const end = await catRing(openRingLog(ringOf(`ldev/${name}.img`)), sink);
    expect(sink.bytes.equals(golden.read(`wlog/${name}.cat.wlog`))).toBe(true);
    expect(end.reason).toBe(name === 'ldev-512-invalid' ? 'bad-data' : 'bad-type');
  });

  test.each(images)('%s: the super sector is encoded to the same bytes', (name) => {
    const file = ringOf(`ldev/${name}.img`);
    const sector = readSuperSector(file);
    const block = new Uint8Array(sector.pbs);
    encodeSuperSector(sector, block);
    expect(block).toEqual(file.bytes.slice(4096, 4096 + sector.pbs));
  });

  const restored = [
    ['ldev-512', 'default-512', 0n],
    ['ldev-512-wrap', 'default-512', 23769n],
    ['ldev-4096', 'default-4096', 0n],
    ['ldev-4096-wrap', 'default-4096', 6035n],
  ] as const;
  test.each(restored)(
    '%s: format and restore give the image byte for byte',
    async (name, wlog, diff) => {
      const wanted = golden.read(`ldev/${name}.img`);
      const pbs = name.includes('4096') ? 4096 : 512;
      const file = new MemoryFile(wanted.length);
      const options = { pbs, name, deviceLb: 16384, salt: 1, uuid: new Uint8Array(16).fill(9) };
      const log = await formatRingLog(file, options);
      const items = readWlog(bytesSource(golden.read(`wlog/${wlog}.wlog`)));
      const result = await restoreRing(log, items, { lsidDiff: diff });
      expect(result.paddingPacks).toBe(diff === 0n ? 0 : 1);
      expect(Buffer.from(file.bytes).equals(wanted)).toBe(true);
      expect(file.syncs).toBeGreaterThan(2);
    },
  );

  test('repairTail cuts the damaged pack for good', async () => {
    const file = ringOf('ldev/ldev-512-invalid.img');
    const log = openRingLog(file);
    const before = findEndOfLog(log);
    expect(before).toMatchObject({ reason: 'bad-data' });
    await repairTail(log);
    const after = findEndOfLog(log);
    expect(after).toMatchObject({ lsid: before.lsid, reason: 'bad-type' });
    const sink = new BufferSink();
    await catRing(log, sink);
    expect(sink.bytes.equals(golden.read('wlog/ldev-512-invalid.cat.wlog'))).toBe(true);
    const image = new MemoryFile(golden.read('image/base-16M.img'));
    await redoLog(readRing(log), image, { zeroDiscard: true });
    const expected = golden.expected.redo['ldev-512-invalid.cat'];
    expect(sha256(image.bytes)).toBe(expected?.['wlog-redo -z']);
    expect(await repairTail(log)).toEqual(after);
  });
});

const KERNEL = 'kernel/pbs512';
const SIZE = 32 * 1024 * 1024;
const files = golden.available ? golden.list(KERNEL) : [];
const states = files
  .filter((name) => /\.ldev(\.first64k)?$/.test(name))
  .map((name) => name.replace(/\.ldev.*/, ''));
const whole = states.filter((state) => files.includes(`${state}.ldev`));

const CHECKPOINTED = ['basic.nocheckpoint', 'overflow.afterreset'];
const atCheckpoint = (info: string) => info.replace(/^(checksum|writtenLsid): \d+$/gm, '$1');

/** The device as saved; where only its first 64 KiB were, the rest is as in `overflowed` (README). */
function kernelRing(state: string): MemoryFile {
  if (whole.includes(state)) return ringOf(`${KERNEL}/${state}.ldev`);
  const file = ringOf(`${KERNEL}/overflow.overflowed.ldev`);
  file.write(golden.read(`${KERNEL}/${state}.ldev.first64k`), 0);
  return file;
}

describeGolden('log devices of the kernel driver', () => {
  const shown = states.filter((state) => files.includes(`${state}.wlog-show.txt`));
  test.each(shown)('%s: info and show print what the tools print', async (state) => {
    const file = kernelRing(state);
    const info = text(`${KERNEL}/${state}.wldev-info.txt`);
    // The tool ran later than the image was saved: in two states the driver had taken a checkpoint.
    if (CHECKPOINTED.includes(state)) expect(atCheckpoint(infoText(file))).toBe(atCheckpoint(info));
    else expect(infoText(file)).toBe(info);
    const sink = new BufferSink();
    await catRing(openRingLog(file), sink);
    const items = readWlog(bytesSource(sink.bytes));
    expect(await joined(originalShowLines(items))).toBe(text(`${KERNEL}/${state}.wlog-show.txt`));
  });

  const withData = whole.filter((state) => files.includes(`${state}.ddev`));
  test.each(withData)(
    '%s: redo from written_lsid completes the saved data device',
    async (state) => {
      const log = openRingLog(kernelRing(state));
      const saved = golden.read(`${KERNEL}/${state}.ddev`);
      const image = new MemoryFile(saved);
      const begin = log.superSector.writtenLsid;
      await redoLog(readRing(log, { begin }), image, { zeroDiscard: true });
      const wanted =
        state === 'powercut.cut' ? golden.read(`${KERNEL}/powercut.redone.ddev`) : saved;
      expect(Buffer.from(image.bytes).equals(wanted)).toBe(true);
    },
  );

  test.each(withData)(
    '%s: redo of the whole log onto zeros gives the data device',
    async (state) => {
      const log = openRingLog(kernelRing(state));
      const image = new MemoryFile(SIZE);
      const result = await redoLog(readRing(log), image, { zeroDiscard: true });
      const wanted = state === 'powercut.cut' ? 'powercut.redone' : state;
      expect(Buffer.from(image.bytes).equals(golden.read(`${KERNEL}/${wanted}.ddev`))).toBe(true);
      expect(result.clipped).toBe(0);
      expect(result.writes).toBeGreaterThan(0);
    },
  );

  test('powercut: the end of log is where the driver found it, and the repair is its own', async () => {
    const log = openRingLog(kernelRing('powercut.cut'));
    expect(log.superSector.writtenLsid).toBe(5880n);
    const end = await repairTail(log, { begin: log.superSector.writtenLsid });
    expect(end.lsid).toBe(6477n);
    const redone = openRingLog(kernelRing('powercut.redone'));
    expect(redone.superSector.writtenLsid).toBe(end.lsid);
    const [ours, theirs] = [new BufferSink(), new BufferSink()];
    await catRing(log, ours);
    await catRing(redone, theirs);
    expect(ours.bytes.equals(theirs.bytes)).toBe(true);
  });

  test('an overflowed ring holds no log at its oldest lsid', () => {
    const log = openRingLog(kernelRing('overflow.overflowed'));
    expect(findEndOfLog(log)).toMatchObject({ lsid: 0n, reason: 'bad-type' });
  });
});

describe('golden folder', () => {
  test.skipIf(!golden.available)('holds the states these tests speak of', () => {
    expect(images).toHaveLength(5);
    expect(states.length).toBeGreaterThanOrEqual(10);
  });
});
