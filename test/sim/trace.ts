/**
 * What happened in a world, as one line per call and event. All lines go into a hash, which proves
 * that two runs were the same; the last ones are kept to be shown when a run fails.
 */
import { createHash } from 'node:crypto';
import type { Micros } from './schedule.ts';

/** Lines kept for a report. */
const KEPT_LINES = 60;

export class Trace {
  readonly #hash = createHash('sha256');
  readonly #last: string[] = [];
  readonly #print: ((line: string) => void) | undefined;
  #lines = 0;

  /** `print` sees every line; for `npm run sim -- --trace`. */
  constructor(print?: (line: string) => void) {
    this.#print = print;
  }

  get lines(): number {
    return this.#lines;
  }

  add(now: Micros, who: string, what: string): void {
    const line = `${formatTime(now)} ${who} ${what}`;
    this.#lines++;
    this.#hash.update(line).update('\n');
    this.#print?.(line);
    this.#last.push(line);
    if (this.#last.length > 2 * KEPT_LINES) this.#last.splice(0, KEPT_LINES);
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  tail(): string {
    return this.#last.slice(-KEPT_LINES).join('\n');
  }
}

function formatTime(now: Micros): string {
  return `${(now / 1_000_000).toFixed(6).padStart(12)}`;
}
