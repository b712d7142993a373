/**
 * What a volume must contain, as plain bytes: the content now, and every state a crash may leave,
 * namely the content after each write since the last one that is known to be on stable storage.
 */
import { LB_SIZE } from '../../../src/core/index.ts';
import type { WriteRequest } from '../../../src/wdev/index.ts';
import type { Pick } from './faulty-disk.ts';

export class VolumeModel {
  content: Uint8Array;
  /** Requests since the last flush, oldest first; a big one may count in pieces. */
  #unsafe: WriteRequest[] = [];
  #stable: Uint8Array;

  constructor(sizeLb: number) {
    this.content = new Uint8Array(sizeLb * LB_SIZE);
    this.#stable = this.content.slice();
  }

  get sizeLb(): number {
    return this.content.length / LB_SIZE;
  }

  apply(requests: readonly WriteRequest[]): void {
    for (const request of requests) {
      put(this.content, request);
      this.#unsafe.push(copyOf(request));
    }
  }

  /** Requests applied so far since the last `flushed`; take it before a flush starts. */
  get unsafe(): number {
    return this.#unsafe.length;
  }

  /** The first `count` unsafe requests are on stable storage now. */
  flushed(count: number): void {
    for (const request of this.#unsafe.splice(0, count)) put(this.#stable, request);
  }

  grow(sizeLb: number): void {
    this.content = grown(this.content, sizeLb);
    this.#stable = grown(this.#stable, sizeLb);
  }

  /**
   * How many pieces of unsafe requests `actual` holds, in order and without a gap; undefined when it is
   * no state the volume ever had, or one with less than the first `least` requests. The model continues
   * from there. Requests may be cut at `pieceLb`.
   */
  crashedTo(actual: Uint8Array, pieceLb: number, least = 0): number | undefined {
    const state = this.#stable.slice();
    const pieces = this.#unsafe.flatMap((request) => cut(request, pieceLb));
    const leastPieces = this.#unsafe.slice(0, least).flatMap((request) => cut(request, pieceLb));
    for (let count = 0; ; count++) {
      if (count >= leastPieces.length && Buffer.compare(state, actual) === 0) {
        this.content = state;
        this.#stable = state.slice();
        this.#unsafe = [];
        return count;
      }
      const next = pieces[count];
      if (next === undefined) return undefined;
      put(state, next);
    }
  }
}

function copyOf(request: WriteRequest): WriteRequest {
  return request.kind === 'write' ? { ...request, data: request.data.slice() } : request;
}

function put(content: Uint8Array, request: WriteRequest): void {
  const at = request.offset * LB_SIZE;
  if (request.kind === 'write') content.set(request.data, at);
  else content.fill(0, at, at + request.sizeLb * LB_SIZE);
}

function cut(request: WriteRequest, pieceLb: number): WriteRequest[] {
  if (request.kind === 'discard') return [request];
  const total = request.kind === 'write' ? request.data.length / LB_SIZE : request.sizeLb;
  const pieces: WriteRequest[] = [];
  for (let start = 0; start < total; start += pieceLb) {
    const sizeLb = Math.min(pieceLb, total - start);
    const offset = request.offset + start;
    if (request.kind !== 'write') pieces.push({ ...request, offset, sizeLb });
    else {
      const data = request.data.subarray(start * LB_SIZE, (start + sizeLb) * LB_SIZE);
      pieces.push({ kind: 'write', offset, data });
    }
  }
  return pieces;
}

function grown(content: Uint8Array, sizeLb: number): Uint8Array {
  const bigger = new Uint8Array(sizeLb * LB_SIZE);
  bigger.set(content);
  return bigger;
}

/** One random request within the volume; small ones are common, data never repeat. */
export function randomRequest(pick: Pick, sizeLb: number, maxLb: number): WriteRequest {
  const length = 1 + (pick(8) === 0 ? pick(maxLb) : pick(Math.min(16, maxLb)));
  const blocks = Math.min(length, sizeLb);
  const offset =
    pick(4) === 0 ? pick(Math.min(32, sizeLb - blocks + 1)) : pick(sizeLb - blocks + 1);
  const kind = pick(10);
  if (kind === 0) return { kind: 'discard', offset, sizeLb: blocks };
  if (kind === 1) return { kind: 'zeros', offset, sizeLb: blocks };
  const data = new Uint8Array(blocks * LB_SIZE);
  const words = new Uint32Array(data.buffer);
  for (let i = 0; i < words.length; i++) words[i] = pick(2 ** 32);
  return { kind: 'write', offset, data };
}
