/**
 * What an archive tells about its volumes: the `get` targets.
 *
 * Source: cli.md 1.5, semantics.md A.5, E.3.
 */
import { type Binding, checkVolumeId, type Gid, WalbError } from '../core/index.ts';
import {
  type AllActionsReply,
  ArchiveRpc,
  diffToMessage,
  type GidLimitRequest,
  handle,
  type RestorableReply,
  type RestorableRequest,
  snapshotFromMessage,
  snapshotToMessage,
  stateToMessage,
} from '../rpc/index.ts';
import {
  applicableChain,
  applyingStateUpTo,
  type Diff,
  restorableSnapshots,
  snapshotUpTo,
  stateUpTo,
  totalSize,
} from '../wdiff/index.ts';
import {
  ARCHIVE_ACTIONS,
  ARCHIVE_ACTIVE_STATES,
  type ArchiveAction,
  type ArchiveCommand,
} from './states.ts';
import type { ArchiveVolume } from './volume.ts';

export interface QueryHost {
  all(): ArchiveVolume[];
  /** Throws for a volume that could not be loaded. */
  find(volume: string): ArchiveVolume | undefined;
  /** The volume, admitted for the command. Throws its refusal. */
  admitted(volume: string, command: ArchiveCommand): ArchiveVolume;
}

export function queryBindings(host: QueryHost): Binding[] {
  return [
    handle(ArchiveRpc.getDiffs, async (request) => ({
      diffs: diffsBetween(host, request).map(diffToMessage),
    })),
    handle(ArchiveRpc.getNumDiff, async (request) => ({
      value: diffsBetween(host, request).length,
    })),
    handle(ArchiveRpc.getTotalDiffSize, async (request) => ({
      value: totalSize(diffsBetween(host, request)),
    })),
    handle(ArchiveRpc.getApplicableDiffs, async ({ volume, gid }) => {
      const { diffs, base } = known(host, volume).catalogue;
      return { diffs: applicableChain(diffs, base.base, gid).map(diffToMessage) };
    }),
    handle(ArchiveRpc.existsDiff, async ({ volume, snapB, snapE }) => {
      const { diffs } = host.admitted(volume, 'get exists-diff').catalogue;
      const wanted = { B: snapshotFromMessage(snapB), E: snapshotFromMessage(snapE) };
      return { value: diffs.has(wanted) };
    }),
    handle(ArchiveRpc.existsBaseImage, async ({ volume }) => ({
      value: known(host, volume).images.baseSize() !== undefined,
    })),
    handle(ArchiveRpc.getRestorable, async (request) => restorable(host, request)),
    handle(ArchiveRpc.getRestored, async ({ volume }) => ({
      images: host.admitted(volume, 'get restored').restored(),
    })),
    handle(ArchiveRpc.getCold, async ({ volume }) => ({
      gids: host
        .admitted(volume, 'get cold')
        .images.cold()
        .map(({ gid }) => gid),
    })),
    handle(ArchiveRpc.getUuid, async ({ volume }) => ({
      uuid: host.admitted(volume, 'get uuid').catalogue.uuid,
    })),
    handle(ArchiveRpc.getArchiveUuid, async ({ volume }) => ({
      uuid: host.admitted(volume, 'get archive-uuid').catalogue.archiveUuid,
    })),
    handle(ArchiveRpc.getBase, async ({ volume }) =>
      stateToMessage(host.admitted(volume, 'get base').catalogue.base),
    ),
    handle(ArchiveRpc.getBaseAll, async () => ({
      items: active(host).map(({ id, catalogue }) => ({
        volume: id,
        base: stateToMessage(catalogue.base),
      })),
    })),
    handle(ArchiveRpc.getMetaSnap, async (request) => snapshotToMessage(metaSnap(host, request))),
    handle(ArchiveRpc.getMetaState, async ({ volume, isApplying, gid }) => {
      const { diffs, base } = known(host, volume).catalogue;
      const upTo = isApplying ? applyingStateUpTo : stateUpTo;
      return stateToMessage(upTo(diffs, base, gid));
    }),
    handle(ArchiveRpc.getVolSize, async ({ volume }) => {
      const found = known(host, volume);
      found.requireSize();
      return { value: found.sizeLb as number };
    }),
    handle(ArchiveRpc.getProgress, async ({ volume }) => ({
      value: known(host, volume).progressLb,
    })),
    handle(ArchiveRpc.getNumAction, async ({ volume, action }) => {
      const found = host.admitted(volume, 'get num-action');
      if (!(ARCHIVE_ACTIONS as readonly string[]).includes(action)) {
        throw new WalbError(
          'invalid-argument',
          `no action '${action}'; there are: ${ARCHIVE_ACTIONS.join(', ')}`,
        );
      }
      return { value: found.actions.count(action as ArchiveAction) };
    }),
    handle(ArchiveRpc.getAllActions, async () => allActions(host)),
    handle(ArchiveRpc.getTsDelta, async () => ({
      items: host.all().flatMap((volume) => {
        const latest = { gid: volume.latest().b, timestamp: volume.latestTimestamp() };
        return volume.replicas.deltas(volume.id, latest);
      }),
    })),
  ];
}

function known(host: QueryHost, volume: string): ArchiveVolume {
  const found = host.find(checkVolumeId(volume));
  if (found !== undefined) return found;
  throw new WalbError('not-found', `volume ${volume} is not known here`, { details: { volume } });
}

function active(host: QueryHost): ArchiveVolume[] {
  return host.all().filter(({ state }) => ARCHIVE_ACTIVE_STATES.includes(state));
}

function diffsBetween(
  host: QueryHost,
  { volume, gid0, gid1 }: { volume: string; gid0: Gid; gid1: Gid },
): readonly Diff[] {
  if (gid0 >= gid1) {
    throw new WalbError('invalid-argument', `empty gid range ${gid0}..${gid1}`, {
      details: { gid0, gid1 },
    });
  }
  return known(host, volume).catalogue.diffs.between(gid0, gid1);
}

/** Empty, not an error, while the volume holds no usable data. */
function restorable(host: QueryHost, { volume, all }: RestorableRequest): RestorableReply {
  const found = host.find(checkVolumeId(volume));
  if (found === undefined) return { items: [] };
  found.admit('get restorable');
  if (!ARCHIVE_ACTIVE_STATES.includes(found.state)) return { items: [] };
  const { diffs, base } = found.catalogue;
  return { items: restorableSnapshots(diffs, base, { all }) };
}

function metaSnap(host: QueryHost, { volume, gid }: GidLimitRequest) {
  const { diffs, base } = known(host, volume).catalogue;
  return snapshotUpTo(diffs, base, gid);
}

function allActions(host: QueryHost): AllActionsReply {
  return {
    volumes: active(host).map((volume) => ({
      volume: volume.id,
      actions: volume.actionStatus(ARCHIVE_ACTIONS),
    })),
  };
}
