/**
 * Makes the log permanent: one fdatasync serves all who wait (group commit), and a timer and a
 * volume bound keep the unsynced part small when nobody asks.
 */
import type { CancelTimer, Clock, FileHandle } from '../../core/index.ts';
import { WalbError } from '../../core/index.ts';
import { LOG_SYNC_BYTES, LOG_SYNC_INTERVAL } from './limits.ts';
import type { EngineState } from './state.ts';

export class LogSyncer {
  readonly #file: FileHandle;
  readonly #clock: Clock;
  readonly #state: EngineState;
  readonly #syncPb: number;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #timer: CancelTimer | undefined;

  constructor(file: FileHandle, clock: Clock, state: EngineState, pbs: number) {
    this.#file = file;
    this.#clock = clock;
    this.#state = state;
    this.#syncPb = LOG_SYNC_BYTES / pbs;
  }

  /** Resolves when everything that is `latest` now is permanent. Rejects when the device failed. */
  sync(): Promise<void> {
    const { latest, permanent, flush } = this.#state.positions;
    if (this.#state.failure !== undefined) return Promise.reject(this.#state.failure);
    if (latest === permanent) return Promise.resolve();
    if (this.#running === undefined) return this.#start();
    // The sync under way began before some of our log was written unless its target says otherwise.
    if (flush >= latest) return this.#running;
    this.#next ??= this.#running.then(() => this.#start());
    return this.#next;
  }

  /** Called after each log write: sees to it that the log becomes permanent before long. */
  written(isUrgent: boolean): void {
    const { latest, flush } = this.#state.positions;
    if (isUrgent || latest - flush >= this.#syncPb) this.#startQuietly();
    else this.#timer ??= this.#clock.after(LOG_SYNC_INTERVAL, () => this.#startQuietly());
  }

  /** Ends the timer and waits for a sync under way. */
  async stop(): Promise<void> {
    this.#timer?.();
    await this.#running?.catch(() => {});
  }

  #startQuietly(): void {
    // A failure is recorded in the state, where every later caller finds it.
    this.sync().catch(() => {});
  }

  #start(): Promise<void> {
    this.#next = undefined;
    this.#timer?.();
    this.#timer = undefined;
    this.#running = this.#sync().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #sync(): Promise<void> {
    const { positions } = this.#state;
    const target = positions.latest;
    positions.flush = target;
    try {
      await this.#file.sync();
    } catch (thrown) {
      // After a failed fdatasync nobody knows which pages are lost; claiming anything would be a lie.
      const cause = WalbError.from(thrown);
      this.#state.fail(
        new WalbError('io', `the log device failed, no more writes are taken: ${cause.message}`, {
          details: { ...cause.details, lsid: positions.permanent },
          cause,
        }),
      );
    }
    this.#state.requireHealthy();
    positions.permanent = Math.max(positions.permanent, target);
    this.#state.announce();
  }
}
