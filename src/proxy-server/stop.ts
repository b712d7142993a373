/**
 * Stopping a volume at a proxy. Graceful waits for what runs, force makes it give up, empty first
 * delivers everything that is queued. What is not reached in time changes nothing.
 *
 * Source: semantics.md C.5.
 */
import { type StopMode as StopModeName, throwIfAborted, WalbError } from '../core/index.ts';
import { type Accepted, StopMode, TaskKind } from '../rpc/index.ts';
import type { ServerCore } from '../server/server-core.ts';
import { STOP_TIMEOUT_MS, untilWithin } from '../server/wait.ts';
import type { ProxyVolume } from './volume.ts';

/** How often the queues are pushed while the volume empties: an archive may have come back. */
const PUSH_INTERVAL_MS = 1000;

export interface StopHost {
  readonly core: ServerCore;
  /** Runs the sends of this volume now. */
  pushSends(volume: ProxyVolume): void;
  /** Forgets queued sends of this volume. */
  dropSends(volume: ProxyVolume): void;
}

/** Checks and starts the stop; the work goes on after the reply. */
export function stopProxyVolume(host: StopHost, volume: ProxyVolume, mode: StopMode): Accepted {
  const name = modeName(mode);
  volume.admit('stop');
  const stop = volume.stop.begin(name);
  return volume.tasks.start(TaskKind.STOP, async () => {
    using _stop = stop;
    await (name === 'empty' ? stopWhenEmpty(host, volume) : stopNow(host, volume));
  });
}

function modeName(mode: StopMode): StopModeName {
  if (mode === StopMode.FORCE) return 'force';
  if (mode === StopMode.EMPTY) return 'empty';
  if (mode === StopMode.GRACEFUL) return 'graceful';
  throw new WalbError('invalid-argument', 'stop takes the mode graceful, force or empty');
}

async function stopNow(host: StopHost, volume: ProxyVolume): Promise<void> {
  const isQuiet = (): boolean => volume.machine.isSteady && volume.actions.total === 0;
  await waitFor(host, volume, isQuiet, 'what runs has not ended');
  using change = volume.machine.begin('stop');
  host.dropSends(volume);
  change.commit();
}

async function stopWhenEmpty(host: StopHost, volume: ProxyVolume): Promise<void> {
  await waitFor(host, volume, () => volume.machine.isSteady, 'what runs has not ended');
  using change = volume.machine.begin('stop-empty');
  const isEmpty = (): boolean => volume.spool.isEmpty() && volume.actions.total === 0;
  let pushing = true;
  const push = (): void => {
    if (!pushing) return;
    host.pushSends(volume);
    host.core.clock.after(PUSH_INTERVAL_MS, push);
  };
  push();
  try {
    // A server that shuts down sends nothing more: the volume can not become empty.
    await waitFor(host, volume, isEmpty, 'diffs are still queued', host.core.stopping);
  } finally {
    pushing = false;
  }
  host.dropSends(volume);
  change.commit();
}

async function waitFor(
  host: StopHost,
  volume: ProxyVolume,
  predicate: () => boolean,
  problem: string,
  signal?: AbortSignal,
): Promise<void> {
  const { clock } = host.core;
  if (await untilWithin(clock, volume.changed, predicate, STOP_TIMEOUT_MS, signal)) return;
  throwIfAborted(signal, `stop of ${volume.id}`);
  const left = volume.spool
    .archives()
    .map((archive) => `${archive}: ${volume.spool.queue(archive).length} diffs queued`);
  throw new WalbError(
    'timeout',
    `volume ${volume.id} was not stopped: ${problem} after ${STOP_TIMEOUT_MS / 1000} s (state ${volume.state}; ${left.join(', ')})`,
    { details: { volume: volume.id, state: volume.state } },
  );
}
