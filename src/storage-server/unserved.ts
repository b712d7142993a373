/**
 * Volumes that could not be loaded: their device is away, or a file can not be used. The others are
 * served meanwhile. Each is tried again by itself with growing delays, and at once on a kick; until then
 * every request for it is answered with what is wrong.
 */
import {
  type BackoffPolicy,
  type CancelTimer,
  type Millis,
  nextDelay,
  WalbError,
} from '../core/index.ts';
import type { LastError } from '../rpc/index.ts';
import { nextFailure } from '../server/failures.ts';
import type { ServerCore } from '../server/server-core.ts';

interface Entry {
  readonly error: WalbError;
  readonly last: LastError;
  /** As far as it could be read: nobody else may take the device meanwhile. */
  readonly devicePath: string | undefined;
  readonly delay: Millis;
  readonly cancelRetry: CancelTimer;
}

export class UnservedVolumes {
  readonly #core: ServerCore;
  readonly #backoff: BackoffPolicy;
  /** Throws what keeps the volume from being served. */
  readonly #load: (id: string) => Promise<void>;
  readonly #pathOf: (id: string) => string | undefined;
  readonly #entries = new Map<string, Entry>();
  /** Attempts under way. */
  readonly #trying = new Map<string, Promise<void>>();

  constructor(
    core: ServerCore,
    backoff: BackoffPolicy,
    load: (id: string) => Promise<void>,
    pathOf: (id: string) => string | undefined,
  ) {
    this.#core = core;
    this.#backoff = backoff;
    this.#load = load;
    this.#pathOf = pathOf;
  }

  ids(): string[] {
    return [...this.#entries.keys()];
  }

  /** Throws why the volume is not served, if that is so. */
  requireServed(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) throw entry.error;
  }

  lastError(id: string): LastError | undefined {
    return this.#entries.get(id)?.last;
  }

  /** The volume that has this device, of those that are not served. */
  userOf(devicePath: string): string | undefined {
    return this.ids().find((id) => this.#entries.get(id)?.devicePath === devicePath);
  }

  /** Loads the volume; never throws. One attempt at a time. */
  async tryLoad(id: string): Promise<void> {
    const attempt = this.#trying.get(id) ?? this.#attempt(id);
    this.#trying.set(id, attempt);
    await attempt.finally(() => this.#trying.delete(id));
  }

  /** A kick: what is not served is tried now. */
  async retryNow(): Promise<void> {
    await Promise.all(this.ids().map((id) => this.tryLoad(id)));
  }

  async stop(): Promise<void> {
    for (const { cancelRetry } of this.#entries.values()) cancelRetry();
    await Promise.all(this.#trying.values());
  }

  async #attempt(id: string): Promise<void> {
    const before = this.#entries.get(id);
    before?.cancelRetry();
    try {
      await this.#load(id);
      this.#entries.delete(id);
      if (before !== undefined) this.#core.log.info({ volume: id }, 'volume is served again');
    } catch (thrown) {
      this.#note(id, WalbError.from(thrown), before);
    }
    if (before !== undefined) this.#core.hub.notify(id);
  }

  #note(id: string, cause: WalbError, before: Entry | undefined): void {
    const { code, message, details } = cause;
    const text = `volume ${id} is not served, because it could not be loaded: ${message}; it is tried again from time to time, and at \`kick\``;
    const error = new WalbError(code, text, { details, cause });
    const delay = nextDelay(this.#backoff, before?.delay);
    const cancelRetry = this.#core.isShuttingDown
      ? () => {}
      : this.#core.clock.after(delay, () => void this.tryLoad(id));
    this.#entries.set(id, {
      error,
      last: nextFailure(before?.last, error, this.#core.now()),
      devicePath: before?.devicePath ?? this.#pathOf(id),
      delay,
      cancelRetry,
    });
    // The same again is no news.
    const level = before?.error.message === text ? 'debug' : 'error';
    this.#core.log[level]({ volume: id, err: cause }, 'volume could not be loaded');
  }
}
