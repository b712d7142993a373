/** A block device in memory for the tests of the NBD server: sparse, countable, able to fail. */
import { WalbError } from '../../../src/core/index.ts';
import type { BlockBackend, BlockChange, BlockSizes } from '../../../src/wdev/nbd/index.ts';

const PAGE = 4096;

export interface RamOptions {
  readonly size: number;
  readonly readOnly?: boolean;
  readonly blockSizes?: Partial<BlockSizes>;
  readonly canFastZero?: boolean;
  /** Answers come in a later turn of the event loop, or when `release` is called. */
  readonly mode?: 'sync' | 'async' | 'held';
}

export class RamBackend implements BlockBackend {
  size: number;
  readonly readOnly: boolean;
  readonly blockSizes: BlockSizes;
  readonly canFastZero: boolean;
  mode: 'sync' | 'async' | 'held';
  /** Thrown by the next calls until cleared. */
  failure: WalbError | undefined;
  readonly calls = { read: 0, submit: 0, changes: 0, flush: 0, prefetch: 0 };
  /** Changes that asked for stable storage at once. */
  fua = 0;
  readonly #bytes: Uint8Array;
  readonly #written: Uint8Array;
  #held: (() => void)[] = [];

  constructor(options: RamOptions) {
    this.size = options.size;
    this.readOnly = options.readOnly ?? false;
    this.blockSizes = { minimum: 512, preferred: 4096, maximum: 32 << 20, ...options.blockSizes };
    this.canFastZero = options.canFastZero ?? true;
    this.mode = options.mode ?? 'sync';
    this.#bytes = new Uint8Array(options.size);
    this.#written = new Uint8Array(Math.ceil(options.size / PAGE));
  }

  /** The whole content; changing it bypasses the server. */
  get content(): Uint8Array {
    return this.#bytes;
  }

  get heldCalls(): number {
    return this.#held.length;
  }

  /** Lets every held call finish. */
  release(): void {
    const held = this.#held;
    this.#held = [];
    for (const go of held) go();
  }

  read(offset: number, into: Uint8Array): undefined | Promise<void> {
    this.calls.read++;
    return this.#run(() => into.set(this.#bytes.subarray(offset, offset + into.length)));
  }

  submit(changes: readonly BlockChange[]): undefined | Promise<void> {
    this.calls.submit++;
    this.calls.changes += changes.length;
    return this.#run(() => {
      for (const change of changes) this.#apply(change);
    });
  }

  flush(): undefined | Promise<void> {
    this.calls.flush++;
    return this.#run(() => {});
  }

  nextData(offset: number): { start: number; end: number } | undefined {
    let page = Math.floor(offset / PAGE);
    while (page < this.#written.length && this.#written[page] === 0) page++;
    if (page >= this.#written.length) return undefined;
    let end = page;
    while (end < this.#written.length && this.#written[end] === 1) end++;
    return { start: Math.max(offset, page * PAGE), end: end * PAGE };
  }

  prefetch(): void {
    this.calls.prefetch++;
  }

  #apply(change: BlockChange): void {
    if (change.fua) this.fua++;
    const end = change.offset + change.length;
    if (change.kind === 'write') {
      this.#bytes.set(change.data, change.offset);
      this.#written.fill(1, Math.floor(change.offset / PAGE), Math.ceil(end / PAGE));
      return;
    }
    this.#bytes.fill(0, change.offset, end);
    if (change.kind === 'trim' || change.mayPunch) {
      this.#written.fill(0, Math.ceil(change.offset / PAGE), Math.floor(end / PAGE));
    }
  }

  #run(work: () => void): undefined | Promise<void> {
    const { failure } = this;
    if (this.mode === 'sync') {
      if (failure !== undefined) throw failure;
      work();
      return undefined;
    }
    const turn =
      this.mode === 'async'
        ? new Promise<void>((resolve) => setImmediate(resolve))
        : new Promise<void>((resolve) => this.#held.push(resolve));
    return turn.then(() => {
      if (failure !== undefined) throw failure;
      work();
    });
  }
}

export const diskFailure = (): WalbError => new WalbError('io', 'the RAM disk failed on request');
export const diskFull = (): WalbError => new WalbError('no-space', 'the RAM disk is full');
