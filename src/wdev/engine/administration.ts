/**
 * Operations on a device as a whole: erasing and resetting its log, growing, freezing, the orderly end.
 * They follow one another; those that need writes to stand still shut the gate of the intake.
 */
import {
  type CancelTimer,
  type Env,
  LB_SIZE,
  type Lb,
  type Lsid,
  Mutex,
  type Permit,
  WalbError,
} from '../../core/index.ts';
import type { RingLog } from '../../wlog/index.ts';
import type { Checkpointer } from './checkpointer.ts';
import type { DataImage } from './data-image.ts';
import type { Intake } from './intake.ts';
import type { LogAppender } from './log-appender.ts';
import { lostLog } from './log-reader.ts';
import type { EngineState } from './state.ts';
import type { SuperChange, SuperStore } from './super-store.ts';

export interface AdministrationParts {
  readonly env: Env;
  readonly log: RingLog;
  readonly image: DataImage;
  readonly superStore: SuperStore;
  /** Names the device in messages. */
  readonly path: string;
  readonly state: EngineState;
  readonly appender: LogAppender;
  readonly intake: Intake;
  readonly checkpointer: Checkpointer;
  /** Throws `wrong-state` when the device is closed. */
  readonly requireOpen: () => void;
}

interface Freeze {
  readonly permit: Permit;
  readonly timer: CancelTimer | undefined;
}

export class Administration {
  readonly #parts: AdministrationParts;
  readonly #mutex = new Mutex('device administration');
  #history = 0;
  #freeze: Freeze | undefined;

  constructor(parts: AdministrationParts) {
    this.#parts = parts;
  }

  /** Rises with each log reset: readers of the old history notice. */
  get history(): number {
    return this.#history;
  }

  get isFrozen(): boolean {
    return this.#freeze !== undefined;
  }

  /**
   * The super sector is on stable storage before the space is used again: otherwise a crash would
   * find the old oldest lsid with its log overwritten.
   */
  async setOldestLsid(lsid: Lsid): Promise<void> {
    using _turn = await this.#turn();
    const { path, state } = this.#parts;
    const { oldest, checkpointed } = state.positions;
    if (state.isOverflow) throw lostLog(lsid, BigInt(oldest), path, true);
    if (lsid < BigInt(oldest) || lsid > BigInt(checkpointed)) {
      throw new WalbError(
        'invalid-argument',
        `${path}: oldest lsid ${lsid} is not within ${oldest}..${checkpointed} (last checkpoint)`,
        { details: { lsid, oldest, prevWritten: checkpointed } },
      );
    }
    await this.#updateSuper({ oldestLsid: lsid });
    state.positions.oldest = Number(lsid);
    state.announce();
  }

  /**
   * Order: everything reaches the image, then one super sector write makes the new, empty history.
   * Before it a crash finds the old log whole, after it the new one; old packs do not verify under the
   * new salt, and the first block is cleared for readers that do not look at the salt.
   */
  async resetLog(): Promise<void> {
    using _turn = await this.#turn();
    const { env, log, path, state, appender, intake, checkpointer, superStore } = this.#parts;
    if (this.isFrozen) {
      throw new WalbError('wrong-state', `${path} is frozen; melt it to reset the log`, {
        details: { path },
      });
    }
    using _shut = await intake.shut();
    await checkpointer.take();
    const salt = differentSalt(env, superStore.fields.salt);
    const uuid = env.random.bytes(superStore.fields.uuid.length);
    await this.#updateSuper({ salt, uuid, oldestLsid: 0n, writtenLsid: 0n });
    state.restart();
    appender.salt = salt;
    this.#history++;
    state.announce();
    const { pbs, ringOffsetPb } = log.geometry;
    await this.#onLog(async () => {
      log.file.write(new Uint8Array(pbs), ringOffsetPb * pbs);
      await log.file.sync();
    });
  }

  /** The image grows first: a crash in between leaves it longer than the volume, which harms nobody. */
  async resize(sizeLb: Lb): Promise<void> {
    using _turn = await this.#turn();
    const { path, image, state, superStore } = this.#parts;
    const current = superStore.fields.deviceLb;
    if (!Number.isSafeInteger(sizeLb * LB_SIZE) || sizeLb < current) {
      throw new WalbError(
        'invalid-argument',
        `${path}: ${sizeLb} blocks is less than the present ${current}; volumes only grow`,
        { details: { sizeLb, current } },
      );
    }
    if (sizeLb === current) return;
    await image.grow(sizeLb);
    await this.#updateSuper({ deviceLb: sizeLb });
    state.announce();
  }

  async freeze(seconds: number): Promise<void> {
    using _turn = await this.#turn();
    const { env, intake, checkpointer } = this.#parts;
    const permit = this.#freeze?.permit ?? (await intake.shut());
    this.#freeze?.timer?.();
    const melt = () => void this.melt();
    const timer = seconds > 0 ? env.clock.after(seconds * 1000, melt) : undefined;
    this.#freeze = { permit, timer };
    await checkpointer.take();
  }

  melt(): boolean {
    const frozen = this.#freeze;
    this.#freeze = undefined;
    frozen?.timer?.();
    frozen?.permit.release();
    return frozen !== undefined;
  }

  /** Takes what was submitted to the image and records it. A failed device is left as it is. */
  async end(): Promise<void> {
    using _held = await this.#mutex.lock();
    const { state, intake, checkpointer } = this.#parts;
    this.melt();
    try {
      using _shut = await intake.shut();
      if (state.failure === undefined) await checkpointer.take();
    } catch (err) {
      // Redo will do at the next start what could not be done now.
      state.log.warn({ err }, 'closed without a checkpoint; the log keeps what was written');
    }
  }

  async #turn(): Promise<Permit> {
    const permit = await this.#mutex.lock();
    try {
      this.#parts.requireOpen();
    } catch (error) {
      permit.release();
      throw error;
    }
    return permit;
  }

  #updateSuper(change: SuperChange): Promise<void> {
    return this.#onLog(() => this.#parts.superStore.update(change));
  }

  /** Fails the device when the log device does: what it holds is not certain any more. */
  async #onLog(step: () => Promise<void>): Promise<void> {
    const { state } = this.#parts;
    state.requireHealthy();
    try {
      await step();
    } catch (thrown) {
      const cause = WalbError.from(thrown);
      const message = `the log device failed, no more writes are taken: ${cause.message}`;
      state.fail(new WalbError('io', message, { details: cause.details, cause }));
      state.requireHealthy();
    }
  }
}

/** Never the old salt: packs of the old history must not verify in the new one. */
function differentSalt(env: Env, old: number): number {
  const salt = env.random.u32();
  return salt === old ? (old + 1) % 0x1_0000_0000 : salt;
}
