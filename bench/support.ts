/**
 * What every benchmark needs: measure some work, compare with a baseline of the same run, print a table.
 *
 * ```ts
 * const base = measure('memcpy', MIB, () => target.set(source));
 * const ours = measure('checksum', MIB, () => checksum(source, 0));
 * printTable('1 MiB', [base, ours], base);
 * ```
 *
 * Machines are shared and noisy: trust the ratio to the baseline and the work per CPU-second, not the
 * absolute figures.
 */

/** Result of one measurement. */
export interface Sample {
  readonly name: string;
  /** Bytes (or operations, when `unit` says so) of work done. */
  readonly amount: number;
  readonly unit: 'MB' | 'op';
  readonly seconds: number;
  /** User and system time of the whole process, all threads. */
  readonly cpuSeconds: number;
  readonly note?: string;
}

export interface MeasureOptions {
  /** How long to repeat the work; default 0.3 s. */
  readonly seconds?: number;
  readonly unit?: 'MB' | 'op';
  readonly note?: string;
}

const DEFAULT_SECONDS = 0.3;
const MICROS = 1e6;

/** Repeats `work`, which does `amount` bytes (or operations) each time, after one unmeasured round. */
export function measure(
  name: string,
  amount: number,
  work: () => unknown,
  options: MeasureOptions = {},
): Sample {
  const stop = startStopwatch();
  warmUp(work, options);
  let rounds = 0;
  stop.restart();
  do {
    work();
    rounds++;
  } while (stop.seconds() < (options.seconds ?? DEFAULT_SECONDS));
  return {
    name,
    amount: amount * rounds,
    unit: options.unit ?? 'MB',
    ...stop.times(),
    ...noteOf(options),
  };
}

/** The same for work that has to be awaited. */
export async function measureAsync(
  name: string,
  amount: number,
  work: () => Promise<unknown>,
  options: MeasureOptions = {},
): Promise<Sample> {
  const stop = startStopwatch();
  await work();
  let rounds = 0;
  stop.restart();
  do {
    await work();
    rounds++;
  } while (stop.seconds() < (options.seconds ?? DEFAULT_SECONDS));
  return {
    name,
    amount: amount * rounds,
    unit: options.unit ?? 'MB',
    ...stop.times(),
    ...noteOf(options),
  };
}

/** Work per second of time. */
export function rate(sample: Sample): number {
  return scaled(sample) / sample.seconds;
}

/** Work per second of CPU. */
export function cpuRate(sample: Sample): number {
  return scaled(sample) / sample.cpuSeconds;
}

/** Highest resident memory of this process so far, in MiB. */
export function peakMemoryMiB(): number {
  return process.resourceUsage().maxRSS / 1024;
}

/** Prints one line per sample; `baseline` is what the last column compares with. */
export function printTable(title: string, samples: readonly Sample[], baseline?: Sample): void {
  const unit = samples[0]?.unit ?? 'MB';
  const header = [title, `${unit}/s`, `${unit}/CPU-s`, baseline ? `x ${baseline.name}` : '', ''];
  const rows = samples.map((sample) => [
    sample.name,
    rate(sample).toFixed(0),
    cpuRate(sample).toFixed(0),
    baseline === undefined ? '' : (cpuRate(sample) / cpuRate(baseline)).toFixed(2),
    sample.note ?? '',
  ]);
  printRows([header, ...rows]);
}

/** Prints rows in columns as wide as needed: the first to the left, figures to the right. */
export function printRows(rows: readonly (readonly string[])[]): void {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of rows) {
    const last = row.length - 1;
    const cells = row.map((cell, column) =>
      column === 0 || (column === last && column > 3)
        ? cell.padEnd(widths[column]!)
        : cell.padStart(widths[column]!),
    );
    console.log(cells.join('  ').trimEnd());
  }
  console.log();
}

/** What a data path of volumes carries: every second block is noise, the others are text-like records. */
export function halfRandom(length: number, blockSize = 4096): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = 0x9e3779b9;
  for (let at = 0; at < length; at++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[at] = (at / blockSize) & 1 ? x & 0xff : 97 + ((at >>> 3) % 17) + (x & 1);
  }
  return bytes;
}

function scaled(sample: Sample): number {
  return sample.unit === 'MB' ? sample.amount / 1e6 : sample.amount;
}

function noteOf({ note }: MeasureOptions): { note?: string } {
  return note === undefined ? {} : { note };
}

/** Runs until the compiler has had its say: a tenth of the measured time. */
function warmUp(work: () => unknown, options: MeasureOptions): void {
  const stop = startStopwatch();
  do work();
  while (stop.seconds() < (options.seconds ?? DEFAULT_SECONDS) / 10);
}

/** Wall and CPU time since the last `restart`; for benchmarks that do not fit `measure`. */
export function startStopwatch() {
  let began = performance.now();
  let cpu = process.cpuUsage();
  return {
    restart(): void {
      began = performance.now();
      cpu = process.cpuUsage();
    },
    seconds(): number {
      return (performance.now() - began) / 1000;
    },
    times(): { seconds: number; cpuSeconds: number } {
      const seconds = (performance.now() - began) / 1000;
      const { user, system } = process.cpuUsage(cpu);
      return { seconds, cpuSeconds: (user + system) / MICROS };
    },
  };
}
