/**
 * One gRPC call of either side as a RawStream: backpressure both ways over grpc-js's object streams.
 *
 * grpc-js buffers 16 messages per direction, which is 64 MiB of bulk messages; here at most
 * READ_AHEAD are read ahead of the reader, and at most SEND_WINDOW bytes plus one message wait to be
 * sent.
 */
import type { WalbError } from '../core/index.ts';
import { CallState, cancelled } from './call-state.ts';
import type { RawStream } from './channel.ts';
import { READ_AHEAD, SEND_WINDOW } from './limits.ts';

/** Serializer given to grpc-js: messages are bytes already. */
export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Deserializer: a plain array, because Buffer's `slice` shares memory where Uint8Array's copies. */
export function fromBuffer(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What is used of grpc-js's client and server streams. */
interface MessageStream {
  on(event: 'readable', listener: () => void): unknown;
  read(): unknown;
  write(message: Uint8Array, callback: () => void): unknown;
  end(): unknown;
}

export class GrpcStream implements RawStream {
  readonly #stream: MessageStream;
  readonly #onCancel: (error: WalbError) => void;
  readonly #state = new CallState();
  #unsent = 0;

  /** `onCancel` tells the other side. */
  constructor(stream: MessageStream, onCancel: (error: WalbError) => void) {
    this.#stream = stream;
    this.#onCancel = onCancel;
    limitReadAhead(stream);
    stream.on('readable', () => this.#state.wake());
  }

  /** The other side has sent its last message. */
  peerEnded(): void {
    this.#state.ended = true;
    this.#state.wake();
  }

  async send(message: Uint8Array): Promise<void> {
    this.#state.checkOpen();
    this.#unsent += message.length;
    this.#stream.write(message, () => {
      this.#unsent -= message.length;
      this.#state.wake();
    });
    while (this.#unsent > SEND_WINDOW) {
      await this.#state.changed();
      this.#state.checkOpen();
    }
  }

  async end(): Promise<void> {
    this.#state.checkOpen();
    this.#stream.end();
  }

  receive(): Promise<Uint8Array | undefined> {
    return this.#state.next(() => (this.#stream.read() as Uint8Array | null) ?? undefined);
  }

  cancel(reason?: Error): void {
    const error = cancelled(reason);
    if (this.#state.abandon(error)) this.#onCancel(error);
  }

  /** The call is over: `error` for the operations under way and all later ones. */
  fail(error: WalbError): void {
    this.#state.fail(error);
  }

  /** The call is over; received messages can still be read. */
  finish(): void {
    this.#state.ended = true;
    this.#state.finish();
  }
}

/** grpc-js creates its streams with the default of 16 objects; there is no option for it. */
function limitReadAhead(stream: MessageStream): void {
  const internals = stream as { _readableState?: { highWaterMark: number } };
  if (internals._readableState !== undefined) internals._readableState.highWaterMark = READ_AHEAD;
}
