/** Giving up a peer that stays connected but does nothing. */
import { type BidiStream, type Clock, type Millis, WalbError } from '../core/index.ts';

/**
 * A peer that answers pings but does nothing else is given up after this. Long enough for the sync of
 * any image, short enough that an operator who looks in the morning finds the error.
 */
const STALL_TIMEOUT_MS: Millis = 15 * 60_000;

/** The same stream; an operation that takes longer than `limit` ends the call. `peer`: of messages. */
export function withStallLimit<Out, In>(
  stream: BidiStream<Out, In>,
  clock: Clock,
  peer: string,
  limit: Millis = STALL_TIMEOUT_MS,
): BidiStream<Out, In> {
  const bounded = async <T>(start: () => Promise<T>, what: string): Promise<T> => {
    const stop = clock.after(limit, () =>
      stream.cancel(new WalbError('timeout', `${peer} let ${what} wait for ${limit / 1000} s`)),
    );
    try {
      return await start();
    } finally {
      stop();
    }
  };
  return {
    send: (message) => bounded(() => stream.send(message), 'a message'),
    receive: () => bounded(() => stream.receive(), 'an answer'),
    end: () => stream.end(),
    cancel: (reason) => stream.cancel(reason),
  };
}
