/** The packs of a replication as they arrive. */
import { type Lb, throwIfAborted, WalbError } from '../core/index.ts';
import type { ByteChunk, ReplicationUp } from '../rpc/index.ts';
import { unexpectedMessage } from '../server/expect-message.ts';
import { progressCheck } from '../server/image-compare.ts';

interface Receiving {
  receive(): Promise<ReplicationUp | undefined>;
}

/** The packs of one transfer, up to `data_end`. */
export async function* packsOf(
  stream: Receiving,
  options: {
    readonly signal: AbortSignal;
    /** Of the image. */
    readonly sizeLb: Lb;
    readonly onProgress: (doneLb: Lb) => void;
  },
): AsyncGenerator<ByteChunk> {
  const checked = progressCheck(options.sizeLb);
  for (;;) {
    throwIfAborted(options.signal, 'replication');
    const message = (await stream.receive())?.message;
    if (message === undefined) throw new WalbError('unavailable', 'the other archive went away');
    if (message.$case === 'packs') yield message.value;
    else if (message.$case === 'progress') options.onProgress(checked(message.value.doneLb));
    else if (message.$case === 'dataEnd') return;
    else throw unexpectedMessage(message.$case, 'packs, progress or data_end');
  }
}
