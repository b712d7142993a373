/**
 * Outgoing replies of one connection: everything that is ready when a batch ends goes out in one
 * write. Data of a READ are read straight into the buffer that is sent.
 */
import type { Bytes } from '../../core/index.ts';
import { type Slab, type SlabPool, SMALL_SLAB } from './slabs.ts';
import type { Transport } from './transport.ts';

/** Part of a reply buffer that is filled later, by an asynchronous READ. */
export interface ReplyRegion {
  readonly slab: Slab;
  readonly start: number;
  readonly end: number;
}

export class ReplyWriter {
  readonly #pool: SlabPool;
  readonly #transport: Transport;
  readonly #onSent: (replies: number) => void;
  #slab: Slab;
  /** Ready but not yet handed to the transport: `mark..at`. */
  #mark = 0;
  #at = 0;
  #replies = 0;

  /** `onSent` hears how many replies have gone out. */
  constructor(pool: SlabPool, transport: Transport, onSent: (replies: number) => void) {
    this.#pool = pool;
    this.#transport = transport;
    this.#onSent = onSent;
    this.#slab = pool.take(SMALL_SLAB);
  }

  /** Makes room for `size` bytes at `at` of `slab`. */
  reserve(size: Bytes): void {
    this.#startOver();
    if (this.#slab.size - this.#at >= size) return;
    this.flush();
    this.#replaceSlab(size);
  }

  get slab(): Slab {
    return this.#slab;
  }

  get at(): number {
    return this.#at;
  }

  /** The reserved bytes at `at` are one whole reply now. */
  commit(size: Bytes): void {
    this.#at += size;
    this.#replies++;
  }

  /** Sets the reserved bytes aside; they are sent by `sendRegion` or given up by `dropRegion`. */
  detach(size: Bytes): ReplyRegion {
    // Sends what comes before it; `at` stays, because the backend is reading into the region.
    this.flush();
    const region = { slab: this.#slab.hold(), start: this.#at, end: this.#at + size };
    this.#at += size;
    this.#mark = this.#at;
    return region;
  }

  sendRegion(region: ReplyRegion): void {
    this.#send(region, 1);
  }

  dropRegion(region: ReplyRegion): void {
    region.slab.release();
  }

  /** Hands everything committed to the transport. */
  flush(): void {
    if (this.#at > this.#mark) {
      const region = { slab: this.#slab.hold(), start: this.#mark, end: this.#at };
      const replies = this.#replies;
      this.#mark = this.#at;
      this.#replies = 0;
      this.#send(region, replies);
    }
  }

  /** Ends a batch: sends it, and keeps no buffer for large replies in an idle connection. */
  settle(): void {
    this.flush();
    this.#startOver();
    const isSmall = this.#slab.size < 2 * SMALL_SLAB;
    const hasRoom = this.#slab.size - this.#at >= SMALL_SLAB / 2;
    if (!isSmall || !hasRoom) this.#replaceSlab(SMALL_SLAB);
  }

  release(): void {
    this.#slab.release();
  }

  /** Nothing waits and nobody else reads the buffer: it is filled from its beginning again. */
  #startOver(): void {
    if (this.#at > this.#mark || !this.#slab.isExclusive) return;
    this.#mark = 0;
    this.#at = 0;
  }

  #replaceSlab(size: Bytes): void {
    this.#slab.release();
    this.#slab = this.#pool.take(size);
    this.#mark = 0;
    this.#at = 0;
  }

  #send(region: ReplyRegion, replies: number): void {
    const bytes = region.slab.bytes.subarray(region.start, region.end);
    this.#transport.write(bytes, () => {
      region.slab.release();
      this.#onSent(replies);
    });
  }
}
