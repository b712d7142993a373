/**
 * Scenarios of the diff benchmarks. Each runs in a process of its own, so that its peak memory and its
 * garbage are its own; the table compares all with the first.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIB } from '../src/core/index.ts';
import { RealFiles } from '../src/core/real-files.ts';
import {
  type CompressionKind,
  convertToIndexed,
  convertToSorted,
  type DiffFormat,
  logIosOf,
  writeChunks,
  writeParts,
} from '../src/wdiff/index.ts';
import { fileSource, type GenerateOptions, generateWlog, readWlogs } from '../src/wlog/index.ts';
import { peakMemoryMiB, printRows, startStopwatch } from './support.ts';

export const files = new RealFiles();

/** Does its work once and returns how many bytes of input that was. */
export type Scenario = (folder: string) => Promise<number>;

interface Result {
  readonly megabytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly startMiB: number;
}

/** V8 flags the launchers pass to the data programs (bin/launch.sh). */
const FLAGS = ['--external-memory-accounted-in-global-limit', '--initial-heap-size=256'];

/**
 * `node bench/X.ts [MIB]` prepares a folder and runs all scenarios; the same file with `--one` runs
 * one of them in the child.
 */
export async function runScenarios(
  program: string,
  prepare: (folder: string, bytes: number) => Promise<void>,
  scenarios: Readonly<Record<string, Scenario>>,
): Promise<void> {
  const [mode, name = '', folder = ''] = process.argv.slice(2);
  if (mode === '--one') {
    await runOne(scenarios[name]!, folder);
    return;
  }
  const bytes = Number(mode ?? 256) * MIB;
  const scratch = mkdtempSync(join(tmpdir(), 'walb-bench-'));
  try {
    await prepare(scratch, bytes);
    const results = Object.keys(scenarios).map((one) => {
      const words = [...FLAGS, program, '--one', one, scratch];
      const text = execFileSync(process.execPath, words, { encoding: 'utf8' });
      return [one, JSON.parse(text) as Result] as const;
    });
    print(results);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function runOne(scenario: Scenario, folder: string): Promise<void> {
  const startMiB = peakMemoryMiB();
  const watch = startStopwatch();
  const bytes = await scenario(folder);
  const result: Result = {
    megabytes: bytes / 1e6,
    ...watch.times(),
    startMiB,
    peakMiB: peakMemoryMiB(),
  };
  process.stdout.write(JSON.stringify(result));
}

function print(results: readonly (readonly [string, Result])[]): void {
  const [first, baseline] = results[0]!;
  const perGigabyte = (r: Result) => (r.cpuSeconds / r.megabytes) * 1000;
  printRows([
    ['scenario', 'MB/s', 'CPU-s/GB', `CPU / ${first}`, 'peak MiB', 'of them start'],
    ...results.map(([name, r]) => [
      name,
      (r.megabytes / r.seconds).toFixed(0),
      perGigabyte(r).toFixed(2),
      (perGigabyte(r) / perGigabyte(baseline)).toFixed(1),
      r.peakMiB.toFixed(0),
      r.startMiB.toFixed(0),
    ]),
  ]);
}

/** Half of the blocks noise, a tenth discards and zeros each, as a busy volume has. */
export function writeLog(
  path: string,
  bytes: number,
  options: Partial<GenerateOptions> & { readonly seed: number },
): void {
  const handle = files.open(path, 'replace');
  let at = 0;
  const log = generateWlog({ pbs: 4096, data: 'mixed', totalLb: bytes / 512, ...options });
  for (const piece of log) {
    handle.write(piece, at);
    at += piece.length;
  }
  handle.close();
}

/** Converts a log file to a diff file and returns the size of the log. */
export async function convertFile(
  log: string,
  output: string,
  format: DiffFormat,
  kind: CompressionKind,
): Promise<number> {
  const input = files.open(log, 'read');
  const out = files.open(output, 'replace');
  const ios = logIosOf(readWlogs(fileSource(input)));
  const options = {
    uuid: new Uint8Array(16),
    compression: { kind, level: 0 },
    buffers: 'reused',
  } as const;
  if (format === 'indexed') {
    await writeChunks(out, convertToIndexed(ios, options));
  } else {
    const scratch = () => files.open(`${output}.scratch`, 'replace');
    await writeParts(out, convertToSorted(ios, { ...options, scratch }));
  }
  const size = input.size();
  input.close();
  out.close();
  return size;
}
