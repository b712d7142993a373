/**
 * When the log of which volume is looked at: on events of its device, after a delivery, on a retry, on
 * a kick.
 *
 * Source: semantics.md B.3; systems.md W2 (overflow), W3 (kick).
 */
import { type BackoffPolicy, hasCode, type Millis, nextDelay, WalbError } from '../core/index.ts';
import { TaskQueue } from '../server/task-queue.ts';
import type { StorageState } from './states.ts';
import { leaveTarget } from './stop.ts';
import type { StorageVolume } from './volume.ts';
import { type SenderHost, sendLog } from './wlog-send.ts';

/** A device event is followed this much later, so that a burst of writes makes one transfer. */
const EVENT_DELAY_MS: Millis = 100;
const BUSY_RETRY_MS: Millis = 100;

const FOLLOWED_STATES: readonly StorageState[] = ['Target', 'FullSync', 'HashSync', 'Standby'];
const STARTING_STATES: readonly StorageState[] = ['StartStandby', 'StartTarget'];

export class Scheduler {
  readonly #host: SenderHost;
  readonly #backoff: BackoffPolicy;
  readonly #find: (id: string) => StorageVolume | undefined;
  readonly queue: TaskQueue;

  constructor(host: SenderHost, find: (id: string) => StorageVolume | undefined) {
    this.#host = host;
    this.#find = find;
    this.#backoff = { min: host.config.minDelay, max: host.config.maxDelay };
    this.queue = new TaskQueue({
      clock: host.core.clock,
      log: host.core.log,
      workers: host.config.maxBackgroundTasks,
      run: (id) => this.#run(id),
    });
  }

  /** Follows the log of a volume from now on. */
  monitor(volume: StorageVolume): void {
    volume.startMonitoring(() => this.queue.push(volume.id, EVENT_DELAY_MS));
    this.queue.force(volume.id);
  }

  async #run(id: string): Promise<void> {
    const volume = this.#find(id);
    if (volume === undefined || volume.stop.isStopping) return;
    if (STARTING_STATES.includes(volume.state)) return this.queue.push(id, BUSY_RETRY_MS);
    if (!FOLLOWED_STATES.includes(volume.state)) return;
    try {
      if (await volume.checkOverflow()) return await this.#overflowed(volume);
      // Asked again right before the action begins: a stop may have come while the device was asked.
      if (volume.refusal(volume.state === 'Standby' ? 'WlogRemove' : 'WlogSend') !== undefined) {
        return this.queue.push(id, BUSY_RETRY_MS);
      }
      await (volume.state === 'Standby' ? this.#removeLog(volume) : this.#sendLog(volume));
      volume.retryDelay = undefined;
      volume.succeeded();
    } catch (thrown) {
      this.#failed(volume, WalbError.from(thrown));
    }
  }

  /** Standby: log is not delivered, only freed once a checkpoint covers it. */
  async #removeLog(volume: StorageVolume): Promise<void> {
    await volume.during('WlogRemove', async () => {
      const { prevWritten, oldest } = await volume.lsids();
      if (prevWritten > oldest) await volume.device.setOldestLsid(prevWritten);
    });
  }

  async #sendLog(volume: StorageVolume): Promise<void> {
    const result = await volume.during('WlogSend', () => sendLog(this.#host, volume));
    if (result.next === 'now') this.queue.push(volume.id);
    if (result.next === 'later') this.queue.push(volume.id, result.delay);
  }

  async #overflowed(volume: StorageVolume): Promise<void> {
    const error = new WalbError(
      'overflow',
      `the log of volume ${volume.id} has overflowed; nothing is delivered until hash_backup(storage, '${volume.id}')`,
      { details: { volume: volume.id } },
    );
    volume.log.error({ err: error, lsid: volume.records.done.lsid }, 'log overflow');
    volume.failed(error);
    if (volume.state === 'Target') await leaveTarget(volume);
  }

  #failed(volume: StorageVolume, error: WalbError): void {
    if (hasCode(error, 'cancelled')) {
      volume.log.info({ err: error }, 'log transfer was stopped');
    } else {
      volume.failed(error);
      volume.log.error({ err: error }, 'log was not delivered; it will be tried again');
    }
    volume.retryDelay = nextDelay(this.#backoff, volume.retryDelay);
    this.queue.force(volume.id, volume.retryDelay);
  }
}
