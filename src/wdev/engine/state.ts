/**
 * Positions and condition of an open device: the one object that the parts of the engine share.
 * Lsids are plain numbers here (formats.md allows 2^64, a device reaches 2^53 after 4 EiB of log).
 */
import { type Logger, Notifier, type Pb, type WalbError } from '../../core/index.ts';

export interface Positions {
  latest: number;
  /** Log before it has been handed to a sync that was started. */
  flush: number;
  permanent: number;
  /** Log before it is in the data image (page cache counts): `written` of the driver. */
  applied: number;
  /** `applied` as the super sector has it, with the image synced: redo starts here. */
  checkpointed: number;
  oldest: number;
}

/** Positions of a device whose log up to `end` is in the image. */
export function positionsAt(end: number, oldest: number): Positions {
  return { latest: end, flush: end, permanent: end, applied: end, checkpointed: end, oldest };
}

export class EngineState {
  readonly positions: Positions;
  readonly ringPb: Pb;
  readonly log: Logger;
  /** Notified whenever a position or the condition changed. */
  readonly changed = new Notifier();
  #failure: WalbError | undefined;
  #stall: WalbError | undefined;
  #changes = 0;

  constructor(positions: Positions, ringPb: Pb, log: Logger) {
    this.positions = positions;
    this.ringPb = ringPb;
    this.log = log;
  }

  /** A new history begins: all positions are 0. */
  restart(): void {
    Object.assign(this.positions, positionsAt(0, 0));
  }

  /**
   * The kernel driver has no flag on disk either: it keeps logging, so that writes stay safe across a
   * crash, and the log is lost as a history once the ring holds less than oldest..latest.
   */
  get isOverflow(): boolean {
    return this.positions.latest - this.positions.oldest > this.ringPb;
  }

  get failure(): WalbError | undefined {
    return this.#failure;
  }

  /** Why the image takes no data at present although the device did not fail: a full disk. */
  get stall(): WalbError | undefined {
    return this.#stall;
  }

  /** Throws the reason when the device failed. */
  requireHealthy(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The device stops taking writes for good; reads go on. The first reason counts. */
  fail(error: WalbError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.log.error({ code: error.code, ...error.details }, error.message);
    this.announce();
  }

  setStall(stall: WalbError | undefined): void {
    if (stall !== undefined && this.#stall === undefined) {
      this.log.error({ code: stall.code, ...stall.details }, stall.message);
    } else if (stall === undefined && this.#stall !== undefined) {
      this.log.info({}, 'the data image takes writes again');
    }
    this.#stall = stall;
    this.announce();
  }

  announce(): void {
    this.#changes++;
    this.changed.notify();
  }

  /** Resolves once `reached` holds; rejects with the failure when the device fails first. */
  async until(reached: () => boolean): Promise<void> {
    await this.changed.until(() => {
      if (reached()) return true;
      this.requireHealthy();
      return false;
    });
  }

  /** Resolves at the next change after this call. */
  async nextChange(): Promise<void> {
    const seen = this.#changes;
    await this.until(() => this.#changes !== seen);
  }
}
