/**
 * The hash of the `bhash` command: SipHash-2-4 with the fixed key 00..0f, all 16 bytes of its final
 * state (formats.md 10).
 *
 * ```ts
 * const hash = new BlockHash();
 * for (const chunk of chunks) hash.update(chunk);
 * hash.digest();                                    // 16 bytes
 * ```
 */

import { type Bytes, KIB } from '../core/index.ts';
import { addressOf, inputScratch, kernels, memoryBytes } from './memory.ts';

const WORD: Bytes = 8;
const STATE_SIZE: Bytes = 32;
const HASH_SIZE: Bytes = 16;
/** Scratch layout: state, result, then the data copied in at a time. */
const RESULT: Bytes = STATE_SIZE;
const DATA: Bytes = STATE_SIZE + HASH_SIZE;
const COPY_CHUNK: Bytes = 16 * KIB;

/** The hash of one block. */
export function blockHash(bytes: Uint8Array): Uint8Array {
  return new BlockHash().update(bytes).digest();
}

/** The same hash over data that come in pieces. */
export class BlockHash {
  /** Kept here between calls: the scratch area is anybody's. */
  readonly #state = new Uint8Array(STATE_SIZE);
  readonly #tail = new Uint8Array(WORD);
  #tailLength: Bytes = 0;
  #total = 0n;

  constructor() {
    const scratch = inputScratch.reserve(DATA + COPY_CHUNK);
    kernels().sipInit(scratch);
    this.#keepState(scratch);
  }

  update(bytes: Uint8Array): this {
    this.#total += BigInt(bytes.length);
    let rest = bytes;
    if (this.#tailLength > 0) {
      const taken = Math.min(WORD - this.#tailLength, bytes.length);
      this.#tail.set(bytes.subarray(0, taken), this.#tailLength);
      this.#tailLength += taken;
      if (this.#tailLength < WORD) return this;
      this.#take(this.#tail);
      rest = bytes.subarray(taken);
    }
    const whole = rest.length - (rest.length % WORD);
    if (whole > 0) this.#take(rest.subarray(0, whole));
    this.#tail.set(rest.subarray(whole));
    this.#tailLength = rest.length - whole;
    return this;
  }

  /** The hash of everything so far; more may follow. */
  digest(): Uint8Array {
    const scratch = this.#loadState();
    const memory = memoryBytes();
    memory.set(this.#tail, scratch + DATA);
    kernels().sipFinish(
      scratch,
      scratch + DATA,
      this.#tailLength,
      BigInt.asIntN(64, this.#total),
      scratch + RESULT,
    );
    return new Uint8Array(memory.subarray(scratch + RESULT, scratch + RESULT + HASH_SIZE));
  }

  /** Takes a multiple of 8 bytes. */
  #take(bytes: Uint8Array): void {
    const { sipBlocks } = kernels();
    const scratch = this.#loadState();
    const address = addressOf(bytes);
    if (address !== undefined) {
      sipBlocks(scratch, address, bytes.length);
    } else {
      const memory = memoryBytes();
      for (let at = 0; at < bytes.length; at += COPY_CHUNK) {
        const piece = bytes.subarray(at, at + COPY_CHUNK);
        memory.set(piece, scratch + DATA);
        sipBlocks(scratch, scratch + DATA, piece.length);
      }
    }
    this.#keepState(scratch);
  }

  #loadState(): number {
    const scratch = inputScratch.reserve(DATA + COPY_CHUNK);
    memoryBytes().set(this.#state, scratch);
    return scratch;
  }

  #keepState(scratch: number): void {
    this.#state.set(memoryBytes().subarray(scratch, scratch + STATE_SIZE));
  }
}
