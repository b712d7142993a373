/**
 * What goes wrong on a simulated disk: rules, tried in order at every call they name. Chance comes
 * from the seed, so that a fault happens again in a replay.
 */
import type { SimRandom } from './sim-random.ts';

export type FaultOperation = 'open' | 'read' | 'write' | 'sync' | 'sync-directory' | 'rename';

export interface FaultRule {
  readonly operation: FaultOperation;
  readonly code: 'EIO' | 'ENOSPC' | 'EMFILE' | 'EACCES';
  /** Only paths that match; all when omitted. */
  readonly path?: RegExp;
  /** Per call; always when omitted. */
  readonly probability?: number;
  /** The rule ends after so many faults; never when omitted. */
  readonly times?: number;
}

interface ActiveRule extends FaultRule {
  left: number;
}

export class DiskFaults {
  readonly #random: SimRandom;
  #rules: ActiveRule[] = [];
  #count = 0;

  constructor(random: SimRandom) {
    this.#random = random;
  }

  /** Faults so far: a test that wants faults checks that there were some. */
  get count(): number {
    return this.#count;
  }

  add(rule: FaultRule): void {
    this.#rules.push({ ...rule, left: rule.times ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#rules = [];
  }

  /** The system code this call fails with, if it does. */
  draw(operation: FaultOperation, path: string): FaultRule['code'] | undefined {
    for (const rule of this.#rules) {
      if (rule.left === 0 || rule.operation !== operation) continue;
      if (rule.path !== undefined && !rule.path.test(path)) continue;
      if (!this.#random.chance(rule.probability ?? 1)) continue;
      rule.left--;
      this.#count++;
      return rule.code;
    }
    return undefined;
  }

  check(operation: FaultOperation, path: string): void {
    const code = this.draw(operation, path);
    if (code !== undefined) throw systemError(code);
  }
}

/** An error as Node throws it for a failed system call. */
export function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code} (simulated)`), { code });
}
