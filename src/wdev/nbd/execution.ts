/**
 * Carries out batches: changes together, reads into the reply buffer, one flush for all FLUSHes. What
 * the backend answers later is replied to later, one by one.
 */
import { WalbError } from '../../core/index.ts';
import type { Answers } from './answers.ts';
import type { BlockBackend } from './backend.ts';
import type { Batch, PlannedRequest } from './batch.ts';
import type { Agreement } from './handshake.ts';
import type { Intake } from './intake.ts';
import { Command } from './protocol.ts';
import { putReadHeader, readHeaderSize } from './replies.ts';
import type { ReplyRegion, ReplyWriter } from './reply-writer.ts';

export interface ExecutionOptions {
  readonly agreement: Agreement;
  readonly intake: Intake;
  readonly replies: ReplyWriter;
  readonly answers: Answers;
  /** The last asynchronous call of a batch has ended. */
  readonly onFinished: (batch: Batch) => void;
}

export class Execution {
  readonly #backend: BlockBackend;
  readonly #agreement: Agreement;
  readonly #intake: Intake;
  readonly #replies: ReplyWriter;
  readonly #answers: Answers;
  readonly #onFinished: (batch: Batch) => void;
  #isClosed = false;

  constructor(options: ExecutionOptions) {
    this.#backend = options.agreement.export.backend;
    this.#agreement = options.agreement;
    this.#intake = options.intake;
    this.#replies = options.replies;
    this.#answers = options.answers;
    this.#onFinished = options.onFinished;
  }

  /** The connection is gone: calls of the backend that still run end unheard. */
  close(): void {
    this.#isClosed = true;
    this.#answers.close();
  }

  /** Starts everything in the batch; what is still running afterwards is counted in `pending`. */
  run(batch: Batch): void {
    if (batch.changes.length > 0) this.#submit(batch);
    let flush: PlannedRequest[] | undefined;
    for (let i = 0; i < batch.count; i++) {
      const request = batch.requests[i] as PlannedRequest;
      if (request.change >= 0) continue;
      if (request.fault !== undefined) this.#answers.fault(request, request.fault);
      else if (request.type === Command.FLUSH) (flush ??= []).push(request);
      else this.#serve(batch, request);
    }
    if (flush !== undefined) this.#flush(batch, flush);
  }

  #submit(batch: Batch): void {
    let running: undefined | Promise<void>;
    try {
      running = this.#backend.submit(batch.changes);
    } catch (thrown) {
      this.#replyChanges(batch, WalbError.from(thrown));
      return;
    }
    if (running === undefined) {
      this.#replyChanges(batch, undefined);
      return;
    }
    if (batch.usesChunk) batch.keep(this.#intake.chunk.hold());
    this.#await(batch, running, (error) => this.#replyChanges(batch, error));
  }

  #replyChanges(batch: Batch, error: WalbError | undefined): void {
    for (let i = 0; i < batch.count; i++) {
      const request = batch.requests[i] as PlannedRequest;
      if (request.change < 0) continue;
      const failed = error ?? batch.changes[request.change]?.error;
      if (failed === undefined) this.#answers.done(request);
      else this.#answers.error(request, failed);
    }
  }

  /** READ, CACHE, BLOCK_STATUS, and requests of no bytes at all. */
  #serve(batch: Batch, request: PlannedRequest): void {
    if (request.type === Command.BLOCK_STATUS) {
      this.#answers.blockStatus(request);
    } else if (request.type === Command.READ && request.length > 0) {
      this.#read(batch, request);
    } else {
      if (request.type === Command.CACHE) this.#backend.prefetch?.(request.offset, request.length);
      this.#answers.done(request);
    }
  }

  #read(batch: Batch, request: PlannedRequest): void {
    const replies = this.#replies;
    const head = readHeaderSize(this.#agreement.structured);
    const size = head + request.length;
    replies.reserve(size);
    const { slab, at } = replies;
    let running: undefined | Promise<void>;
    try {
      running = this.#backend.read(request.offset, slab.bytes.subarray(at + head, at + size));
    } catch (thrown) {
      this.#answers.error(request, WalbError.from(thrown));
      return;
    }
    putReadHeader(slab.view, at, request, this.#agreement.structured);
    if (running === undefined) {
      replies.commit(size);
      return;
    }
    const region = replies.detach(size);
    this.#await(batch, running, (error) => this.#finishRead(request, region, error));
  }

  #finishRead(request: PlannedRequest, region: ReplyRegion, error: WalbError | undefined): void {
    if (error === undefined && !this.#isClosed) {
      this.#replies.sendRegion(region);
      return;
    }
    this.#replies.dropRegion(region);
    if (error !== undefined) this.#answers.error(request, error);
  }

  /** One call serves every FLUSH of the batch. */
  #flush(batch: Batch, requests: readonly PlannedRequest[]): void {
    const finish = (error: WalbError | undefined): void => {
      for (const request of requests) {
        if (error === undefined) this.#answers.done(request);
        else this.#answers.error(request, error);
      }
    };
    try {
      const running = this.#backend.flush();
      if (running === undefined) finish(undefined);
      else this.#await(batch, running, finish);
    } catch (thrown) {
      finish(WalbError.from(thrown));
    }
  }

  /** Lets an asynchronous call of the backend end the requests of `batch` that wait for it. */
  #await(
    batch: Batch,
    running: Promise<void>,
    finish: (error: WalbError | undefined) => void,
  ): void {
    batch.pending++;
    const settle = (error: WalbError | undefined): void => {
      // After a loss of the connection there is nobody to answer, but buffers are still given back.
      finish(error);
      batch.pending--;
      if (batch.pending === 0) this.#onFinished(batch);
      if (!this.#isClosed) this.#replies.settle();
    };
    running.then(
      () => settle(undefined),
      (thrown: unknown) => settle(WalbError.from(thrown)),
    );
  }
}
