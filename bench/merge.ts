/**
 * Merge of six diffs, and reading the virtual image: `node bench/merge.ts [MIB per diff]`. The baseline
 * is a plain copy of the inputs.
 */
import { join } from 'node:path';
import {
  type CompressionKind,
  mergeFiles,
  sortedDiffParts,
  VirtualImage,
  verifyDiff,
  virtualScan,
  writeParts,
} from '../src/wdiff/index.ts';
import { convertFile, files, runScenarios, type Scenario, writeLog } from './wdiff-support.ts';

const COUNT = 6;
const NUMBERS = Array.from({ length: COUNT }, (_, i) => i);

function open(folder: string, format: string) {
  return NUMBERS.map((i) => files.open(join(folder, `${i}.${format}.wdiff`), 'read'));
}

const totalOf = (handles: readonly { size(): number }[]) =>
  handles.reduce((sum, handle) => sum + handle.size(), 0);

async function copy(folder: string): Promise<number> {
  const to = files.open(join(folder, 'copy'), 'replace');
  const buffer = new Uint8Array(1024 * 1024);
  let done = 0;
  for (const from of open(folder, 'sorted')) {
    for (let at = 0, count = 1; count > 0; at += count) {
      count = from.read(buffer, at);
      to.write(buffer.subarray(0, count), done);
      done += count;
    }
  }
  return done;
}

const merge =
  (format: string, kind: CompressionKind, recompress: 'reuse' | 'always' = 'reuse'): Scenario =>
  async (folder) => {
    const handles = open(folder, format);
    const parts = sortedDiffParts(mergeFiles(handles), {
      uuid: new Uint8Array(16),
      compression: { kind, level: 0 },
      packLimit: 'uncompressed',
      recompress,
      buffers: 'reused',
    });
    await writeParts(files.open(join(folder, 'merged.wdiff'), 'replace'), parts);
    return totalOf(handles);
  };

async function verify(folder: string): Promise<number> {
  const handles = open(folder, 'sorted');
  for (const handle of handles) await verifyDiff(handle);
  return totalOf(handles);
}

async function scan(folder: string): Promise<number> {
  const base = files.open(join(folder, 'base.img'), 'read');
  const handles = open(folder, 'sorted');
  let bytes = 0;
  for await (const { data } of virtualScan(base, mergeFiles(handles))) bytes += data.length;
  return bytes;
}

const randomReads =
  (format: string): Scenario =>
  async (folder) => {
    const base = files.open(join(folder, 'base.img'), 'read');
    const image = new VirtualImage(base, open(folder, format));
    const into = new Uint8Array(4096);
    const pages = image.size / 4096;
    let bytes = 0;
    let state = 1;
    for (let i = 0; i < 20_000; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      image.read((state % pages) * 4096, into);
      bytes += into.length;
    }
    return bytes;
  };

await runScenarios(
  import.meta.filename,
  async (folder, bytes) => {
    const size = bytes / 4;
    const deviceLb = bytes / 512;
    for (const i of NUMBERS) {
      const log = join(folder, 'log');
      writeLog(log, size, { seed: 10 + i, deviceLb, minIoLb: 8, maxIoLb: 256 });
      for (const format of ['sorted', 'indexed'] as const) {
        await convertFile(log, join(folder, `${i}.${format}.wdiff`), format, 'snappy');
      }
    }
    files.open(join(folder, 'base.img'), 'replace').truncate(bytes);
  },
  {
    'copy the diffs': copy,
    'merge to snappy, reuse': merge('sorted', 'snappy'),
    'merge to snappy, recompress': merge('sorted', 'snappy', 'always'),
    'merge to zstd': merge('sorted', 'zstd'),
    'merge indexed to snappy': merge('indexed', 'snappy'),
    verify,
    'virtual scan (MB of image)': scan,
    'virtual image, 4 KiB random': randomReads('sorted'),
    'the same, indexed diffs': randomReads('indexed'),
  },
);
