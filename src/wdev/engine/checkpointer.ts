/**
 * Checkpoints: they move the place where redo starts.
 *
 * Order, and what a crash after each step finds: (1) the image is synced: the super sector still
 * names the old place, redo repeats writes that are there already, which changes nothing; (2) the
 * super sector names the new place: everything before it is in the image for certain. The other way
 * round a power cut could lose image writes that redo no longer repeats.
 */
import { type CancelTimer, type Clock, type Millis, WalbError } from '../../core/index.ts';
import type { DataImage } from './data-image.ts';
import { CHECKPOINT_RING_FRACTION } from './limits.ts';
import type { LogSyncer } from './log-syncer.ts';
import type { EngineState } from './state.ts';
import type { SuperStore } from './super-store.ts';

export class Checkpointer {
  readonly #clock: Clock;
  readonly #state: EngineState;
  readonly #image: DataImage;
  readonly #superStore: SuperStore;
  readonly #syncer: LogSyncer;
  #interval: Millis;
  #timer: CancelTimer | undefined;
  #running: Promise<void> | undefined;

  constructor(
    clock: Clock,
    state: EngineState,
    image: DataImage,
    superStore: SuperStore,
    syncer: LogSyncer,
    interval: Millis,
  ) {
    this.#clock = clock;
    this.#state = state;
    this.#image = image;
    this.#superStore = superStore;
    this.#syncer = syncer;
    this.#interval = interval;
    this.#arm();
  }

  get interval(): Millis {
    return this.#interval;
  }

  changeInterval(interval: Millis): void {
    this.#interval = interval;
    this.#arm();
  }

  /**
   * All that is `latest` now reaches the image and the super sector says so. Throws `no-space` while
   * the image can not take it, `io` when the device failed.
   */
  async take(): Promise<void> {
    const { positions } = this.#state;
    const target = positions.latest;
    await this.#syncer.sync();
    await this.#state.until(() => {
      if (this.#state.stall !== undefined) throw this.#state.stall;
      return positions.applied >= target;
    });
    while (positions.checkpointed < target) await this.#record();
  }

  /** Called after each log write: a checkpoint before the ring is full of log that redo needs. */
  written(): void {
    const { latest, checkpointed, applied } = this.#state.positions;
    const isDue = latest - checkpointed > this.#state.ringPb * CHECKPOINT_RING_FRACTION;
    if (isDue && applied > checkpointed && this.#running === undefined) this.#recordQuietly();
  }

  /** Ends the timer and waits for a checkpoint under way. */
  async stop(): Promise<void> {
    this.#timer?.();
    await this.#running?.catch(() => {});
  }

  #arm(): void {
    this.#timer?.();
    this.#timer = this.#clock.after(this.#interval, () => {
      this.#recordQuietly();
      this.#arm();
    });
  }

  #recordQuietly(): void {
    const { applied, checkpointed } = this.#state.positions;
    if (applied === checkpointed || this.#state.failure !== undefined) return;
    // A failure is recorded in the state, where every later caller finds it.
    this.#record().catch(() => {});
  }

  /** Records what is in the image now; joins a recording under way. */
  #record(): Promise<void> {
    this.#running ??= this.#syncAndWrite().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #syncAndWrite(): Promise<void> {
    const { positions } = this.#state;
    this.#state.requireHealthy();
    const target = positions.applied;
    await this.#guard('the data image', () => this.#image.sync());
    await this.#guard('the log device', () =>
      this.#superStore.update({ writtenLsid: BigInt(target) }),
    );
    positions.checkpointed = target;
    this.#state.log.debug({ lsid: BigInt(target) }, 'checkpoint taken');
    this.#state.announce();
  }

  /** After a failed sync the pages may be gone; redo from the last checkpoint brings them back. */
  async #guard(what: string, step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (thrown) {
      const cause = WalbError.from(thrown);
      const message = `${what} failed during a checkpoint, no more writes are taken: ${cause.message}`;
      this.#state.fail(new WalbError('io', message, { details: cause.details, cause }));
      this.#state.requireHealthy();
    }
  }
}
