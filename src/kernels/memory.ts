/**
 * The WebAssembly memory of this thread, the kernels that work in it, and page-aligned buffers.
 *
 * The memory is shared, for one reason above all: growing a shared memory does not detach the views
 * that Node, sockets and requests in flight hold, while growing a plain one does; and worker threads
 * may look at buffers without a copy. Node's files, sockets, HTTP/2, zlib and crypto take such buffers
 * like any other; only a few web APIs (`TextDecoder.decode`, `crypto.getRandomValues`) refuse them.
 *
 * Nothing here happens until it is needed: a command that never sums a large block does not pay for it.
 */

import { readFileSync } from 'node:fs';
import { type Bytes, KIB, MIB, WalbError } from '../core/index.ts';
import { PageAllocator } from './page-allocator.ts';

/** The part of WebAssembly used here; TypeScript declares it with the browser's types only. */
declare const WebAssembly: {
  readonly Memory: new (descriptor: {
    initial: number;
    maximum: number;
    shared: boolean;
  }) => SharedMemory;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { env: { memory: SharedMemory } },
  ) => { readonly exports: unknown };
};

interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

/** Functions of kernels.wasm; every argument is a byte address or count in `memory`. */
interface Kernels {
  sum32(from: number, length: number, sum: number): number;
  isZero(from: number, length: number): number;
  murmur3(from: number, length: number, seed: number, out: number): void;
  sipInit(state: number): void;
  sipBlocks(state: number, from: number, length: number): void;
  sipFinish(state: number, from: number, length: number, total: bigint, out: number): void;
  lz4Compress(from: number, length: number, to: number, capacity: number, table: number): number;
  lz4Decompress(from: number, length: number, to: number, capacity: number): number;
}

/** Unit of buffers: what O_DIRECT and the page cache work in. */
export const BUFFER_ALIGNMENT: Bytes = 4 * KIB;

const WASM_PAGE: Bytes = 64 * KIB;
/** As compiled in: tools/build-kernels.ts. */
const INITIAL_PAGES = 16;
/** 2 GiB: only addresses are reserved, and every address stays a positive 32-bit number. */
const MAXIMUM_PAGES = 32768;
/** Growing makes a new SharedArrayBuffer object, so it is done in large steps. */
const GROW_STEP: Bytes = 16 * MIB;

interface State {
  readonly memory: SharedMemory;
  readonly kernels: Kernels;
  readonly pages: PageAllocator;
  /** Every buffer object the memory ever had: growing replaces it, but old views stay good. */
  readonly buffers: WeakSet<ArrayBufferLike>;
  view: Buffer;
}

let state: State | undefined;

function load(): State {
  const memory = new WebAssembly.Memory({
    initial: INITIAL_PAGES,
    maximum: MAXIMUM_PAGES,
    shared: true,
  });
  const code = readFileSync(new URL('./kernels.wasm', import.meta.url));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
  const pages = new PageAllocator();
  // The first WebAssembly page stays unused, so that address 0 is never a buffer.
  const first = WASM_PAGE / BUFFER_ALIGNMENT;
  pages.add(first, memory.buffer.byteLength / BUFFER_ALIGNMENT - first);
  return {
    memory,
    kernels: instance.exports as Kernels,
    pages,
    buffers: new WeakSet([memory.buffer]),
    view: Buffer.from(memory.buffer),
  };
}

function current(): State {
  state ??= load();
  return state;
}

/** The kernels, loaded when first asked for. */
export function kernels(): Kernels {
  return current().kernels;
}

/**
 * All bytes of the kernels' memory; ask again after every allocation. A Buffer, because its `copy` out
 * of shared memory is three times as fast as `set` of a typed array.
 */
export function memoryBytes(): Buffer {
  return current().view;
}

/** Address of `bytes` when they live in the kernels' memory, so that kernels work on them in place. */
export function addressOf(bytes: Uint8Array): number | undefined {
  return state?.buffers.has(bytes.buffer) ? bytes.byteOffset : undefined;
}

/**
 * A page-aligned buffer in the kernels' memory, at least `bytes` long within its pages; its content
 * is whatever was there before. It lives until `freeAligned`: it is not garbage collected. Throws
 * `limit-exceeded` when the memory would pass 2 GiB.
 */
export function allocateAligned(bytes: Bytes): Buffer {
  if (!Number.isSafeInteger(bytes) || bytes <= 0) {
    throw new WalbError('invalid-argument', `a buffer can not have ${bytes} bytes`);
  }
  const address = allocatePages(Math.ceil(bytes / BUFFER_ALIGNMENT));
  return Buffer.from(current().memory.buffer, address, bytes);
}

/** Frees a buffer made by `allocateAligned`; no view of it may be used afterwards. */
export function freeAligned(buffer: Uint8Array): void {
  const address = addressOf(buffer);
  if (address === undefined) {
    throw new WalbError('internal', 'a buffer to be freed is not of the kernel memory');
  }
  freePages(address);
}

/** Bytes of the kernels' memory in use by buffers and scratch areas. */
export function alignedBytesInUse(): Bytes {
  return (state?.pages.usedPages ?? 0) * BUFFER_ALIGNMENT;
}

function allocatePages(count: number): number {
  const { pages } = current();
  let page = pages.take(count);
  if (page === undefined) {
    grow(count * BUFFER_ALIGNMENT);
    page = pages.take(count)!;
  }
  return page * BUFFER_ALIGNMENT;
}

function freePages(address: number): void {
  current().pages.give(address / BUFFER_ALIGNMENT);
}

function grow(bytes: Bytes): void {
  const { memory, pages, buffers } = current();
  const before = memory.buffer.byteLength;
  const room = MAXIMUM_PAGES * WASM_PAGE - before;
  const step = Math.min(room, Math.max(bytes, GROW_STEP));
  const wasmPages = Math.ceil(step / WASM_PAGE);
  try {
    if (bytes > room) throw new RangeError(`only ${room} bytes are left`);
    memory.grow(wasmPages);
  } catch (cause) {
    const message = `the kernel memory can not grow by ${bytes} bytes beyond ${before}: use smaller or fewer buffers`;
    throw new WalbError('limit-exceeded', message, { details: { bytes, size: before }, cause });
  }
  buffers.add(memory.buffer);
  current().view = Buffer.from(memory.buffer);
  pages.add(before / BUFFER_ALIGNMENT, (wasmPages * WASM_PAGE) / BUFFER_ALIGNMENT);
}

/**
 * A work area for kernels that copy their input in: it grows when asked for more and is reused by
 * every call, so its content does not outlive the caller's turn.
 */
export class Scratch {
  #address = 0;
  #size: Bytes = 0;

  /** Address of at least `bytes` bytes. */
  reserve(bytes: Bytes): number {
    if (bytes <= this.#size) return this.#address;
    const pages = Math.ceil(bytes / BUFFER_ALIGNMENT);
    if (this.#size > 0) freePages(this.#address);
    this.#size = 0;
    this.#address = allocatePages(pages);
    this.#size = pages * BUFFER_ALIGNMENT;
    return this.#address;
  }
}

/** Work area of the kernels that read one range: checksum and hashes. */
export const inputScratch = new Scratch();
