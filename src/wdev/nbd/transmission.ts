/**
 * The transmission phase of one connection: requests in, replies out.
 *
 * What one delivery of the socket brought is one batch: its changes go to the backend together, its
 * replies leave in one write. A backend that answers synchronously is served without a promise per
 * request. Memory is bounded: when too much is under way, parsing stops and the socket is paused.
 *
 * Source: NBD `doc/proto.md`, "Transmission" (ordering: a FLUSH covers the writes answered before it
 * was sent; requests may be answered in any order).
 */
import { type Bytes, type Logger, MIB, type Millis } from '../../core/index.ts';
import { Answers } from './answers.ts';
import type { BlockBackend } from './backend.ts';
import { Batch } from './batch.ts';
import { Execution } from './execution.ts';
import type { Agreement } from './handshake.ts';
import { type Intake, LARGE_PAYLOAD } from './intake.ts';
import { Command, type NbdErrno, NbdError, REQUEST_SIZE } from './protocol.ts';
import { ReplyWriter } from './reply-writer.ts';
import {
  decodeRequest,
  emptyRequest,
  faultOf,
  MAX_SKIPPED_PAYLOAD,
  type Request,
  type RequestRules,
} from './requests.ts';
import type { SlabPool } from './slabs.ts';
import type { Transport } from './transport.ts';

/** Buffers one connection may hold before it is paused: the largest READ and WRITE at once. */
const MAX_IN_FLIGHT_BYTES: Bytes = 72 * MIB;
/** Requests of one connection under way; fio and QEMU stay below 256. */
const MAX_IN_FLIGHT_REQUESTS = 4096;

export interface TransmissionOptions {
  readonly agreement: Agreement;
  readonly transport: Transport;
  readonly intake: Intake;
  readonly pool: SlabPool;
  readonly log: Logger;
  readonly monotonic: () => Millis;
}

/** Why parsing stopped. */
type Stop = 'hungry' | 'full' | 'ended';

export class Transmission {
  readonly #backend: BlockBackend;
  readonly #transport: Transport;
  readonly #intake: Intake;
  readonly #pool: SlabPool;
  readonly #log: Logger;
  readonly #replies: ReplyWriter;
  readonly #execution: Execution;
  readonly #spareBatches: Batch[] = [];
  readonly #header = emptyRequest();
  /** Header of the WRITE whose payload is being received into a buffer of its own. */
  readonly #largeHeader = emptyRequest();
  readonly #rules: RequestRules;
  #skip: Bytes = 0;
  /** Accepted requests whose reply has not gone out. */
  #inFlight = 0;
  /** Reply bytes the batch being parsed will need. */
  #planned: Bytes = 0;
  #paused = false;
  #pumping = false;
  /** serving → refusing (new requests get ESHUTDOWN) or draining (none are read) → closed. */
  #phase: 'serving' | 'refusing' | 'draining' | 'closed' = 'serving';

  constructor(options: TransmissionOptions) {
    this.#backend = options.agreement.export.backend;
    this.#transport = options.transport;
    this.#intake = options.intake;
    this.#pool = options.pool;
    this.#log = options.log;
    this.#rules = {
      size: this.#backend.size,
      readOnly: this.#backend.readOnly,
      minimumBlock: this.#backend.blockSizes.minimum,
      canFastZero: this.#backend.canFastZero,
      structured: options.agreement.structured,
      allocation: options.agreement.allocation,
    };
    this.#replies = new ReplyWriter(options.pool, options.transport, (n) => this.#sent(n));
    const answers = new Answers({ ...options, replies: this.#replies });
    this.#execution = new Execution({
      ...options,
      replies: this.#replies,
      answers,
      onFinished: (batch) => this.#recycle(batch),
    });
  }

  /** Serves whatever whole requests the intake holds. */
  pump(): void {
    if (this.#pumping || this.#phase === 'closed') return;
    this.#pumping = true;
    try {
      // `full` and yet some progress: the batch was answered at once, so try what is left. Without
      // progress something is under way, and its end calls here again.
      while (this.#round()) {}
    } finally {
      this.#pumping = false;
    }
    this.#endWhenDrained();
  }

  /** Answers what is under way, refuses what still comes, then closes the connection. */
  shutDown(): void {
    if (this.#phase === 'serving') this.#phase = 'refusing';
    this.#endWhenDrained();
  }

  /** The connection is gone. Calls of the backend that still run end unheard. */
  closed(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#execution.close();
  }

  /** One batch; true when another may follow at once. */
  #round(): boolean {
    this.#rules.size = this.#backend.size;
    const batch = this.#spareBatches.pop() ?? new Batch();
    const stop = this.#parse(batch);
    const progress = batch.count > 0;
    this.#execution.run(batch);
    this.#replies.settle();
    this.#planned = 0;
    if (batch.pending === 0) this.#recycle(batch);
    this.#pauseOrResume(stop);
    return stop === 'full' && progress;
  }

  // Parsing

  #parse(batch: Batch): Stop {
    for (;;) {
      if (this.#phase === 'draining' || this.#phase === 'closed') return 'ended';
      const stop = this.#parseOne(batch);
      if (stop !== undefined) return stop;
    }
  }

  /** Takes one request into the batch; undefined when it did. */
  #parseOne(batch: Batch): Stop | undefined {
    const intake = this.#intake;
    if (this.#skipRefused() || this.#takeLarge(batch)) return 'hungry';
    if (intake.available < REQUEST_SIZE) return 'hungry';
    const header = this.#header;
    if (!decodeRequest(intake.chunk.view, intake.start, header)) return this.#breakOff('bad magic');
    if (header.type === Command.DISCONNECT) return this.#disconnect();
    const fault = this.#faultOf(header);
    if (fault !== undefined) return this.#refuse(batch, fault);
    if (header.type === Command.WRITE && header.length > 0) return this.#acceptWrite(batch);
    if (!this.#hasRoom(Batch.replyBytes(header))) return 'full';
    this.#planned += Batch.replyBytes(header);
    this.#accept(REQUEST_SIZE);
    if (header.length > 0 && isRangeChange(header.type)) batch.addChange(header, undefined);
    else batch.add(header, undefined);
    return undefined;
  }

  /** Reads away the payload of a refused WRITE; true while there is more of it to come. */
  #skipRefused(): boolean {
    if (this.#skip === 0) return false;
    const step = Math.min(this.#skip, this.#intake.available);
    this.#intake.consume(step);
    this.#skip -= step;
    return this.#skip > 0;
  }

  /** Completes a WRITE whose payload has a buffer of its own; true while it is not whole. */
  #takeLarge(batch: Batch): boolean {
    if (!this.#intake.isLarge) return false;
    const slab = this.#intake.takeLarge();
    if (slab === undefined) return true;
    batch.keep(slab);
    batch.addChange(this.#largeHeader, slab.bytes.subarray(0, this.#largeHeader.length));
    return false;
  }

  #acceptWrite(batch: Batch): Stop | undefined {
    const header = this.#header;
    const intake = this.#intake;
    if (header.length > LARGE_PAYLOAD) {
      if (!this.#hasRoom(header.length)) return 'full';
      this.#accept(REQUEST_SIZE);
      Object.assign(this.#largeHeader, header);
      intake.beginLarge(header.length);
      return undefined;
    }
    if (intake.available < REQUEST_SIZE + header.length) return 'hungry';
    if (!this.#hasRoom(0)) return 'full';
    const at = intake.start + REQUEST_SIZE;
    batch.addChange(header, intake.chunk.bytes.subarray(at, at + header.length));
    batch.usesChunk = true;
    this.#accept(REQUEST_SIZE + header.length);
    return undefined;
  }

  #accept(used: Bytes): void {
    this.#intake.consume(used);
    this.#inFlight++;
  }

  /** The reply waits its turn in the batch; the payload of a refused WRITE is read away. */
  #refuse(batch: Batch, fault: NbdErrno): Stop | undefined {
    const { type, length } = this.#header;
    if (type === Command.WRITE && length > MAX_SKIPPED_PAYLOAD) {
      return this.#breakOff(`WRITE of ${length} bytes`);
    }
    if (!this.#hasRoom(0)) return 'full';
    this.#accept(REQUEST_SIZE);
    batch.add(this.#header, fault);
    this.#skip = type === Command.WRITE ? length : 0;
    return undefined;
  }

  #faultOf(header: Request): NbdErrno | undefined {
    return this.#phase === 'refusing' ? NbdError.ESHUTDOWN : faultOf(header, this.#rules);
  }

  #hasRoom(more: Bytes): boolean {
    if (this.#inFlight === 0) return true;
    if (this.#inFlight >= MAX_IN_FLIGHT_REQUESTS) return false;
    return this.#pool.inUse + this.#planned + more <= MAX_IN_FLIGHT_BYTES;
  }

  /** The protocol has no reply for this: nobody knows where the next request starts. */
  #breakOff(fault: string): Stop {
    this.#log.warn({}, `NBD client broke the protocol (${fault}); connection dropped`);
    return this.#disconnect();
  }

  /** Nothing more is read; the connection ends once everything accepted is answered. */
  #disconnect(): Stop {
    this.#phase = 'draining';
    return 'ended';
  }

  // Flow

  #recycle(batch: Batch): void {
    batch.reset();
    if (this.#phase !== 'closed') this.#spareBatches.push(batch);
  }

  #sent(replies: number): void {
    this.#inFlight -= replies;
    if (this.#phase === 'closed') return;
    if (this.#paused) this.pump();
    else this.#endWhenDrained();
  }

  #pauseOrResume(stop: Stop): void {
    const pause = stop !== 'hungry';
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#transport.pauseReading();
    else this.#transport.resumeReading();
  }

  #endWhenDrained(): void {
    const leaving = this.#phase === 'draining' || this.#phase === 'refusing';
    if (!leaving || this.#inFlight > 0) return;
    this.#phase = 'draining';
    this.#transport.end();
  }
}

function isRangeChange(type: number): boolean {
  return type === Command.TRIM || type === Command.WRITE_ZEROES;
}
