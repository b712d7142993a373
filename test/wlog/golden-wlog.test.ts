/**
 * Wlog files written by the original tools: text, re-encoding, redo, damaged files.
 * formats.md 1, 2 [v].
 */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  analyzeLog,
  bytesSource,
  encodePackHeader,
  encodeWlogHeader,
  originalAnalyzeLines,
  originalShowLines,
  readWlog,
  readWlogs,
  redoLog,
  type StopReason,
  streamSource,
  WlogWriter,
} from '../../src/wlog/index.ts';
import { describeGolden, golden } from '../golden/golden.ts';
import { MemoryFile } from '../support/memory-file.ts';
import { withCode } from './support.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const wlogs = golden.available ? golden.list('wlog') : [];
const textOf = (name: string) => golden.read(`text/${name}-show.txt`).toString('latin1');

let base: Buffer | undefined;
/** The image every redo starts from, decompressed once; MemoryFile copies it. */
function baseImage(): Buffer {
  base ??= golden.read('image/base-16M.img');
  return base;
}

async function lines(source: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const line of source) text += `${line}\n`;
  return text;
}

/** Chunks of changing, unaligned sizes, as a pipe delivers them. */
async function* chunked(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  let size = 1;
  for (let at = 0; at < bytes.length; at += size) {
    size = 1 + ((size * 31 + 7) % 70_001);
    yield bytes.subarray(at, at + size);
  }
}

describeGolden('golden wlog files', () => {
  test.each(wlogs)('%s: show prints what wlog-show prints', async (name) => {
    const bytes = golden.read(`wlog/${name}`);
    expect(await lines(originalShowLines(readWlog(bytesSource(bytes))))).toBe(textOf(name));
    const skipping = readWlog(bytesSource(bytes), { data: 'skip' });
    expect(await lines(originalShowLines(skipping))).toBe(textOf(name));
  });

  test.each(wlogs)('%s: read from a stream and written again it is the same file', async (name) => {
    const bytes = golden.read(`wlog/${name}`);
    const parts: Buffer[] = [];
    let writer: WlogWriter | undefined;
    for await (const item of readWlog(streamSource(chunked(bytes), name))) {
      if (item.kind === 'header') {
        const sink = { write: (part: Uint8Array) => void parts.push(Buffer.from(part)) };
        writer = await WlogWriter.begin(sink, item.header);
      } else if (item.kind === 'pack') {
        const block = new Uint8Array(item.block.length);
        // The header is encoded anew from its fields: byte for byte the same.
        expect(encodePackHeader(item.header, block, saltOf(bytes))).toBe(item.header.checksum);
        await writer?.writeHeader(block);
      } else if (item.kind === 'io') await writer?.writeData(item.stored);
      else await writer?.finish();
    }
    expect(Buffer.concat(parts).equals(bytes)).toBe(true);
  });

  const redone = wlogs.map((name) => name.replace('.wlog', ''));
  test.each(redone)('%s: redo gives the image of wlog-redo', async (name) => {
    const expected = golden.expected.redo[name];
    const bytes = golden.read(`wlog/${name}.wlog`);
    for (const [way, zeroDiscard] of [
      ['wlog-redo -z', true],
      ['wlog-redo', false],
    ] as const) {
      if (expected?.[way] === undefined) continue;
      const image = new MemoryFile(baseImage());
      const result = await redoLog(readWlog(bytesSource(bytes)), image, { zeroDiscard });
      expect(result).toMatchObject({ clipped: 0, end: { reason: 'end-block' } });
      expect(sha256(image.bytes), way).toBe(expected[way]);
    }
    expect(expected?.['wlog-redo -z']).toBeDefined();
  });

  test('redo skips IOs beyond the image instead of growing it (formats.md 2.4)', async () => {
    const bytes = golden.read('wlog/default-512.wlog');
    const start = baseImage().subarray(0, 1024 * 1024);
    const image = new MemoryFile(start);
    const model = Buffer.from(start);
    const clipped: bigint[] = [];
    for await (const item of readWlog(bytesSource(bytes))) {
      if (item.kind !== 'io' || item.type === 'padding') continue;
      const from = item.record.offset * 512;
      const to = from + item.record.blocks * 512;
      if (to > model.length) clipped.push(item.record.lsid);
      else if (item.type === 'write') model.set(item.data, from);
      else model.fill(0, from, to);
    }
    const seen: bigint[] = [];
    const options = {
      zeroDiscard: true,
      onClip: (record: { lsid: bigint }) => seen.push(record.lsid),
    };
    const result = await redoLog(readWlog(bytesSource(bytes)), image, options);
    expect(image.size()).toBe(1024 * 1024);
    expect(Buffer.from(image.bytes).equals(model)).toBe(true);
    expect(seen).toEqual(clipped);
    expect(result.clipped).toBe(clipped.length);
    expect(clipped.length).toBeGreaterThan(10);
  });

  test('concatenated wlogs are read as one (formats.md 2.3)', async () => {
    const a = golden.read('wlog/split-a.wlog');
    const b = golden.read('wlog/split-b.wlog');
    const image = new MemoryFile(baseImage());
    const both = Buffer.concat([a, b]);
    const result = await redoLog(readWlogs(bytesSource(both)), image, { zeroDiscard: true });
    expect(sha256(image.bytes)).toBe(golden.expected.redo['default-512']?.['wlog-redo -z']);
    expect(result.end?.reason).toBe('end-block');
    const drain = (bytes: Uint8Array) => redoLog(readWlogs(bytesSource(bytes)), new MemoryFile(0));
    await expect(drain(Buffer.concat([b, a]))).rejects.toThrow(withCode('conflict'));
    await expect(drain(Buffer.concat([a, a]))).rejects.toThrow(withCode('conflict'));
    const other = golden.read('wlog/tiny-512.wlog');
    await expect(drain(Buffer.concat([a, other]))).rejects.toThrow(withCode('conflict'));
    await expect(drain(Buffer.concat([a, b.subarray(0, 1000)]))).rejects.toThrow(
      withCode('corrupt'),
    );
  });

  test('analyze prints what wlog-analyze prints', async () => {
    const bytes = golden.read('wlog/default-512.wlog');
    const statistics = await analyzeLog(readWlog(bytesSource(bytes)), 4096);
    const text = golden.read('text/default-512.wlog-analyze.txt').toString('latin1');
    expect(`${originalAnalyzeLines(statistics).join('\n')}\n`).toBe(text);
  });

  test('the file header is encoded to the same bytes', () => {
    for (const name of wlogs) {
      const bytes = golden.read(`wlog/${name}`);
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const header = encodeWlogHeader({
        salt: view.getUint32(12, true),
        pbs: view.getUint32(20, true),
        uuid: bytes.subarray(24, 40),
        beginLsid: view.getBigUint64(40, true),
        endLsid: view.getBigUint64(48, true),
      });
      expect(Buffer.from(header).equals(bytes.subarray(0, 4096)), name).toBe(true);
    }
  });
});

function saltOf(file: Buffer): number {
  return file.readUInt32LE(12);
}

/** File, how reading all of it ends: a stop reason, or an error. */
const BAD: readonly (readonly [file: string, stop: StopReason | 'error'])[] = [
  ['bad-data-csum.wlog', 'error'],
  ['bad-file-header.wlog', 'error'],
  ['bad-pack-csum.wlog', 'bad-checksum'],
  ['no-end-block.wlog', 'end-of-file'],
  ['truncated-in-data.wlog', 'error'],
  ['truncated-in-header.wlog', 'short-header'],
];

describeGolden('damaged wlog files (formats.md 2.3, bad/)', () => {
  const statusOf = (command: string) => {
    const status = golden.expected.status[command];
    if (status === undefined) throw new Error(`no expected status for: ${command}`);
    return status as { exit: number; 'output sha256'?: string };
  };

  test.each(BAD)('%s: redo ends with %s, as wlog-redo does', async (name, stop) => {
    const bytes = golden.read(`bad/${name}`);
    const command = (options: string) =>
      `cp $TMP/base.img $TMP/c.img && wlog-redo${options} -z -i bad/${name} $TMP/c.img`;
    for (const [options, data] of [
      ['', 'verify'],
      [' -skipcsum', 'trust'],
    ] as const) {
      const expected = statusOf(command(options));
      const image = new MemoryFile(baseImage());
      const run = redoLog(readWlog(bytesSource(bytes, name), { data }), image, {
        zeroDiscard: true,
      });
      if (expected.exit !== 0) {
        await expect(run).rejects.toThrow(withCode('corrupt'));
        await run.catch((error) => {
          expect(error.message).toContain(name);
          expect(error.details).toMatchObject({ file: name, field: expect.any(String) });
          expect(typeof error.details.offset).toBe('number');
        });
      } else {
        const { end } = await run;
        expect(end?.reason).toBe(stop === 'error' ? 'end-block' : stop);
        expect(sha256(image.bytes)).toBe(expected['output sha256']);
      }
    }
  });

  test.each(BAD)('%s: show ends as wlog-show does, but says why', async (name, stop) => {
    const bytes = golden.read(`bad/${name}`);
    const expected = statusOf(`wlog-show bad/${name}`);
    const reasons: string[] = [];
    const run = async () => {
      for await (const item of readWlog(bytesSource(bytes, name), { data: 'skip' })) {
        if (item.kind === 'end') reasons.push(item.reason);
      }
    };
    if (expected.exit !== 0) return expect(run()).rejects.toThrow(withCode('corrupt'));
    await run();
    const skipped = {
      'bad-data-csum.wlog': 'end-block',
      'truncated-in-data.wlog': 'truncated-data',
    };
    expect(reasons).toEqual([skipped[name as keyof typeof skipped] ?? stop]);
  });

  test.each(BAD)('%s: reading wlogs in a row fails where wlog-to-wdiff does', async (name) => {
    const bytes = golden.read(`bad/${name}`);
    const expected = statusOf(`wlog-to-wdiff -i bad/${name} -o $TMP/x.wdiff`);
    const run = redoLog(readWlogs(bytesSource(bytes, name)), new MemoryFile(0));
    if (expected.exit === 0) await run;
    else await expect(run).rejects.toThrow(withCode('corrupt'));
  });
});
