/**
 * Log to diff: `node bench/convert.ts [MIB]`. The baselines are a plain copy of the log, reading it with
 * its checksums, and the bare codec over its writes.
 */
import { join } from 'node:path';
import { type CompressionKind, compress, logIosOf } from '../src/wdiff/index.ts';
import { fileSource, readWlogs } from '../src/wlog/index.ts';
import { convertFile, files, runScenarios, type Scenario, writeLog } from './wdiff-support.ts';

const LARGE = 'io64k.wlog';
const SMALL = 'io4k.wlog';

async function copy(folder: string): Promise<number> {
  const from = files.open(join(folder, LARGE), 'read');
  const to = files.open(join(folder, 'copy'), 'replace');
  const buffer = new Uint8Array(1024 * 1024);
  let at = 0;
  for (let count = from.read(buffer, 0); count > 0; count = from.read(buffer, at)) {
    to.write(buffer.subarray(0, count), at);
    at += count;
  }
  return at;
}

const scan =
  (log: string, kind?: CompressionKind): Scenario =>
  async (folder) => {
    const input = files.open(join(folder, log), 'read');
    for await (const io of logIosOf(readWlogs(fileSource(input)))) {
      if (kind !== undefined && io.kind === 'normal') compress(kind, 0, io.data);
    }
    return input.size();
  };

const convert =
  (log: string, format: 'sorted' | 'indexed', kind: CompressionKind): Scenario =>
  (folder) =>
    convertFile(join(folder, log), join(folder, 'out.wdiff'), format, kind);

await runScenarios(
  import.meta.filename,
  async (folder, bytes) => {
    const deviceLb = (bytes * 4) / 512;
    writeLog(join(folder, LARGE), bytes, { seed: 1, deviceLb, minIoLb: 128, maxIoLb: 128 });
    writeLog(join(folder, SMALL), bytes / 4, { seed: 2, deviceLb, minIoLb: 8, maxIoLb: 8 });
  },
  {
    'copy the log': copy,
    'read, verify, zero test': scan(LARGE),
    'the same and bare snappy': scan(LARGE, 'snappy'),
    'to indexed, none': convert(LARGE, 'indexed', 'none'),
    'to indexed, snappy': convert(LARGE, 'indexed', 'snappy'),
    'to indexed, lz4': convert(LARGE, 'indexed', 'lz4'),
    'to indexed, zstd': convert(LARGE, 'indexed', 'zstd'),
    'to sorted, none': convert(LARGE, 'sorted', 'none'),
    'to sorted, snappy': convert(LARGE, 'sorted', 'snappy'),
    '4 KiB IOs: read, verify': scan(SMALL),
    '4 KiB IOs: to indexed, none': convert(SMALL, 'indexed', 'none'),
    '4 KiB IOs: to sorted, snappy': convert(SMALL, 'sorted', 'snappy'),
  },
);
