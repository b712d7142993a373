/**
 * One gRPC call of either side as a RawStream: backpressure both ways over grpc-js's object streams.
 *
 * grpc-js buffers 16 messages per direction, which is 64 MiB of bulk messages; here at most
 * READ_AHEAD are read ahead of the reader, and at most SEND_WINDOW bytes plus one message wait to be
 * sent.
 */
import { WalbError } from '../core/index.ts';
import type { RawStream } from './channel.ts';
import { READ_AHEAD, SEND_WINDOW } from './limits.ts';

/** Serializer and deserializer given to grpc-js: messages are bytes already. */
export const bytesToBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
export const sameBuffer = (bytes: Buffer): Uint8Array => bytes;

/** What is used of grpc-js's client and server streams. */
interface MessageStream {
  on(event: 'readable' | 'end', listener: () => void): unknown;
  read(): unknown;
  write(message: Uint8Array, callback: () => void): unknown;
  end(): unknown;
}

export class GrpcStream implements RawStream {
  readonly #stream: MessageStream;
  readonly #onCancel: (error: WalbError) => void;
  #failure: WalbError | undefined;
  /** The other side's last message is in the stream's buffer or was read. */
  #ended = false;
  /** The call is over and nothing can be sent any more. */
  #closed = false;
  #unsent = 0;
  #wakeReader: (() => void) | undefined;
  #wakeSender: (() => void) | undefined;

  constructor(stream: MessageStream, onCancel: (error: WalbError) => void) {
    this.#stream = stream;
    this.#onCancel = onCancel;
    limitReadAhead(stream);
    stream.on('readable', () => this.#wake());
    stream.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  async send(message: Uint8Array): Promise<void> {
    this.#checkOpen();
    this.#unsent += message.length;
    this.#stream.write(message, () => {
      this.#unsent -= message.length;
      this.#wake();
    });
    await this.#sent(SEND_WINDOW);
  }

  /** Waits until at most `limit` bytes are under way; one message alone never waits. */
  async #sent(limit: number): Promise<void> {
    while (this.#unsent > limit) {
      this.#checkOpen();
      await new Promise<void>((resolve) => (this.#wakeSender = resolve));
    }
    this.#checkOpen();
  }

  async end(): Promise<void> {
    this.#checkOpen();
    this.#stream.end();
  }

  async receive(): Promise<Uint8Array | undefined> {
    for (;;) {
      // What arrived before a failure is still delivered.
      const message = this.#stream.read() as Uint8Array | null;
      if (message !== null) return message;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
  }

  cancel(reason?: Error): void {
    if (this.#closed) return;
    const error = cancelled(reason);
    this.fail(error);
    this.#onCancel(error);
  }

  /** The call is over: `error` for the operations under way and all later ones. */
  fail(error: WalbError): void {
    if (this.#closed) return;
    this.#failure = error;
    this.finish();
  }

  /** The call is over and was successful; received messages can still be read. */
  finish(): void {
    this.#closed = true;
    this.#wake();
  }

  #checkOpen(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) {
      throw new WalbError('unavailable', 'the other side has ended the call; nothing can be sent');
    }
  }

  #wake(): void {
    this.#wakeReader?.();
    this.#wakeSender?.();
  }
}

/** The error of an operation stopped by a signal or `cancel`. */
export function cancelled(reason: unknown): WalbError {
  if (reason instanceof WalbError) return reason;
  return new WalbError('cancelled', 'the call was cancelled', { cause: reason });
}

/** grpc-js creates its streams with the default of 16 objects; there is no option for it. */
function limitReadAhead(stream: MessageStream): void {
  const internals = stream as unknown as { _readableState?: { highWaterMark: number } };
  if (internals._readableState !== undefined) internals._readableState.highWaterMark = READ_AHEAD;
}
