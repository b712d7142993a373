/**
 * Stopping a volume at a storage: Target becomes Stopped, Standby becomes SyncReady. Graceful waits for
 * a running chunk or backup, force makes it give up. What is not reached in time changes nothing.
 *
 * Source: semantics.md B.7.
 */
import { WalbError } from '../core/index.ts';
import { type Accepted, StopMode, TaskKind } from '../rpc/index.ts';
import type { ServerCore } from '../server/server-core.ts';
import { STOP_TIMEOUT_MS, untilWithin } from '../server/wait.ts';
import type { StorageVolume } from './volume.ts';

export interface StopHost {
  readonly core: ServerCore;
  /** Looks at the log of the volume now. */
  sendNow(volume: StorageVolume): void;
}

/** Checks and starts the stop; the work goes on after the reply. */
export function stopStorageVolume(host: StopHost, volume: StorageVolume, mode: StopMode): Accepted {
  if (mode !== StopMode.GRACEFUL && mode !== StopMode.FORCE) {
    throw new WalbError(
      'invalid-argument',
      'a storage stops a volume with the mode graceful or force',
    );
  }
  volume.admit('stop');
  const stop = volume.stop.begin(mode === StopMode.FORCE ? 'force' : 'graceful');
  return volume.tasks.start(TaskKind.STOP, async () => {
    using _stop = stop;
    const isQuiet = (): boolean => volume.machine.isSteady && volume.actions.total === 0;
    if (!(await untilWithin(host.core.clock, volume.changed, isQuiet, STOP_TIMEOUT_MS))) {
      // What was due while the volume was stopping has been dropped.
      host.sendNow(volume);
      throw new WalbError(
        'timeout',
        `volume ${volume.id} was not stopped: after ${STOP_TIMEOUT_MS / 1000} s it is still ${volume.state} and runs ${volume.actions.running().join(', ') || 'nothing'}; stop it by force`,
        { details: { volume: volume.id, state: volume.state } },
      );
    }
    await leave(volume);
  });
}

async function leave(volume: StorageVolume): Promise<void> {
  const { state } = volume;
  if (state === 'Target') return await leaveTarget(volume);
  if (state === 'Standby') {
    using change = volume.machine.begin('stop-standby');
    volume.stopMonitoring();
    await volume.files.setState('SyncReady');
    return change.commit();
  }
  // A backup that was under way failed, or was stopped: there is nothing left to stop.
  if (state !== 'SyncReady') {
    throw new WalbError(
      'wrong-state',
      `volume ${volume.id} is ${state}; only Target and Standby stop`,
      {
        details: { volume: volume.id, state },
      },
    );
  }
}

/** Target to Stopped; also what an overflow leads to (W2). */
export async function leaveTarget(volume: StorageVolume): Promise<void> {
  using change = volume.machine.begin('stop-target');
  volume.stopMonitoring();
  await volume.files.setState('Stopped');
  change.commit();
}
