/**
 * A bounded pool of equal, page-aligned buffers in the kernels' memory, for data paths that hold many
 * requests at a time. The bound is the back-pressure: who finds the pool empty waits.
 *
 * ```ts
 * using pool = new BufferPool({ bufferSize: 32 * MIB, maxBuffers: 4 });
 * const buffer = await pool.acquire(signal);
 * try { ... } finally { pool.release(buffer); }
 * ```
 */

import { type Bytes, WalbError } from '../core/index.ts';
import { allocateAligned, freeAligned } from './memory.ts';

export interface BufferPoolOptions {
  readonly bufferSize: Bytes;
  /** Buffers that exist at most; they are made when first needed. */
  readonly maxBuffers: number;
}

interface Waiter {
  readonly give: (buffer: Buffer) => void;
  readonly refuse: (reason: WalbError) => void;
}

export class BufferPool implements Disposable {
  readonly bufferSize: Bytes;
  readonly maxBuffers: number;
  /** Most recently used last: its pages are likeliest to be in the processor's caches. */
  readonly #free: Buffer[] = [];
  readonly #inUse = new Set<Buffer>();
  readonly #waiters: Waiter[] = [];
  #closed = false;

  /** Throws `invalid-argument` for sizes that are not positive. */
  constructor({ bufferSize, maxBuffers }: BufferPoolOptions) {
    for (const [name, value] of Object.entries({ bufferSize, maxBuffers })) {
      if (Number.isSafeInteger(value) && value > 0) continue;
      throw new WalbError('invalid-argument', `${name} of a buffer pool can not be ${value}`);
    }
    this.bufferSize = bufferSize;
    this.maxBuffers = maxBuffers;
  }

  /** Buffers handed out and not released yet. */
  get inUse(): number {
    return this.#inUse.size;
  }

  /** Callers of `acquire` that wait. */
  get waiting(): number {
    return this.#waiters.length;
  }

  /** A buffer with arbitrary content, or undefined when all are in use. */
  tryAcquire(): Buffer | undefined {
    if (this.#closed) throw closed();
    const buffer = this.#free.pop() ?? this.#make();
    if (buffer !== undefined) this.#inUse.add(buffer);
    return buffer;
  }

  /** A buffer, as soon as there is one, first come first served. Rejects with `cancelled`. */
  async acquire(signal?: AbortSignal): Promise<Buffer> {
    if (signal?.aborted) throw cancelled(signal);
    const buffer = this.#waiters.length === 0 ? this.tryAcquire() : undefined;
    return buffer ?? this.#wait(signal);
  }

  /** Gives a buffer back: the very object that was acquired. Throws `internal` for any other. */
  release(buffer: Buffer): void {
    if (!this.#inUse.has(buffer)) {
      throw new WalbError('internal', 'a released buffer is not in use in this pool');
    }
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.give(buffer);
      return;
    }
    this.#inUse.delete(buffer);
    if (this.#closed) freeAligned(buffer);
    else this.#free.push(buffer);
  }

  /** Closes the pool: waiters are refused, free buffers freed now and the others when released. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const buffer of this.#free.splice(0)) freeAligned(buffer);
    for (const waiter of this.#waiters.splice(0)) waiter.refuse(closed());
  }

  #make(): Buffer | undefined {
    return this.#inUse.size < this.maxBuffers ? allocateAligned(this.bufferSize) : undefined;
  }

  #wait(signal: AbortSignal | undefined): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(cancelled(signal));
      };
      const settle =
        <T>(outcome: (value: T) => void) =>
        (value: T) => {
          signal?.removeEventListener('abort', abort);
          outcome(value);
        };
      const waiter: Waiter = { give: settle(resolve), refuse: settle(reject) };
      this.#waiters.push(waiter);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }
}

function closed(): WalbError {
  return new WalbError('cancelled', 'the buffer pool is closed');
}

function cancelled(signal: AbortSignal | undefined): WalbError {
  return new WalbError('cancelled', 'waiting for a buffer was cancelled', {
    cause: signal?.reason,
  });
}
