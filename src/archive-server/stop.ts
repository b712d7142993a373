/**
 * Stopping a volume at an archive: it waits until no action runs, then no diff is received any more.
 *
 * Source: semantics.md D.10, B.7.
 */
import { WalbError } from '../core/index.ts';
import { type Accepted, StopMode, TaskKind } from '../rpc/index.ts';
import { STOP_TIMEOUT_MS, untilWithin } from '../server/wait.ts';
import type { ArchiveVolume } from './volume.ts';

/** Checks and starts the stop; the work goes on after the reply. */
export function stopArchiveVolume(volume: ArchiveVolume, mode: StopMode): Accepted {
  if (mode !== StopMode.GRACEFUL && mode !== StopMode.FORCE) {
    throw new WalbError(
      'invalid-argument',
      'an archive stops a volume with the mode graceful or force',
    );
  }
  volume.admit('stop');
  const stop = volume.stop.begin(mode === StopMode.FORCE ? 'force' : 'graceful');
  return volume.tasks.start(TaskKind.STOP, async () => {
    using _stop = stop;
    const isQuiet = (): boolean => volume.machine.isSteady && volume.actions.total === 0;
    if (!(await untilWithin(volume.core.clock, volume.changed, isQuiet, STOP_TIMEOUT_MS))) {
      throw new WalbError(
        'timeout',
        `volume ${volume.id} was not stopped: after ${STOP_TIMEOUT_MS / 1000} s it is still ${volume.state} and runs ${volume.actions.running().join(', ') || 'nothing'}; stop it by force`,
        { details: { volume: volume.id, state: volume.state } },
      );
    }
    // A full backup that was force-stopped leaves SyncReady: there is nothing to stop then.
    if (volume.state === 'SyncReady') return;
    using change = volume.machine.begin('stop');
    await volume.catalogue.setState('Stopped');
    change.commit();
  });
}
