/**
 * Waiting for something at one volume of one server: a bounded series of looks at it. When time runs
 * out the error says what was waited for and what was seen last.
 *
 * Source: controller-api.md 5.9.
 */
import { hasCode, type Millis, WalbError } from '../../core/index.ts';
import type { VolumeView } from '../../rpc/index.ts';
import { atServer, type ServerConnection } from '../connection.ts';
import { describeView } from '../describe.ts';
import type { FullEnvironment } from '../environment.ts';
import { type Seen, watchVolume } from '../watching.ts';

/** With a limit of 0 the present state decides; this is how long one look may take. */
const SINGLE_LOOK: Millis = 10_000;

export interface LookExtras {
  /** More facts for the error when time runs out. */
  readonly missing?: () => string;
  /** Watches something else until the signal; the error it throws ends the wait. */
  readonly failing?: (signal: AbortSignal) => Promise<unknown>;
}

export interface LookSpec extends LookExtras {
  readonly environment: FullEnvironment;
  readonly connection: ServerConnection;
  readonly volume: string;
  /** For messages: what is waited for, for example `state SyncReady`. */
  readonly what: string;
  /** 0 = look once. */
  readonly timeoutS: number;
  /** Interrupts the wait. */
  readonly signal: AbortSignal;
}

/** Views of the volume as they change, until the reader leaves or time runs out (`timeout`). */
export async function* looks(spec: LookSpec): AsyncGenerator<Seen, never, undefined> {
  const { environment, connection, volume, timeoutS } = spec;
  const { clock } = environment;
  const began = clock.monotonic();
  let view: VolumeView | undefined;
  let unreachable: string | undefined;
  const late = new AbortController();
  const cancelTimer = clock.after(timeoutS > 0 ? timeoutS * 1000 : SINGLE_LOOK, () =>
    late.abort(timeoutError(spec, view, unreachable)),
  );
  const ended = new AbortController();
  spec.failing?.(AbortSignal.any([ended.signal, spec.signal])).catch((error: unknown) => {
    if (!ended.signal.aborted && !spec.signal.aborted) late.abort(error);
  });
  const report = (): void => {
    const elapsedMs = clock.monotonic() - began;
    environment.onWait({
      server: connection.name,
      volume,
      what: spec.what,
      view,
      unreachable,
      elapsedMs,
    });
  };
  const onLoss = (error: WalbError): void => {
    unreachable = error.message;
    report();
    if (timeoutS <= 0) late.abort(error);
  };
  try {
    const signal = AbortSignal.any([late.signal, spec.signal]);
    for await (const seen of watchVolume(connection, volume, { clock, signal, onLoss })) {
      view = seen.view;
      unreachable = undefined;
      report();
      yield seen;
      if (timeoutS <= 0) throw timeoutError(spec, view, unreachable);
    }
    throw new WalbError('internal', 'a watch ended by itself');
  } catch (thrown) {
    if (late.signal.aborted) throw WalbError.from(late.signal.reason);
    if (spec.signal.aborted) throw WalbError.from(spec.signal.reason);
    throw hasCode(thrown, 'timeout') ? thrown : atServer(connection, thrown);
  } finally {
    cancelTimer();
    ended.abort();
    environment.onWait(undefined);
  }
}

function timeoutError(
  { connection, volume, what, timeoutS, missing }: LookSpec,
  view: VolumeView | undefined,
  unreachable: string | undefined,
): WalbError {
  const seen =
    unreachable !== undefined
      ? `it can not be reached: ${unreachable}`
      : view === undefined
        ? 'it has not answered'
        : describeView(view);
  const more = missing === undefined ? '' : `; ${missing()}`;
  const message = `timeout: waited ${timeoutS} s for ${what} of volume ${volume} at ${connection.name}: ${seen}${more}`;
  return new WalbError('timeout', message, {
    details: { server: connection.name, volume, what, timeoutS, state: view?.state },
  });
}
