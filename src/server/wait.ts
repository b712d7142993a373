/** Waiting for a fact of a volume, but not for ever. */
import { type Clock, hasCode, type Millis, type Notifier, WalbError } from '../core/index.ts';

/** How long a stop waits before it is given up (semantics.md B.7, C.5, F.1). */
export const STOP_TIMEOUT_MS: Millis = 60_000;

/** True as soon as `predicate` holds, false when it does not within `timeout`, or `signal` aborts first. */
export async function untilWithin(
  clock: Clock,
  changed: Notifier,
  predicate: () => boolean,
  timeout: Millis,
  signal?: AbortSignal,
): Promise<boolean> {
  const over = new AbortController();
  const until = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
  const cancel = clock.after(timeout, () =>
    over.abort(new WalbError('timeout', 'waited too long')),
  );
  try {
    await changed.until(predicate, until);
    return true;
  } catch (error) {
    if (hasCode(error, 'timeout', 'cancelled')) return false;
    throw error;
  } finally {
    cancel();
  }
}
