/**
 * Delays between retries, as a pure rule: the caller keeps the last delay and owns the timer.
 *
 * Source: semantics.md B.3 and C.4 (first minDelay, then doubling up to maxDelay).
 */
import { WalbError } from './errors.ts';
import type { Millis } from './units.ts';

export interface BackoffPolicy {
  readonly min: Millis;
  readonly max: Millis;
}

/** Throws `invalid-argument` unless 0 < min <= max. */
export function backoffPolicy(min: Millis, max: Millis): BackoffPolicy {
  if (!(min > 0 && max >= min && Number.isFinite(max))) {
    throw new WalbError(
      'invalid-argument',
      `bad retry delays: 0 < min ${min} <= max ${max} needed`,
      {
        details: { min, max },
      },
    );
  }
  return { min, max };
}

/** The delay after one more failure; `previous` is the one before, undefined after a success. */
export function nextDelay(policy: BackoffPolicy, previous: Millis | undefined): Millis {
  if (previous === undefined) return policy.min;
  return Math.min(policy.max, Math.max(policy.min, previous * 2));
}
