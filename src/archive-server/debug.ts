/**
 * Commands that change metadata as they are told, for repairs by hand and for tests.
 *
 * Source: cli.md 1.4 `dbg-*`: no safety checks beyond syntax, and beyond that no action runs.
 */
import { type Binding, UUID_BYTES, WalbError } from '../core/index.ts';
import { ArchiveRpc, handle, stateFromMessage } from '../rpc/index.ts';
import { metaState } from '../wdiff/index.ts';
import type { StoredState } from './catalogue.ts';
import { ARCHIVE_STEADY_STATES, type ArchiveCommand } from './states.ts';
import type { ArchiveVolume } from './volume.ts';

export interface DebugHost {
  /** The volume, admitted for the command. Throws its refusal. */
  admitted(volume: string, command: ArchiveCommand): ArchiveVolume;
}

/** One rule for all: nothing may run that uses what they change. */
const COMMAND = 'dbg-reload-metadata';

export function debugBindings(host: DebugHost): Binding[] {
  return [
    handle(ArchiveRpc.reloadMetadata, async ({ volume: id }) => {
      const volume = host.admitted(id, COMMAND);
      using _lock = await volume.lock.lock();
      volume.catalogue.load();
      touchAll(volume);
      return {};
    }),
    handle(ArchiveRpc.setUuid, async ({ volume: id, uuid }) => {
      const volume = host.admitted(id, COMMAND);
      if (uuid.length !== UUID_BYTES) {
        throw new WalbError('invalid-argument', 'uuid must be 16 bytes (32 hex digits)');
      }
      await volume.catalogue.setUuid(uuid);
      volume.log.warn({}, 'uuid set by hand');
      return {};
    }),
    handle(ArchiveRpc.setState, async ({ volume: id, state }) => {
      const volume = host.admitted(id, COMMAND);
      const wanted = storedState(state);
      // Refused while a transition is under way, before anything is written.
      volume.machine.force(wanted);
      await volume.catalogue.setState(wanted);
      return {};
    }),
    handle(ArchiveRpc.setBase, async ({ volume: id, base }) => {
      const volume = host.admitted(id, COMMAND);
      const wanted = stateFromMessage(base);
      await volume.catalogue.setBase(metaState(wanted.base, wanted.timestamp, wanted.applyingTo));
      volume.log.warn({}, 'base state set by hand');
      touchAll(volume);
      return {};
    }),
  ];
}

function storedState(text: string): StoredState {
  const known: readonly string[] = ARCHIVE_STEADY_STATES;
  if (text !== 'Clear' && known.includes(text)) return text as StoredState;
  const choice = known.filter((state) => state !== 'Clear').join(', ');
  throw new WalbError('invalid-argument', `'${text}' can not be set; one of ${choice} can`);
}

function touchAll(volume: ArchiveVolume): void {
  volume.touch('restorable', 'restored', 'cold', 'diff', 'size');
}
