/** Ending a call from outside the loop that reads it. */
import { abortError, type BidiStream, onAbort } from '../core/index.ts';

/** Cancels the stream when the signal aborts, until disposed: whoever waits for its peer goes on at once. */
export function cancelWhen(
  signal: AbortSignal,
  stream: Pick<BidiStream<never, unknown>, 'cancel'>,
  what: string,
): Disposable {
  const cancel = (): void => stream.cancel(abortError(signal, what));
  if (signal.aborted) cancel();
  const stop = onAbort(signal, cancel);
  return { [Symbol.dispose]: stop };
}
