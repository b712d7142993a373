/**
 * Waiting for a fact about the whole group: it is looked at anew whenever a server says that something
 * has changed, comes back or goes away; nothing polls but for what only time changes.
 */
import { type Clock, type Millis, Notifier, WalbError } from '../../core/index.ts';
import { ControlRpc } from '../../rpc/index.ts';
import type { ServerConnection } from '../connection.ts';
import type { GroupStatus } from './facts.ts';

/** True, or what is still missing. Throws when it can never be true. */
export type GroupFact = (group: GroupStatus) => true | string;

export interface GroupWait {
  readonly clock: Clock;
  /** Servers whose changes matter. */
  readonly connections: readonly ServerConnection[];
  /** Whose changes matter; undefined = any. */
  readonly volume: string | undefined;
  readonly look: () => Promise<GroupStatus>;
  readonly what: string;
  /** 0 = look once. */
  readonly timeoutS: number;
  readonly signal: AbortSignal;
  /** Called with what is missing after each look. */
  readonly onLook?: (missing: string) => void;
}

/** A burst of changes is answered with one look. */
const SETTLE_MS: Millis = 200;
/** What no event tells: ages, and servers that hang. */
const LOOK_AGAIN_MS: Millis = 5_000;
const RECONNECT_MS: Millis = 1_000;

/** Resolves with the group for which `fact` is true. Throws `timeout` saying what was missing. */
export async function waitForGroup(wait: GroupWait, fact: GroupFact): Promise<GroupStatus> {
  const { clock, timeoutS } = wait;
  if (timeoutS <= 0) return await lookOnce(wait, fact);
  const late = new AbortController();
  let missing = 'no server has answered';
  const cancelTimer = clock.after(timeoutS * 1000, () => late.abort(timeoutError(wait, missing)));
  const signal = AbortSignal.any([late.signal, wait.signal]);
  const changes = new Changes(wait, signal);
  try {
    for (;;) {
      const seen = changes.count;
      const group = await interruptible(wait.look(), signal);
      const result = fact(group);
      if (result === true) return group;
      missing = result;
      wait.onLook?.(missing);
      await changes.after(seen, signal);
    }
  } catch (thrown) {
    if (late.signal.aborted) throw late.signal.reason;
    if (wait.signal.aborted) throw WalbError.from(wait.signal.reason);
    throw thrown;
  } finally {
    cancelTimer();
    changes.end();
  }
}

/** A limit of 0: the present state decides, however long the look takes. */
async function lookOnce(wait: GroupWait, fact: GroupFact): Promise<GroupStatus> {
  const group = await interruptible(wait.look(), wait.signal);
  const result = fact(group);
  if (result === true) return group;
  throw timeoutError(wait, result);
}

function timeoutError({ what, timeoutS }: GroupWait, missing: string): WalbError {
  return new WalbError('timeout', `timeout: waited ${timeoutS} s for ${what}: ${missing}`, {
    details: { what, timeoutS },
  });
}

async function interruptible<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener('abort', stop);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
    work.catch(() => {});
  }
}

/** Counts the changes that the watched servers announce. */
class Changes {
  readonly #clock: Clock;
  readonly #notifier = new Notifier();
  readonly #ended = new AbortController();
  count = 0;

  constructor({ clock, connections, volume }: GroupWait, signal: AbortSignal) {
    this.#clock = clock;
    const both = AbortSignal.any([signal, this.#ended.signal]);
    for (const connection of connections) void this.#follow(connection, volume, both);
  }

  /** Resolves some time after a change that came later than `seen`, or when it is time to look anyway. */
  async after(seen: number, signal: AbortSignal): Promise<void> {
    let isTime = false;
    const cancelTimer = this.#clock.after(LOOK_AGAIN_MS, () => {
      isTime = true;
      this.#notifier.notify();
    });
    try {
      await this.#notifier.until(() => isTime || this.count > seen, signal);
      if (!isTime) await this.#clock.sleep(SETTLE_MS, signal);
    } finally {
      cancelTimer();
    }
  }

  end(): void {
    this.#ended.abort(new WalbError('cancelled', 'the wait has ended'));
  }

  async #follow(
    connection: ServerConnection,
    volume: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const volumes = volume === undefined ? [] : [volume];
    while (!signal.aborted) {
      try {
        for await (const _ of connection.stream(ControlRpc.watch, { volumes }, signal))
          this.#note();
      } catch {
        // Whether it is down or refuses, the next look tells.
      }
      this.#note();
      await this.#clock.sleep(RECONNECT_MS, signal).catch(() => {});
    }
  }

  #note(): void {
    this.count += 1;
    this.#notifier.notify();
  }
}
