/** The demo's report: one line per step, printed as the step ends. */
import { type Bytes, formatSizeForHumans, type Millis } from '../core/index.ts';

const COLUMNS = [38, 9, 8, 11] as const;

/** Of every line of the report. */
const INDENT = 2;

export interface Step {
  readonly what: string;
  readonly bytes?: Bytes;
  readonly ms?: Millis;
  readonly note?: string;
}

export type Print = (line: string) => void;

export class Report {
  readonly #print: Print;
  readonly #columns: number;
  #differences = 0;
  #comparisons = 0;

  /** `columns` is the width of the terminal; without one, every step is one line. */
  constructor(print: Print, columns = Number.POSITIVE_INFINITY) {
    this.#print = print;
    this.#columns = columns;
  }

  get isGood(): boolean {
    return this.#differences === 0 && this.#comparisons > 0;
  }

  heading(text: string): void {
    this.#print('');
    this.#print(text);
  }

  line(text: string): void {
    this.#print(`  ${text}`);
  }

  step({ what, bytes, ms, note }: Step): void {
    const size = bytes === undefined ? '' : formatSizeForHumans(bytes);
    const time = ms === undefined ? '' : `${(ms / 1000).toFixed(2)} s`;
    const rate = bytes === undefined || ms === undefined ? '' : formatRate(bytes, ms);
    const [first, ...others] = COLUMNS;
    const cells = [size, time, rate].map((cell, i) => cell.padStart(others[i] as number));
    const figures = `${what.padEnd(first)}${cells.join('')}`;
    const line = `${figures}   ${note ?? ''}`.trimEnd();
    const fits = INDENT + line.length <= this.#columns;
    for (const part of fits ? [line] : [figures.trimEnd(), `  ${note}`]) this.line(part);
  }

  /** A restored snapshot against what was on the volume when it was taken. */
  compare(step: Step, wanted: string, found: string): void {
    this.#comparisons++;
    const isEqual = wanted === found;
    if (!isEqual) this.#differences++;
    const verdict = isEqual
      ? `sha256 ${shortHash(found)} equal`
      : `sha256 ${shortHash(found)} DIFFERS from ${shortHash(wanted)}`;
    this.step({
      ...step,
      note: [verdict, ...(step.note === undefined ? [] : [step.note])].join('; '),
    });
  }

  verdict(): string {
    if (this.isGood)
      return `${this.#comparisons} of ${this.#comparisons} restored snapshots are equal to what was on the volume.`;
    return `${this.#differences} of ${this.#comparisons} restored snapshots DIFFER from what was on the volume.`;
  }
}

export function shortHash(hex: string): string {
  return `${hex.slice(0, 8)}..`;
}

function formatRate(bytes: Bytes, ms: Millis): string {
  return `${(bytes / 1e6 / (ms / 1000)).toFixed(0)} MB/s`;
}
