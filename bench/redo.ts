/**
 * A diff onto an image: `node bench/redo.ts [MIB]`. The baseline writes the same amount to the image, as
 * dd would. Amounts are bytes of decompressed data.
 */
import { join } from 'node:path';
import { type CompressionKind, openDiff, redo } from '../src/wdiff/index.ts';
import { convertFile, files, runScenarios, type Scenario, writeLog } from './wdiff-support.ts';

const DIFFS: readonly (readonly ['sorted' | 'indexed', CompressionKind])[] = [
  ['sorted', 'none'],
  ['sorted', 'snappy'],
  ['sorted', 'lz4'],
  ['sorted', 'zstd'],
  ['indexed', 'snappy'],
];

async function plainWrites(folder: string): Promise<number> {
  const image = files.open(join(folder, 'image'), 'update');
  const buffer = new Uint8Array(64 * 1024).fill(1);
  let done = 0;
  for (let at = 0; at < image.size() / 4; at += buffer.length) {
    image.write(buffer, at);
    done += buffer.length;
  }
  return done;
}

const apply =
  (format: string, kind: string): Scenario =>
  async (folder) => {
    const image = files.open(join(folder, 'image'), 'update');
    const diff = openDiff(files.open(join(folder, `${format}.${kind}.wdiff`), 'read'));
    return (await redo(diff.batches(), image, { discard: 'zero' })).written;
  };

const scenarios: Record<string, Scenario> = { 'plain 64 KiB writes': plainWrites };
for (const [format, kind] of DIFFS) scenarios[`redo ${format}, ${kind}`] = apply(format, kind);

await runScenarios(
  import.meta.filename,
  async (folder, bytes) => {
    const log = join(folder, 'log');
    writeLog(log, bytes, { seed: 5, deviceLb: (bytes * 4) / 512, minIoLb: 8, maxIoLb: 256 });
    for (const [format, kind] of DIFFS) {
      await convertFile(log, join(folder, `${format}.${kind}.wdiff`), format, kind);
    }
    const image = files.open(join(folder, 'image'), 'replace');
    image.truncate(bytes * 4);
    image.close();
  },
  scenarios,
);
