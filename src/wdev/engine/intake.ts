/**
 * Takes batches of writes in order: at once where nothing stands in the way, otherwise after waiting
 * for what does. Also the gate that freeze, log reset and close shut.
 *
 * Back-pressure: from half of the pending bound on, a batch is acknowledged only after a part of its
 * size has reached the image; the part grows to all of it, so that the writer slows down smoothly to
 * the speed of the image long before the bound, which would stop it.
 */
import { Mutex, type Permit, WalbError } from '../../core/index.ts';
import type { Checkpointer } from './checkpointer.ts';
import { PENDING_SOFT_FRACTION } from './limits.ts';
import type { LogAppender, Obstacle } from './log-appender.ts';
import type { LogSyncer } from './log-syncer.ts';
import type { PendingWrites } from './pending.ts';
import type { Piece } from './requests.ts';
import type { EngineState } from './state.ts';

export class Intake {
  readonly #state: EngineState;
  readonly #pending: PendingWrites;
  readonly #appender: LogAppender;
  readonly #syncer: LogSyncer;
  readonly #checkpointer: Checkpointer;
  readonly #gate = new Mutex('write gate');

  constructor(
    state: EngineState,
    pending: PendingWrites,
    appender: LogAppender,
    syncer: LogSyncer,
    checkpointer: Checkpointer,
  ) {
    this.#state = state;
    this.#pending = pending;
    this.#appender = appender;
    this.#syncer = syncer;
    this.#checkpointer = checkpointer;
  }

  /** Keeps every later batch waiting until the permit is released. */
  shut(): Promise<Permit> {
    return this.#gate.lock();
  }

  /** Logs the groups of a batch in order; undefined when all of it is done already. */
  submit(groups: readonly (readonly Piece[])[]): Promise<void> | undefined {
    const permit = this.#gate.tryLock();
    if (permit === undefined) return this.#submitLater(groups);
    const start = this.#state.positions.latest;
    let done = 0;
    try {
      while (done < groups.length && this.#tryAppend(groups[done]!) === undefined) done++;
    } catch (error) {
      permit.release();
      throw error;
    }
    if (done < groups.length) return this.#appendRest(groups.slice(done), start, permit);
    permit.release();
    return this.#pace(start);
  }

  async #submitLater(groups: readonly (readonly Piece[])[]): Promise<void> {
    const permit = await this.#gate.lock();
    await this.#appendRest(groups, this.#state.positions.latest, permit);
  }

  /** `start` is where in the log the batch began. */
  async #appendRest(
    groups: readonly (readonly Piece[])[],
    start: number,
    permit: Permit,
  ): Promise<void> {
    try {
      for (const group of groups) await this.#append(group);
    } finally {
      permit.release();
    }
    await this.#pace(start);
  }

  async #append(group: readonly Piece[]): Promise<void> {
    let obstacle = this.#tryAppend(group);
    while (obstacle !== undefined) {
      await this.#overcome(obstacle);
      obstacle = this.#tryAppend(group);
    }
  }

  #tryAppend(group: readonly Piece[]): Obstacle | undefined {
    this.#state.requireHealthy();
    const obstacle = this.#guard(() => this.#appender.append(group));
    if (obstacle !== undefined) return obstacle;
    this.#syncer.written(this.#pending.fullness >= PENDING_SOFT_FRACTION);
    this.#checkpointer.written();
    this.#state.announce();
    return undefined;
  }

  async #overcome(obstacle: Obstacle): Promise<void> {
    if (this.#state.stall !== undefined) throw this.#state.stall;
    if (obstacle === 'pending-full') {
      const change = this.#state.nextChange();
      this.#syncer.written(true);
      await change;
    } else if (obstacle === 'unsynced') await this.#syncer.sync();
    else if (obstacle === 'needs-checkpoint') await this.#checkpointer.take();
    else await this.#overflow();
  }

  /**
   * The log history is about to be lost. First the lsid passes the bound by padding alone, and that
   * is made permanent: a crash from here on finds an overflowed log, never one that only has holes.
   * The header of the last padding may itself fall on the oldest block (at the start of the ring), so
   * each is written only when all log before it is permanent. Ends early when log was erased meanwhile.
   */
  async #overflow(): Promise<void> {
    const { positions, ringPb } = this.#state;
    const end = positions.oldest + ringPb + 1;
    while (positions.latest < end && positions.oldest + ringPb < end) {
      await this.#syncer.sync();
      this.#guard(() => this.#appender.appendPadding(end));
    }
    if (!this.#state.isOverflow) return;
    this.#state.log.error(
      { lsid: BigInt(positions.latest) },
      'log overflow: the ring is full of undelivered log; writes go on, backup needs a hash backup',
    );
    await this.#syncer.sync();
    this.#state.announce();
  }

  /** A full disk fails the batch; anything else fails the device, for the log is all we rely on. */
  #guard<T>(write: () => T): T {
    try {
      return write();
    } catch (thrown) {
      const cause = WalbError.from(thrown);
      if (cause.code === 'io') {
        const message = `the log device failed, no more writes are taken: ${cause.message}`;
        this.#state.fail(new WalbError('io', message, { details: cause.details, cause }));
      }
      throw cause;
    }
  }

  #pace(start: number): Promise<void> | undefined {
    const excess = (this.#pending.fullness - PENDING_SOFT_FRACTION) / (1 - PENDING_SOFT_FRACTION);
    if (excess <= 0) return undefined;
    const { positions } = this.#state;
    const share = Math.ceil((positions.latest - start) * Math.min(1, 2 * excess));
    const target = Math.min(positions.latest, positions.applied + share);
    return this.#state.until(() => positions.applied >= target || this.#state.stall !== undefined);
  }
}
