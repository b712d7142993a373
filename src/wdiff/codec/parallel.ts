/**
 * Compression of a stream of blocks on several threads, results in the order of the blocks and the
 * same bytes as one thread makes.
 *
 * ```ts
 * await using compressor = new ParallelCompressor({ kind: 'zstd', level: 3, nrCpu: 4 });
 * for await (const { item, packed } of compressor.map(ios, (io) => io.data)) { ... }
 * ```
 */

import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Bytes, MIB, WalbError } from '../../core/index.ts';
import { compress } from './codec.ts';
import type { WorkerReply, WorkerRequest } from './compress-worker.ts';
import type { CompressOption } from './kind.ts';

/** Blocks under way per thread: one in work, the next at hand, and two done while the oldest is not. */
const BLOCKS_PER_THREAD = 4;

/** Uncompressed bytes under way in all: four of the largest blocks. */
const MAX_BYTES_UNDER_WAY: Bytes = 128 * MIB;

/** An item with its compressed data; `packed` is undefined when they are to be stored raw. */
export interface Packed<T> {
  readonly item: T;
  readonly packed: Uint8Array | undefined;
}

interface Thread {
  readonly worker: Worker;
  /** Outstanding requests, oldest first; a worker answers in order. */
  readonly requests: PromiseWithResolvers<Uint8Array | undefined>[];
}

export class ParallelCompressor implements AsyncDisposable {
  readonly #option: CompressOption;
  readonly #threads: Thread[] = [];
  readonly #limit: number;

  /** No threads are started for one CPU or kind none; never more than the machine has CPUs. */
  constructor(option: CompressOption) {
    this.#option = option;
    const wanted = option.kind === 'none' ? 1 : Math.min(option.nrCpu, availableParallelism());
    this.#limit = wanted * BLOCKS_PER_THREAD;
    if (wanted > 1) for (let i = 0; i < wanted; i++) this.#threads.push(startThread(option));
  }

  /** Threads besides the caller's. */
  get threadCount(): number {
    return this.#threads.length;
  }

  /**
   * Compresses one block; undefined when it is to be stored raw. Data in shared memory are read in
   * place: they must not change until the promise settles.
   */
  async compress(data: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#threads.length === 0) return compress(this.#option.kind, this.#option.level, data);
    const thread = this.#threads.reduce((least, other) =>
      other.requests.length < least.requests.length ? other : least,
    );
    const request = Promise.withResolvers<Uint8Array | undefined>();
    thread.requests.push(request);
    const { message, transfer } = requestFor(data);
    thread.worker.postMessage(message, transfer);
    return request.promise;
  }

  /**
   * Every item with its compressed data, in order. Items for which `dataOf` gives undefined pass
   * through. Reads no further ahead than the bounds on blocks and bytes under way allow.
   */
  async *map<T>(
    items: Iterable<T> | AsyncIterable<T>,
    dataOf: (item: T) => Uint8Array | undefined,
  ): AsyncGenerator<Packed<T>> {
    const underWay: { item: T; size: Bytes; packed: Promise<Uint8Array | undefined> }[] = [];
    let bytes = 0;
    const oldest = async (): Promise<Packed<T>> => {
      const { item, size, packed } = underWay.shift()!;
      bytes -= size;
      return { item, packed: await packed };
    };
    for await (const item of items) {
      const data = dataOf(item);
      const size = data?.length ?? 0;
      while (
        underWay.length >= this.#limit ||
        (underWay.length > 0 && bytes + size > MAX_BYTES_UNDER_WAY)
      ) {
        yield await oldest();
      }
      const packed = data === undefined ? Promise.resolve(undefined) : this.compress(data);
      // Whoever stops early never awaits the rest; their failure is not news then.
      packed.catch(() => undefined);
      underWay.push({ item, size, packed });
      bytes += size;
    }
    while (underWay.length > 0) yield await oldest();
  }

  /** Stops the threads; blocks still under way fail with `cancelled`. */
  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = new WalbError('cancelled', 'the compressor was closed');
    const threads = this.#threads.splice(0);
    for (const { requests } of threads) failAll(requests, stopped);
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }
}

function startThread({ kind, level }: CompressOption): Thread {
  const script = new URL(`./compress-worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(script, { workerData: { kind, level } });
  const thread: Thread = { worker, requests: [] };
  worker.on('message', (reply: WorkerReply) => {
    const request = thread.requests.shift();
    if (reply.error === undefined) request?.resolve(reply.packed);
    else request?.reject(new WalbError('internal', `compression failed: ${reply.error}`));
  });
  worker.on('error', (cause) => {
    const message = 'a compression thread stopped unexpectedly';
    failAll(thread.requests, new WalbError('internal', message, { cause }));
  });
  return thread;
}

function failAll(requests: Thread['requests'], reason: WalbError): void {
  for (const request of requests.splice(0)) request.reject(reason);
}

/** Shared memory goes as it is; other data are copied, because a view would take its whole buffer along. */
function requestFor(data: Uint8Array): { message: WorkerRequest; transfer: ArrayBuffer[] } {
  if (data.buffer instanceof SharedArrayBuffer) return { message: { data }, transfer: [] };
  const copy = new Uint8Array(data);
  return { message: { data: copy }, transfer: [copy.buffer] };
}
