/**
 * What one connection's requests are answered with: success, refusals, failures of the backend (and
 * their log line), block status. READ data are put into the reply by the transmission itself.
 */
import { type Logger, type Millis, WalbError } from '../../core/index.ts';
import type { Agreement } from './handshake.ts';
import {
  Command,
  CommandFlag,
  errnoOf,
  type NbdErrno,
  NbdError,
  SIMPLE_REPLY_SIZE,
} from './protocol.ts';
import {
  allocationExtents,
  blockStatusSize,
  MAX_BARE_REPLY,
  putBlockStatus,
  putDone,
  putError,
  putSimpleReply,
} from './replies.ts';
import type { ReplyWriter } from './reply-writer.ts';
import type { Request } from './requests.ts';

/** Descriptors of one BLOCK_STATUS reply; the client asks again for the rest. */
const MAX_EXTENTS = 512;
/** A failing disk is one log line per connection and this long, not one per request. */
const LOG_INTERVAL: Millis = 10_000;

export interface AnswersOptions {
  readonly agreement: Agreement;
  readonly replies: ReplyWriter;
  readonly log: Logger;
  readonly monotonic: () => Millis;
}

export class Answers {
  readonly #agreement: Agreement;
  readonly #replies: ReplyWriter;
  readonly #log: Logger;
  readonly #monotonic: () => Millis;
  #isClosed = false;
  #lastLogged: { readonly key: string; readonly at: Millis } | undefined;
  #unlogged = 0;

  constructor(options: AnswersOptions) {
    this.#agreement = options.agreement;
    this.#replies = options.replies;
    this.#log = options.log;
    this.#monotonic = options.monotonic;
  }

  /** There is nobody to answer any more. */
  close(): void {
    this.#isClosed = true;
    this.#replies.release();
  }

  done(request: Request): void {
    if (this.#isClosed) return;
    this.#replies.reserve(MAX_BARE_REPLY);
    const { slab, at } = this.#replies;
    if (request.type === Command.READ) {
      this.#replies.commit(putDone(slab.view, at, request, this.#agreement.structured));
    } else {
      putSimpleReply(slab.view, at, request, 0);
      this.#replies.commit(SIMPLE_REPLY_SIZE);
    }
  }

  /** A request that was refused when it was parsed. */
  fault(request: Request, errno: NbdErrno): void {
    this.#putError(request, errno, FAULT_TEXTS[errno] ?? '');
  }

  /** A failure of the backend: EIO or what fits its code, and a log line. */
  error(request: Request, error: WalbError): void {
    if (this.#isClosed) return;
    const errno = errnoOf(error.code);
    this.#logFailure(request, error);
    this.#putError(request, errno, error.message);
  }

  #putError(request: Request, errno: NbdErrno, text: string): void {
    this.#replies.reserve(MAX_BARE_REPLY);
    const { slab, at } = this.#replies;
    const { structured } = this.#agreement;
    this.#replies.commit(putError(slab.bytes, slab.view, at, request, { errno, text, structured }));
  }

  blockStatus(request: Request): void {
    const { backend } = this.#agreement.export;
    try {
      const extents = allocationExtents(request.offset, request.length, {
        limit: (request.flags & CommandFlag.REQ_ONE) === 0 ? MAX_EXTENTS : 1,
        block: backend.blockSizes.minimum,
        nextData: backend.nextData?.bind(backend),
      });
      const size = blockStatusSize(extents);
      this.#replies.reserve(size);
      putBlockStatus(this.#replies.slab.view, this.#replies.at, request, extents);
      this.#replies.commit(size);
    } catch (thrown) {
      this.error(request, WalbError.from(thrown));
    }
  }

  #logFailure(request: Request, error: WalbError): void {
    const key = `${request.type}:${error.code}`;
    const now = this.#monotonic();
    if (this.#lastLogged?.key === key && now - this.#lastLogged.at < LOG_INTERVAL) {
      this.#unlogged++;
      return;
    }
    const { type, offset, length } = request;
    const fields = { err: error, command: COMMAND_NAMES[type], offset, length };
    this.#log.error({ ...fields, unlogged: this.#unlogged }, 'NBD request failed');
    this.#lastLogged = { key, at: now };
    this.#unlogged = 0;
  }
}

const COMMAND_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(Command).map(([name, type]) => [type, name]),
);

const FAULT_TEXTS: Readonly<Record<number, string>> = {
  [NbdError.EINVAL]: 'unknown command or flag, or a range that is misaligned or out of bounds',
  [NbdError.ENOSPC]: 'the range ends beyond the device',
  [NbdError.EPERM]: 'the export is read-only',
  [NbdError.ENOTSUP]: 'zeros can not be made quickly here',
  [NbdError.ESHUTDOWN]: 'the server is shutting down',
};
