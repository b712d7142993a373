/**
 * Both directions of one call at once: when one fails, the other is ended and waited for, so that
 * nothing goes on with files that are being put away, and the first failure is what is reported.
 */
import { abortError, type BidiStream, onAbort } from '../core/index.ts';

/** Runs all with one signal, which aborts as soon as one of them fails. Throws the first failure. */
export async function together(
  parts: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController();
  let first: { readonly error: unknown } | undefined;
  const guarded = parts.map(async (part) => {
    try {
      await part(failed.signal);
    } catch (error) {
      first ??= { error };
      failed.abort(error);
    }
  });
  await Promise.all(guarded);
  if (first !== undefined) throw first.error;
}

/**
 * The same stream, whose pending and later calls reject when the signal aborts. The call itself goes
 * on, so that its caller still gets the error that ended the work.
 */
export function abortable<Out, In>(
  stream: BidiStream<Out, In>,
  signal: AbortSignal,
): Pick<BidiStream<Out, In>, 'send' | 'receive'> {
  return {
    send: (message) => orAborted(() => stream.send(message), signal),
    receive: () => orAborted(() => stream.receive(), signal),
  };
}

async function orAborted<T>(start: () => Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw abortError(signal);
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = onAbort(signal, () => reject(abortError(signal)));
  try {
    return await Promise.race([start(), promise]);
  } finally {
    stop();
  }
}
