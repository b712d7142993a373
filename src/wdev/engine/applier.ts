/**
 * Moves pending writes into the data image, in order, in the background.
 *
 * Only permanent log is applied. Were a write in the image while a power cut took it from the log,
 * the volume would keep content that no archive ever hears of.
 */
import { type Clock, LB_SIZE, WalbError } from '../../core/index.ts';
import type { DataImage } from './data-image.ts';
import { APPLY_SLICE_BYTES, NO_SPACE_RETRY } from './limits.ts';
import type { PendingEntry, PendingWrites } from './pending.ts';
import type { EngineState } from './state.ts';

/** Parts given to one image write at most. */
const MAX_PARTS = 64;

export class Applier {
  readonly #clock: Clock;
  readonly #state: EngineState;
  readonly #pending: PendingWrites;
  readonly #image: DataImage;
  /** Neighbouring writes may share one image write; not while a hook tells them apart by lsid. */
  readonly #joins: boolean;
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;

  constructor(
    clock: Clock,
    state: EngineState,
    pending: PendingWrites,
    image: DataImage,
    joins: boolean,
  ) {
    this.#clock = clock;
    this.#state = state;
    this.#pending = pending;
    this.#image = image;
    this.#joins = joins;
    this.#state.changed.subscribe(() => this.#wake());
  }

  /** Stops after the present slice. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  #wake(): void {
    if (this.#running !== undefined || !this.#hasWork() || this.#stopped.signal.aborted) return;
    const finished = () => {
      this.#running = undefined;
      this.#wake();
    };
    // Every error of the disks is dealt with inside; what gets here anyway must not start anew.
    this.#running = this.#run().then(finished, (thrown) =>
      this.#state.fail(WalbError.from(thrown)),
    );
  }

  #hasWork(): boolean {
    const { applied, permanent } = this.#state.positions;
    return applied < permanent && this.#state.failure === undefined;
  }

  async #run(): Promise<void> {
    await this.#clock.yield();
    while (this.#hasWork() && !this.#stopped.signal.aborted) {
      try {
        await this.#applySlice();
        if (this.#state.stall !== undefined) this.#state.setStall(undefined);
      } catch (thrown) {
        await this.#handle(WalbError.from(thrown));
      }
      await this.#clock.yield();
    }
  }

  async #applySlice(): Promise<void> {
    let bytes = 0;
    let count = 0;
    try {
      while (bytes < APPLY_SLICE_BYTES) {
        const run = this.#nextRun(count);
        if (run.length === 0) break;
        const wait = this.#applyRun(run);
        if (wait !== undefined) await wait;
        count += run.length;
        for (const entry of run) bytes += entry.sizeLb * LB_SIZE;
      }
    } finally {
      // Once per slice, for the index is filtered as a whole; until then reads see them as pending.
      this.#pending.retire(count);
    }
    this.#advance();
  }

  #applyRun(run: readonly PendingEntry[]): Promise<void> | undefined {
    const first = run[0]!;
    const last = run.at(-1)!;
    const sizeLb = last.offset + last.sizeLb - first.offset;
    const parts = first.data === undefined ? undefined : run.map((entry) => entry.data!);
    return this.#image.replace(first.offset, sizeLb, last.endLsid, parts);
  }

  /** The permanent entry at `from` and its successors that continue it without a gap. */
  #nextRun(from: number): PendingEntry[] {
    const { permanent } = this.#state.positions;
    const run: PendingEntry[] = [];
    let bytes = 0;
    while (run.length < MAX_PARTS && bytes < APPLY_SLICE_BYTES) {
      const entry = this.#pending.at(from + run.length);
      if (entry === undefined || entry.endLsid > permanent) break;
      const last = run.at(-1);
      if (last !== undefined && !this.#continues(last, entry)) break;
      run.push(entry);
      bytes += entry.sizeLb * LB_SIZE;
    }
    return run;
  }

  #continues(last: PendingEntry, entry: PendingEntry): boolean {
    if (!this.#joins || last.data === undefined || entry.data === undefined) return false;
    return entry.offset === last.offset + last.sizeLb;
  }

  /** Whole packs only: the oldest pending pack is not in the image yet. */
  #advance(): void {
    const { positions } = this.#state;
    const applied = Math.min(positions.permanent, this.#pending.head?.packLsid ?? positions.latest);
    if (applied === positions.applied) return;
    positions.applied = applied;
    this.#state.announce();
  }

  async #handle(cause: WalbError): Promise<void> {
    const { applied } = this.#state.positions;
    const details = { ...cause.details, lsid: applied };
    if (cause.code !== 'no-space') {
      const message =
        `the data image failed, no more writes are taken; the log keeps everything from lsid ` +
        `${applied} on: ${cause.message}`;
      this.#state.fail(new WalbError('io', message, { details, cause }));
      return;
    }
    const message = `no space for the data image, writes are kept in the log: ${cause.message}`;
    this.#state.setStall(new WalbError('no-space', message, { details, cause }));
    await this.#clock.sleep(NO_SPACE_RETRY, this.#stopped.signal).catch(() => {});
  }
}
