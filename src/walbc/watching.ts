/**
 * Following a volume at a server: its views as they change, through losses of the connection and
 * restarts of the server. Waits are built upon this; nothing polls.
 *
 * Source: control.proto Watch; controller-api.md 5.9.
 */
import {
  backoffPolicy,
  type Clock,
  hasCode,
  type Millis,
  nextDelay,
  WalbError,
} from '../core/index.ts';
import { ControlRpc, type VolumeView } from '../rpc/index.ts';
import type { ServerConnection } from './connection.ts';

/** A server that restarts is back within moments; one that is down is not asked all the time. */
const RECONNECT = backoffPolicy(100, 3_000);

/** A server that stays away for longer than a machine needs to start ends the wait. */
export const UNREACHABLE_LIMIT: Millis = 300_000;

export interface Seen {
  readonly view: VolumeView;
  /** Of the server process: another one after a restart. */
  readonly instance: string;
}

export interface WatchOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called with each failure to reach the server. */
  readonly onLoss?: (error: WalbError) => void;
}

/**
 * The present view and then each new one. After a loss it connects again, and yields the present view
 * again. Throws what the server refuses, and `unavailable` when it stays away too long.
 */
export async function* watchVolume(
  connection: ServerConnection,
  volume: string,
  { clock, signal, onLoss }: WatchOptions,
): AsyncGenerator<Seen, never, undefined> {
  let delay: Millis | undefined;
  let lostSince: Millis | undefined;
  for (;;) {
    try {
      for await (const seen of viewsOf(connection, volume, signal)) {
        delay = undefined;
        lostSince = undefined;
        yield seen;
      }
      throw new WalbError('unavailable', `${connection.name} ended the watch`);
    } catch (thrown) {
      // A server that shuts down cancels its watches; that is a loss as any other.
      if (signal.aborted || !hasCode(thrown, 'unavailable', 'timeout', 'cancelled')) throw thrown;
      const error = WalbError.from(thrown);
      lostSince ??= clock.monotonic();
      if (clock.monotonic() - lostSince >= UNREACHABLE_LIMIT) throw error;
      onLoss?.(error);
    }
    delay = nextDelay(RECONNECT, delay);
    await clock.sleep(delay, signal);
  }
}

async function* viewsOf(
  connection: ServerConnection,
  volume: string,
  signal: AbortSignal,
): AsyncGenerator<Seen> {
  let view: VolumeView | undefined;
  let instance: string | undefined;
  for await (const { event } of connection.stream(
    ControlRpc.watch,
    { volumes: [volume] },
    signal,
  )) {
    if (event?.$case === 'ready') instance = event.value.instance;
    if (event?.$case === 'volume' && event.value.volume === volume) view = event.value;
    if (view !== undefined && instance !== undefined) yield { view, instance };
  }
}
