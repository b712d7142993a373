/** What both sides of a replication share: how its messages travel, and what they are cut into. */
import type { BidiStream, Clock, Millis } from '../core/index.ts';
import { throwIfAborted, WalbError } from '../core/index.ts';
import type { ByteChunk, ReplicationUp } from '../rpc/index.ts';
import { unexpectedMessage } from '../server/expect-message.ts';

/**
 * A peer that answers pings but does nothing else is given up after this. Long enough for the sync of
 * any image, short enough that an operator who looks in the morning finds the error.
 */
const STALL_TIMEOUT_MS: Millis = 15 * 60_000;

/** The same stream; an operation that takes longer than `limit` ends the call. */
export function withStallLimit<Out, In>(
  stream: BidiStream<Out, In>,
  clock: Clock,
  limit: Millis = STALL_TIMEOUT_MS,
): BidiStream<Out, In> {
  const bounded = async <T>(start: () => Promise<T>, what: string): Promise<T> => {
    const stop = clock.after(limit, () =>
      stream.cancel(
        new WalbError('timeout', `the other archive let ${what} wait for ${limit / 1000} s`),
      ),
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

interface Receiving {
  receive(): Promise<ReplicationUp | undefined>;
}

/** The packs of one transfer, up to `data_end`. */
export async function* packsOf(
  stream: Receiving,
  options: { readonly signal: AbortSignal; readonly onProgress: (doneLb: number) => void },
): AsyncGenerator<ByteChunk> {
  for (;;) {
    throwIfAborted(options.signal, 'replication');
    const message = (await stream.receive())?.message;
    if (message === undefined) throw new WalbError('unavailable', 'the other archive went away');
    if (message.$case === 'packs') yield message.value;
    else if (message.$case === 'progress') options.onProgress(message.value.doneLb);
    else if (message.$case === 'dataEnd') return;
    else throw unexpectedMessage(message.$case, 'packs, progress or data_end');
  }
}
