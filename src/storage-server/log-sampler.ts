/**
 * Looks at every log now and then, whether it is transferred or not: a rate of growth needs two
 * positions, and matters most while nothing else looks because no proxy can be reached.
 */
import type { CancelTimer, Millis } from '../core/index.ts';
import type { ServerCore } from '../server/server-core.ts';
import type { StorageVolume } from './volume.ts';

/** Six samples in the window of the write rate. */
const INTERVAL_MS: Millis = 10_000;

export class LogSampler {
  readonly #core: ServerCore;
  readonly #volumes: () => StorageVolume[];
  #cancelTimer: CancelTimer | undefined;

  constructor(core: ServerCore, volumes: () => StorageVolume[]) {
    this.#core = core;
    this.#volumes = volumes;
  }

  start(): void {
    void this.#sample().finally(() => {
      if (this.#core.isShuttingDown) return;
      this.#cancelTimer = this.#core.clock.after(INTERVAL_MS, () => this.start());
    });
  }

  stop(): void {
    this.#cancelTimer?.();
  }

  async #sample(): Promise<void> {
    const open = this.#volumes().filter(({ isOpen }) => isOpen);
    await Promise.all(
      open.map((volume) => volume.lsids().catch((err) => this.#report(volume, err))),
    );
  }

  /** What needs the device says so itself, and is tried again; a missed sample is no trouble. */
  #report(volume: StorageVolume, err: unknown): void {
    volume.log.debug({ err }, 'the position of the log is not known at the moment');
  }
}
