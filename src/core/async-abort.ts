/**
 * AbortSignal plumbing shared by the asynchronous primitives. Only `onAbort` listens, and it stops
 * listening when the wait ends, so that one long-lived signal can serve millions of waits.
 */
import { WalbError } from './errors.ts';

/** What an aborted wait rejects with: the reason when it is a WalbError, otherwise `cancelled`. */
export function abortError(signal: AbortSignal, what = 'operation'): WalbError {
  if (signal.reason instanceof WalbError) return signal.reason;
  return new WalbError('cancelled', `${what} was cancelled`, { cause: signal.reason });
}

export function throwIfAborted(signal: AbortSignal | undefined, what?: string): void {
  if (signal?.aborted === true) throw abortError(signal, what);
}

/** Calls `fn` once when the signal aborts; the result stops listening. */
export function onAbort(signal: AbortSignal | undefined, fn: () => void): () => void {
  if (signal === undefined) return () => {};
  signal.addEventListener('abort', fn, { once: true });
  return () => signal.removeEventListener('abort', fn);
}
