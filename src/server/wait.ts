/** Waiting for a fact of a volume, but not for ever. */
import { type Clock, hasCode, type Millis, type Notifier, WalbError } from '../core/index.ts';

/** How long a stop waits before it is given up (semantics.md B.7, C.5, F.1). */
export const STOP_TIMEOUT_MS: Millis = 60_000;

/** True as soon as `predicate` holds, false when it does not within `timeout`. */
export async function untilWithin(
  clock: Clock,
  changed: Notifier,
  predicate: () => boolean,
  timeout: Millis,
): Promise<boolean> {
  const over = new AbortController();
  const cancel = clock.after(timeout, () =>
    over.abort(new WalbError('timeout', 'waited too long')),
  );
  try {
    await changed.until(predicate, over.signal);
    return true;
  } catch (error) {
    if (hasCode(error, 'timeout', 'cancelled')) return false;
    throw error;
  } finally {
    cancel();
  }
}
