/**
 * The sends of a proxy: one background task per volume and archive, when each is due, and what comes
 * after it.
 *
 * Source: semantics.md C.4, F.1.
 */
import type { Millis } from '../core/index.ts';
import type { ProxyArchiveStatus, QueuedTask } from '../rpc/index.ts';
import type { ServerCore } from '../server/server-core.ts';
import { TaskQueue } from '../server/task-queue.ts';
import type { ProxyConfig } from './config.ts';
import { sendNext } from './send.ts';
import type { ProxyVolume } from './volume.ts';

/** While a volume starts or stops, its sends wait this long (C.4.1). */
const BUSY_RETRY_MS: Millis = 1000;

export class Sends {
  readonly #core: ServerCore;
  readonly #config: ProxyConfig;
  readonly #find: (volume: string) => ProxyVolume | undefined;
  readonly #queue: TaskQueue;

  constructor(
    core: ServerCore,
    config: ProxyConfig,
    find: (volume: string) => ProxyVolume | undefined,
  ) {
    this.#core = core;
    this.#config = config;
    this.#find = find;
    this.#queue = new TaskQueue({
      clock: core.clock,
      log: core.log,
      workers: config.maxBackgroundTasks,
      run: (key) => this.#run(key),
    });
  }

  /** New diffs: each archive gets them after its delay; a send that is queued already stays as it is. */
  queue(volume: ProxyVolume): void {
    for (const archive of volume.spool.archives()) {
      const delay = (volume.spool.archive(archive)?.delay ?? 0) * 1000;
      this.#queue.push(keyOf(volume.id, archive), delay);
    }
  }

  /** A start or a kick: to one archive or to all, now, as if nothing had failed before. */
  runNow(volume: ProxyVolume, archive?: string): void {
    volume.forgetFailures(archive);
    const archives = archive === undefined ? volume.spool.archives() : [archive];
    for (const name of archives) this.#queue.force(keyOf(volume.id, name));
  }

  /** Forgets what is queued for a volume. */
  drop(volume: ProxyVolume): void {
    this.#queue.remove((key) => volumeOf(key) === volume.id);
  }

  /** Resolves when no send runs any more. */
  stop(): Promise<void> {
    return this.#queue.stop();
  }

  statuses(volume: ProxyVolume): ProxyArchiveStatus[] {
    const due = new Map(this.#queue.entries().map(({ key, dueIn }) => [key, dueIn]));
    return volume.spool
      .archives()
      .map((archive) => volume.archiveStatus(archive, due.get(keyOf(volume.id, archive))));
  }

  entries(): QueuedTask[] {
    return this.#queue.entries().map(({ key, dueIn }) => {
      const [volume, archive] = partsOf(key);
      return { volume, archive, timeDiffMs: Math.round(dueIn) };
    });
  }

  async #run(key: string): Promise<void> {
    const [id, archive] = partsOf(key);
    const volume = this.#find(id);
    if (volume?.spool.archive(archive) === undefined) return;
    if (volume.refusal('wdiff-send') !== undefined) {
      // Stopped volumes queue their sends anew when they start.
      if (volume.state !== 'Stopped') this.#queue.push(key, BUSY_RETRY_MS);
      return;
    }
    const running = volume.actions.tryBegin(archive, [archive]);
    if (running === undefined) return;
    using _running = running;
    await distributeLeftovers(volume);
    const outcome = await sendNext(this.#core, this.#config, volume, archive);
    if (outcome.next === 'again') this.#queue.force(key);
    if (outcome.next === 'retry') this.#queue.force(key, outcome.delay);
  }
}

/** Diffs whose distribution failed half-way: their storage may have gone on to another proxy. */
async function distributeLeftovers(volume: ProxyVolume): Promise<void> {
  if (volume.state === 'WlogRecv') return;
  try {
    await volume.spool.distribute();
  } catch (err) {
    volume.log.error({ err }, 'received diffs could not be queued; tried again with the next send');
  }
}

// Volume ids and archive names have no slash.
function keyOf(volume: string, archive: string): string {
  return `${volume}/${archive}`;
}

function partsOf(key: string): [volume: string, archive: string] {
  const [volume = '', archive = ''] = key.split('/');
  return [volume, archive];
}

function volumeOf(key: string): string {
  return partsOf(key)[0];
}
