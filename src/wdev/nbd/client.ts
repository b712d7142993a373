/**
 * An NBD client: pipelined requests over one connection, with a bound on what is under way.
 *
 *     await using client = await connectNbd({ kind: 'unix', path: '/run/vol.sock' });
 *     await client.read(0, into);
 */
import { type Bytes, corrupt, KIB, MIB, WalbError } from '../../core/index.ts';
import type { BlockSizes } from './backend.ts';
import type { ExportFacts } from './client-handshake.ts';
import { Command, CommandFlag, REQUEST_SIZE, TransmissionFlag } from './protocol.ts';
import type { Extent } from './replies.ts';
import { type ExpectedReply, ReplyDecoder } from './reply-decoder.ts';
import { encodeRequest, type Request } from './requests.ts';
import type { Transport } from './transport.ts';

/** Longer reads and writes are cut: several pieces are under way while one is being served. */
const PIECE: Bytes = 2 * MIB;
/** Bounds of what is under way on one connection. */
const MAX_BYTES: Bytes = 16 * MIB;
const MAX_REQUESTS = 256;
/** Up to this length a payload is copied behind its header, to leave in one system call. */
const JOINED: Bytes = 64 * KIB;
/** Longest range of one TRIM, WRITE_ZEROES or BLOCK_STATUS: lengths are 32 bits wide. */
const MAX_RANGE: Bytes = 2 ** 31;

interface Waiting extends ExpectedReply {
  readonly cost: Bytes;
  readonly resolve: (reply: ExpectedReply) => void;
  readonly reject: (error: WalbError) => void;
}

export interface ChangeOptions {
  /** On stable storage before the promise resolves. */
  readonly fua?: boolean;
}

export interface ZeroOptions extends ChangeOptions {
  /** Keep the range allocated. */
  readonly noHole?: boolean;
  /** Fail with `unsupported` rather than write zeros one by one. */
  readonly fast?: boolean;
}

export class NbdClient implements AsyncDisposable {
  readonly #transport: Transport;
  readonly #facts: ExportFacts;
  readonly #waiting = new Map<number, Waiting>();
  readonly #decoder: ReplyDecoder;
  readonly #queue: (() => void)[] = [];
  readonly #ended = Promise.withResolvers<void>();
  #nextCookie = 1;
  #bytes = 0;
  /** Requests that were asked for and have not ended, queued ones included. */
  #running = 0;
  #isClosing = false;
  #failure: WalbError | undefined;

  constructor(transport: Transport, facts: ExportFacts) {
    this.#transport = transport;
    this.#facts = facts;
    this.#decoder = new ReplyDecoder({
      find: (cookie) => this.#waiting.get(cookie),
      finished: (reply) => this.#finished(reply),
    });
  }

  get size(): Bytes {
    return this.#facts.size;
  }

  get readOnly(): boolean {
    return this.#can(TransmissionFlag.READ_ONLY);
  }

  get blockSizes(): BlockSizes {
    return this.#facts.blockSizes;
  }

  /** `TransmissionFlag`s of the export. */
  get flags(): number {
    return this.#facts.flags;
  }

  /** Fills `into`, of any length in whole blocks, from `offset` on. */
  async read(offset: Bytes, into: Uint8Array): Promise<void> {
    const pieces = this.#cut(offset, into.length, this.#pieceSize);
    await all(
      pieces.map(([at, length]) => {
        const part = into.subarray(at - offset, at - offset + length);
        return this.#request(Command.READ, at, length, { into: part });
      }),
    );
  }

  /** Writes all of `from`, which must not change until this resolves. */
  async write(offset: Bytes, from: Uint8Array, options: ChangeOptions = {}): Promise<void> {
    const pieces = this.#cut(offset, from.length, this.#pieceSize);
    const flags = options.fua === true ? CommandFlag.FUA : 0;
    await all(
      pieces.map(([at, length]) => {
        const data = from.subarray(at - offset, at - offset + length);
        return this.#request(Command.WRITE, at, length, { flags, data });
      }),
    );
  }

  /** What was acknowledged before is on stable storage when it resolves. */
  async flush(): Promise<void> {
    if (this.#can(TransmissionFlag.SEND_FLUSH)) await this.#request(Command.FLUSH, 0, 0, {});
  }

  /** The content of the range is no longer needed. */
  async trim(offset: Bytes, length: Bytes, options: ChangeOptions = {}): Promise<void> {
    this.#require(TransmissionFlag.SEND_TRIM, 'TRIM');
    const flags = options.fua === true ? CommandFlag.FUA : 0;
    await this.#ranges(Command.TRIM, offset, length, flags);
  }

  async writeZeroes(offset: Bytes, length: Bytes, options: ZeroOptions = {}): Promise<void> {
    this.#require(TransmissionFlag.SEND_WRITE_ZEROES, 'WRITE_ZEROES');
    if (options.fast === true) this.#require(TransmissionFlag.SEND_FAST_ZERO, 'fast zeroing');
    const flags =
      (options.fua === true ? CommandFlag.FUA : 0) |
      (options.noHole === true ? CommandFlag.NO_HOLE : 0) |
      (options.fast === true ? CommandFlag.FAST_ZERO : 0);
    await this.#ranges(Command.WRITE_ZEROES, offset, length, flags);
  }

  /** `base:allocation` from `offset` on; may cover less than `length`, never nothing. */
  async blockStatus(offset: Bytes, length: Bytes): Promise<readonly Extent[]> {
    if (!this.#facts.allocation) {
      throw new WalbError('unsupported', 'the NBD server does not report base:allocation');
    }
    const asked = Math.min(length, MAX_RANGE);
    const { extents } = await this.#request(Command.BLOCK_STATUS, offset, asked, {});
    if (extents.length === 0 || extents.some((extent) => extent.length === 0)) {
      throw corrupt('NBD server: block status without extents', { offset, length });
    }
    return extents;
  }

  /** Waits for what is under way, says goodbye, closes. */
  async close(): Promise<void> {
    this.#isClosing = true;
    while (this.#running > 0) await new Promise<void>((resolve) => this.#queue.push(resolve));
    if (this.#failure === undefined) {
      this.#fail(closedError());
      const goodbye = encodeAlone({ ...NO_REQUEST, type: Command.DISCONNECT });
      this.#transport.write(goodbye, () => this.#transport.end());
    }
    await this.#ended.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Breaks the connection; everything under way fails with `error`. */
  abort(error: WalbError): void {
    this.#fail(error);
    this.#transport.destroy();
  }

  // What the socket calls

  space(): Uint8Array {
    return this.#decoder.space();
  }

  received(count: Bytes): void {
    if (this.#failure !== undefined) return;
    try {
      this.#decoder.received(count);
    } catch (thrown) {
      this.abort(WalbError.from(thrown));
    }
  }

  closed(error: Error | undefined): void {
    const because = error === undefined ? '' : `: ${error.message}`;
    const message = `connection to the NBD server ${this.#transport.peer} was lost${because}`;
    this.#fail(new WalbError('unavailable', message, { cause: error }));
    this.#ended.resolve();
  }

  // Requests

  get #pieceSize(): Bytes {
    const { minimum, maximum } = this.#facts.blockSizes;
    const size = Math.min(PIECE, maximum);
    return size - (size % minimum);
  }

  async #ranges(type: number, offset: Bytes, length: Bytes, flags: number): Promise<void> {
    const pieces = this.#cut(offset, length, MAX_RANGE);
    await all(pieces.map(([at, part]) => this.#request(type, at, part, { flags })));
  }

  #cut(offset: Bytes, length: Bytes, piece: Bytes): [offset: Bytes, length: Bytes][] {
    const { minimum } = this.#facts.blockSizes;
    const aligned = offset % minimum === 0 && length % minimum === 0;
    if (!aligned || offset < 0 || offset + length > this.size) {
      throw new WalbError(
        'invalid-argument',
        `NBD: ${length} bytes at ${offset} are not whole blocks of ${minimum} within ${this.size}`,
        { details: { offset, length, size: this.size, minimum } },
      );
    }
    const pieces: [Bytes, Bytes][] = [];
    for (let done = 0; done < length; done += piece) {
      pieces.push([offset + done, Math.min(piece, length - done)]);
    }
    return pieces;
  }

  async #request(type: number, offset: Bytes, length: Bytes, body: Body): Promise<ExpectedReply> {
    if (this.#isClosing) throw this.#failure ?? closedError();
    const cost = body.into?.length ?? body.data?.length ?? 0;
    this.#running++;
    try {
      // First come, first served, until the request fits beside what is under way.
      while (this.#failure === undefined && !this.#fits(cost)) {
        await new Promise<void>((resolve) => this.#queue.push(resolve));
      }
      if (this.#failure !== undefined) throw this.#failure;
      return await this.#start(type, offset, length, body, cost);
    } finally {
      this.#running--;
      this.#wake();
    }
  }

  #start(
    type: number,
    offset: Bytes,
    length: Bytes,
    body: Body,
    cost: Bytes,
  ): Promise<ExpectedReply> {
    const cookie = this.#freshCookie();
    const { promise, resolve, reject } = Promise.withResolvers<ExpectedReply>();
    const what = `${COMMAND_NAMES[type]} of ${length} bytes at ${offset}`;
    const { into, flags = 0 } = body;
    const state = { filled: 0, extents: [], error: undefined };
    this.#waiting.set(cookie, { cookie, what, offset, into, ...state, cost, resolve, reject });
    this.#bytes += cost;
    this.#send({ flags, type, cookieHigh: 0, cookieLow: cookie, offset, length }, body.data);
    return promise;
  }

  #send(request: Request, data: Uint8Array | undefined): void {
    if (data !== undefined && data.length > JOINED) {
      this.#transport.write(encodeAlone(request), () => {});
      this.#transport.write(data, () => {});
    } else {
      this.#transport.write(encodeAlone(request, data), () => {});
    }
  }

  #fits(cost: Bytes): boolean {
    if (this.#waiting.size === 0) return true;
    return this.#waiting.size < MAX_REQUESTS && this.#bytes + cost <= MAX_BYTES;
  }

  /** Cookies go round after 2^32 requests; one that is still under way is not given twice. */
  #freshCookie(): number {
    while (this.#waiting.has(this.#nextCookie)) this.#nextCookie = (this.#nextCookie + 1) >>> 0;
    const cookie = this.#nextCookie;
    this.#nextCookie = (cookie + 1) >>> 0;
    return cookie;
  }

  #finished(reply: ExpectedReply): void {
    const waiting = this.#waiting.get(reply.cookie);
    if (waiting === undefined) return;
    this.#forget(waiting);
    const isShort = reply.into !== undefined && reply.filled !== reply.into.length;
    const error =
      reply.error ??
      (isShort ? corrupt(`NBD server: ${reply.what} answered in part`, {}) : undefined);
    if (error === undefined) waiting.resolve(reply);
    else waiting.reject(error);
  }

  #forget(waiting: Waiting): void {
    this.#waiting.delete(waiting.cookie);
    this.#bytes -= waiting.cost;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#queue.splice(0)) wake();
  }

  #fail(error: WalbError): void {
    this.#failure ??= error;
    for (const waiting of [...this.#waiting.values()]) {
      this.#forget(waiting);
      waiting.reject(this.#failure);
    }
    this.#wake();
  }

  #can(flag: number): boolean {
    return (this.#facts.flags & flag) !== 0;
  }

  #require(flag: number, what: string): void {
    if (!this.#can(flag)) throw new WalbError('unsupported', `the NBD server does not do ${what}`);
  }
}

interface Body {
  readonly flags?: number;
  readonly into?: Uint8Array;
  readonly data?: Uint8Array;
}

function closedError(): WalbError {
  return new WalbError('wrong-state', 'this NBD connection is closed');
}

const NO_REQUEST: Request = {
  flags: 0,
  type: 0,
  cookieHigh: 0,
  cookieLow: 0,
  offset: 0,
  length: 0,
};

const COMMAND_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(Command).map(([name, type]) => [type, name]),
);

function encodeAlone(request: Request, data?: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(REQUEST_SIZE + (data?.length ?? 0));
  encodeRequest(new DataView(bytes.buffer, bytes.byteOffset, REQUEST_SIZE), 0, request);
  if (data !== undefined) bytes.set(data, REQUEST_SIZE);
  return bytes;
}

/** Waits for every piece before it throws: none may still write into the caller's buffer. */
async function all(pieces: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(pieces);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
