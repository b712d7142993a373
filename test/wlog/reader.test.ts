/** Reading wlog files: every stop rule of formats.md 2.3, streams, memory. */
import { describe, expect, test } from 'vitest';
import {
  type ByteSource,
  bytesSource,
  describeStop,
  encodeEndBlock,
  encodePackHeader,
  encodeWlogHeader,
  generateWlog,
  isCleanEnd,
  readWlog,
  readWlogs,
  streamSource,
  type WlogItem,
  WlogWriter,
} from '../../src/wlog/index.ts';
import { generated, withCode } from './support.ts';

const SALT = 0x1234_5678;
const UUID = new Uint8Array(16).fill(3);
const header = (beginLsid = 0n, uuid = UUID) =>
  encodeWlogHeader({ salt: SALT, pbs: 512, uuid, beginLsid, endLsid: 2n ** 64n - 1n });

/** A pack with one discard and nothing else. */
function discardPack(lsid: bigint): Uint8Array {
  const block = new Uint8Array(512);
  const record = { checksum: 0, flags: 5, offset: 1, blocks: 2, lsidLocal: 1 };
  encodePackHeader({ lsid, totalPb: 0, nPadding: 0, records: [record] }, block, SALT);
  return block;
}

function endBlock(): Uint8Array {
  const block = new Uint8Array(512);
  encodeEndBlock(block, SALT);
  return block;
}

async function all(items: AsyncIterable<WlogItem>): Promise<WlogItem[]> {
  const list: WlogItem[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const endOf = async (bytes: Uint8Array) => (await all(readWlog(bytesSource(bytes, 'f')))).at(-1);

describe('readWlog', () => {
  test('stops with the reason, and never throws for a log that just ends', async () => {
    const good = join(header(), discardPack(0n), discardPack(1n));
    const end = (reason: string, lsid: bigint, offset: number) => ({
      kind: 'end',
      reason,
      lsid,
      offset,
    });
    const at = good.length;
    expect(await endOf(join(good, endBlock()))).toEqual(end('end-block', 2n, at));
    expect(await endOf(good)).toEqual(end('end-of-file', 2n, at));
    expect(await endOf(join(good, new Uint8Array(511)))).toEqual(end('short-header', 2n, at));
    expect(await endOf(join(good, new Uint8Array(512)))).toEqual(end('bad-type', 2n, at));
    expect(await endOf(join(good, discardPack(3n)))).toEqual(end('unexpected-lsid', 2n, at));
    const spoiled = discardPack(2n);
    spoiled[500] = 1;
    expect(await endOf(join(good, spoiled, endBlock()))).toEqual(end('bad-checksum', 2n, at));
    const spoiledEnd = endBlock();
    spoiledEnd[500] = 1;
    expect(await endOf(join(good, spoiledEnd))).toEqual(end('bad-checksum', 2n, at));
    expect(await endOf(header())).toEqual(end('end-of-file', 0n, 4096));
  });

  test('only an end block is a clean end of a file; every reason has its sentence', () => {
    const reasons = ['end-of-file', 'short-header', 'bad-type', 'bad-checksum'] as const;
    for (const reason of reasons) expect(isCleanEnd(reason)).toBe(false);
    expect(isCleanEnd('end-block')).toBe(true);
    expect(new Set(reasons.map(describeStop)).size).toBe(reasons.length);
  });

  test('a pack without records is passed over', async () => {
    const block = new Uint8Array(512);
    encodePackHeader({ lsid: 0n, totalPb: 0, nPadding: 0, records: [] }, block, SALT);
    const items = await all(
      readWlog(bytesSource(join(header(), block, discardPack(1n), endBlock()))),
    );
    expect(items.map((item) => item.kind)).toEqual(['header', 'pack', 'pack', 'io', 'end']);
  });

  test('a header with a good checksum and wrong content is corrupt, not the end', async () => {
    const block = discardPack(0n);
    const view = new DataView(block.buffer);
    // total_io_size 1 more, checksum adjusted by as much: a writer's defect, not a damaged block.
    view.setUint16(6, 1, true);
    view.setUint32(0, (view.getUint32(0, true) - 0x1_0000) >>> 0, true);
    const run = endOf(join(header(), block));
    await expect(run).rejects.toThrow(withCode('corrupt'));
    await expect(run).rejects.toThrow('f: pack header at byte 4096 is not valid: total_io_size');
  });

  test('an empty file and a short header are corrupt', async () => {
    for (const size of [0, 1, 4095]) {
      const run = endOf(header().subarray(0, size));
      await expect(run, String(size)).rejects.toThrow(withCode('corrupt'));
      await expect(run).rejects.toThrow('wlog file header at byte 0');
    }
  });

  test('closing early leaves nothing behind', async () => {
    for await (const item of readWlog(bytesSource(generated({ seed: 1 })))) {
      if (item.kind === 'io') break;
    }
  });

  test('a source that answers with promises gives the same items', async () => {
    const bytes = generated({ seed: 5, pbs: 1024 });
    const inner = bytesSource(bytes);
    const slow: ByteSource = {
      name: 'slow',
      read: async (into) => inner.read(into),
      skip: async (count) => inner.skip(count),
    };
    const strip = (items: WlogItem[]) =>
      items.map((item) =>
        item.kind === 'io' ? item.record : item.kind === 'pack' ? item.header : item,
      );
    const fast = strip(await all(readWlog(bytesSource(bytes))));
    expect(strip(await all(readWlog(slow)))).toEqual(fast);
    async function* chunks() {
      for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
    }
    expect(strip(await all(readWlog(streamSource(chunks(), 's'), { data: 'skip' })))).toEqual(fast);
  });
});

describe('readWlogs', () => {
  const first = join(header(), discardPack(0n), endBlock());

  test('an end without end block ends the stream', async () => {
    const items = await all(readWlogs(bytesSource(join(first, header(1n), discardPack(1n)))));
    expect(items.filter((item) => item.kind === 'end').map((item) => item.reason)).toEqual([
      'end-block',
      'end-of-file',
    ]);
  });

  test('refuses another history and a gap (conflict)', async () => {
    const other = header(1n, new Uint8Array(16).fill(4));
    const gap = header(2n);
    for (const next of [other, gap]) {
      const run = all(readWlogs(bytesSource(join(first, next, endBlock()), 'two')));
      await expect(run).rejects.toThrow(withCode('conflict'));
      await expect(run).rejects.toThrow(`two: the wlog at byte ${first.length}`);
    }
  });

  test('a log that breaks off in the middle is an error, or the end if so asked', async () => {
    const broken = join(header(), discardPack(0n), discardPack(5n), endBlock());
    await expect(all(readWlogs(bytesSource(broken)))).rejects.toThrow(withCode('corrupt'));
    const items = await all(readWlogs(bytesSource(broken), { onBreak: 'stop' }));
    expect(items.at(-1)).toMatchObject({ kind: 'end', reason: 'unexpected-lsid' });
  });
});

describe('memory', () => {
  test('reading and generating 64 MiB keeps to the size of one IO', async () => {
    const options = { seed: 9, totalLb: 131072, maxIoLb: 256, allZeroShare: 1, deviceLb: 65536 };
    async function* pieces() {
      yield* generateWlog(options);
    }
    let peak = 0;
    let bytes = 0;
    for await (const item of readWlog(streamSource(pieces()))) {
      if (item.kind !== 'io') continue;
      bytes += item.stored.length;
      peak = Math.max(peak, item.stored.buffer.byteLength);
    }
    expect(bytes).toBeGreaterThan(30 * 1024 * 1024);
    expect(peak).toBeLessThanOrEqual(256 * 512);
  });
});

describe('WlogWriter', () => {
  const fields = { salt: SALT, pbs: 512, uuid: UUID, beginLsid: 0n, endLsid: 9n };
  const sink = { write: () => {} };

  test('refuses packs out of order, missing and surplus data', async () => {
    const writer = await WlogWriter.begin(sink, fields);
    await expect(writer.writeHeader(discardPack(1n))).rejects.toThrow(withCode('invalid-argument'));
    await writer.writePack(discardPack(0n), []);
    expect(writer.lsid).toBe(1n);
    await expect(writer.writeData(new Uint8Array(512))).rejects.toThrow(
      withCode('invalid-argument'),
    );
    const block = new Uint8Array(512);
    const record = { checksum: 0, flags: 1, offset: 0, blocks: 1, lsidLocal: 1 };
    encodePackHeader({ lsid: 1n, totalPb: 1, nPadding: 0, records: [record] }, block, SALT);
    await writer.writeHeader(block);
    await expect(writer.finish()).rejects.toThrow(withCode('invalid-argument'));
    await writer.writeData(new Uint8Array(512));
    expect(await writer.finish()).toBe(3n);
  });
});
