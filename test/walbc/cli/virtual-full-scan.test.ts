/** `virt-full-scan` against archives that send what they must not: no file is left, and none is taken for whole. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LB_SIZE } from '../../../src/core/index.ts';
import {
  ArchiveRpc,
  CompressionKind,
  grpcNetwork,
  handle,
  type ScanEvent,
} from '../../../src/rpc/index.ts';
import { CommandContext } from '../../../src/walbc/cli/context.ts';
import { checksumOf, virtualFullScan } from '../../../src/walbc/cli/virtual-full-scan.ts';
import { ServerConnection } from '../../../src/walbc/connection.ts';

const SIZE_LB = 4;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'walb-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const begin = (sizeLb = SIZE_LB): ScanEvent => ({
  event: { $case: 'begin', value: { sizeLb, timestamp: 0 } },
});
const end: ScanEvent = { event: { $case: 'end', value: {} } };

function chunk(offsetLb: number, blocks = 1, change: { length?: number; sum?: number } = {}) {
  const data = new Uint8Array(change.length ?? blocks * LB_SIZE).fill(offsetLb + 1);
  const checksum = change.sum ?? checksumOf(data);
  const bulks = [{ blocks, compression: CompressionKind.NONE, checksum, data }];
  return { event: { $case: 'chunk', value: { offsetLb, bulks } } } satisfies ScanEvent;
}

/** Scans into a file from an archive that sends these events, and then perhaps nothing for ever. */
async function scan(events: readonly ScanEvent[], isSilent = false): Promise<Buffer> {
  const network = grpcNetwork();
  const serve = async function* (_: unknown, { signal }: { signal: AbortSignal }) {
    yield* events;
    const gone = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => gone.resolve());
    if (isSilent) await gone.promise;
  };
  const binding = handle(ArchiveRpc.virtualFullScan, serve);
  const listener = await network.listen(`unix:${directory}/socket`, [binding]);
  const target = { name: 'a0', address: listener.address };
  const options = { network, clientId: 'test', signal: () => undefined };
  const connection = new ServerConnection(target, options);
  const path = join(directory, 'image');
  const request = { volume: 'vol', gid: 1n, bulkBytes: 0, scanLb: 0, sleepPct: 0 };
  try {
    await virtualFullScan(new CommandContext({ connection, clientId: 'test' }), path, request, 300);
    return readFileSync(path);
  } finally {
    connection.close();
    listener.abort();
  }
}

it('takes a whole image', async () => {
  const image = await scan([begin(), chunk(0, 2), chunk(2, 2), end]);
  expect(image.length).toBe(SIZE_LB * LB_SIZE);
  expect([image[0], image.at(-1)]).toEqual([1, 3]);
});

it.each<[string, ScanEvent[], string]>([
  ['wrong order', [begin(), chunk(2, 2), chunk(0, 2), end], 'corrupt'],
  ['overlap', [begin(), chunk(0, 2), chunk(1, 3), end], 'corrupt'],
  ['a gap', [begin(), chunk(0, 1), chunk(2, 2), end], 'corrupt'],
  ['beyond the end', [begin(), chunk(0, 5), end], 'corrupt'],
  ['too much', [begin(), chunk(0, 4), chunk(4, 1), end], 'corrupt'],
  ['too little', [begin(), chunk(0, 3), end], 'corrupt'],
  ['data before the size', [chunk(0, 4), end], 'corrupt'],
  ['another size amid the image', [begin(), chunk(0, 2), begin(2), end], 'corrupt'],
  ['no blocks at all', [begin(0), end], 'corrupt'],
  ['empty bulks', [begin(), chunk(0, 0), end], 'corrupt'],
  ['bulks of another length', [begin(), chunk(0, 4, { length: LB_SIZE }), end], 'corrupt'],
  ['a wrong checksum', [begin(), chunk(0, 4, { sum: 1 }), end], 'corrupt'],
  ['an end without a beginning', [end], 'corrupt'],
  ['a stream that stops', [begin(), chunk(0, 4)], 'unavailable'],
])('refuses %s', async (_, events, code) => {
  await expect(scan(events)).rejects.toMatchObject({ code });
  expect(readdirSync(directory).filter((name) => name.startsWith('image'))).toEqual([]);
});

it('gives up an archive that falls silent', async () => {
  await expect(scan([begin(), chunk(0, 2)], true)).rejects.toMatchObject({
    code: expect.stringMatching(/timeout|cancelled/) as string,
    message: expect.stringContaining('the scan sent nothing for 0.3 s') as string,
  });
  expect(readdirSync(directory).filter((name) => name.startsWith('image'))).toEqual([]);
});
