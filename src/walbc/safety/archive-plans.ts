/** What calls at archives lose (controller-api.md 5.3, 5.6 to 5.8). Pure: facts in, parts of a plan out. */
import type { ArchiveAt, Facts, VolumeAt } from './facts.ts';
import type { PlanParts } from './plan.ts';
import {
  count,
  diffsText,
  gidsText,
  rangeText,
  sizeOfLb,
  sizeText,
  snapshotText,
} from './words.ts';

export function archivesOf(volume: readonly VolumeAt[]): ArchiveAt[] {
  return volume.filter((at) => at.kind === 'archive');
}

/** Whether an archive holds data of the volume. */
export function holdsData({ status }: ArchiveAt): boolean {
  return status.state !== 'Clear' && (status.sizeLb !== undefined || status.numDiff > 0);
}

/** The whole of what an archive holds: for clear and reset, and the destination of a resync. */
export function everythingAt(at: ArchiveAt): string[] {
  const { server, status, diffs, restorable, restored, cold, exports } = at;
  if (!holdsData(at)) return [];
  const { volume, sizeLb } = status;
  return [
    ...(sizeLb === undefined ? [] : [`base image of ${volume} at ${server}, ${sizeOfLb(sizeLb)}`]),
    ...(diffs.length === 0 ? [] : [diffsText(diffs)]),
    ...(restorable.length === 0 ? [] : [`restorable: ${rangeText(restorable)}`]),
    ...(restored.length === 0
      ? []
      : [`${count(restored.length, 'restored image')}: gid ${gidsText(restored)}`]),
    ...(cold.length === 0 ? [] : [`${count(cold.length, 'cold snapshot')}: gid ${gidsText(cold)}`]),
    ...(exports.length === 0
      ? []
      : [`${count(exports.length, 'export')} and what was written to them`]),
  ];
}

/** What the other archives keep; a warning where this is the only copy. */
function elsewhere(at: ArchiveAt, facts: Facts): PlanParts {
  const { volume } = at.status;
  const others = facts.volume.filter(({ server }) => server !== at.server);
  const copies = archivesOf(others).filter(holdsData);
  const silent = others.flatMap((other) =>
    other.kind === 'silent' ? [`${other.server} did not answer: ${other.why}`] : [],
  );
  const stays = copies.map(
    ({ server, restorable }) => `${server} keeps ${rangeText(restorable)} of ${volume}`,
  );
  const isOnly = copies.length === 0;
  const source = copies.toSorted((a, b) => b.restorable.length - a.restorable.length)[0];
  return {
    losses: isOnly ? [`no other archive that answers holds ${volume}: this is the only copy`] : [],
    stays: [...stays, ...silent],
    undo: [
      ...(source === undefined
        ? ['none for these snapshots']
        : [
            `walbc.replicate_once(${source.server}, '${volume}', ${at.server}) brings what ${source.server} has`,
          ]),
      ...facts.volume.flatMap((other) =>
        other.kind === 'storage' && other.status.state !== 'Clear'
          ? [`walbc.full_backup(${other.server}, '${volume}') begins anew from ${other.server}`]
          : [],
      ),
    ],
  };
}

export function losingArchive(at: ArchiveAt, facts: Facts): PlanParts {
  const losses = everythingAt(at);
  if (losses.length === 0) {
    return {
      obstacles: [`${at.server} holds no data of ${at.status.volume} (${at.status.state})`],
    };
  }
  const rest = elsewhere(at, facts);
  return { ...rest, losses: [...losses, ...(rest.losses ?? [])] };
}

/** Snapshots before `gid` are gone once the base image has passed them. */
export function applying(at: ArchiveAt, gid: bigint): PlanParts {
  const { server, restorable, applicable, status } = at;
  if (!applicable.some((diff) => diff.E.gidB === gid)) {
    const ends = applicable.map((diff) => diff.E.gidB);
    const there = ends.length === 0 ? 'there is none' : `they end at ${gidsText(ends)}`;
    return { obstacles: [`no diff that can be applied at ${server} ends at gid ${gid}: ${there}`] };
  }
  const lost = restorable.filter((info) => info.gid < gid);
  const explicit = lost.filter((info) => info.is_explicit === true);
  const applied = applicable.filter((diff) => diff.E.gidB <= gid);
  return {
    losses:
      lost.length === 0
        ? []
        : [
            `not restorable any more at ${server}: ${rangeText(lost)} of ${status.volume}`,
            ...(explicit.length === 0
              ? []
              : [`of them kept on purpose: gid ${gidsText(explicit.map((info) => info.gid))}`]),
          ],
    stays: [
      `restorable: ${rangeText(restorable.filter((info) => info.gid >= gid))}`,
      `${diffsText(applied)} go into the base image`,
    ],
    undo: lost.length === 0 ? [] : ['none: restore before what is still needed'],
  };
}

/** All that can be applied. */
export function applyingAll(at: ArchiveAt): PlanParts {
  const last = at.applicable.at(-1);
  return last === undefined
    ? { obstacles: [`${at.server} has nothing to apply`] }
    : applying(at, last.E.gidB);
}

export function merging(at: ArchiveAt, gidB: bigint, gidE: bigint): PlanParts {
  const inside = at.restorable.filter(({ gid }) => gid > gidB && gid < gidE);
  const explicit = inside.filter((info) => info.is_explicit === true).map(({ gid }) => gid);
  const merged = at.applicable.filter((diff) => diff.B.gidB >= gidB && diff.E.gidB <= gidE);
  if (merged.length === 0) return { obstacles: [`no diffs from gid ${gidB} to ${gidE}`] };
  if (explicit.length > 0) {
    const list = gidsText(explicit);
    return { obstacles: [`kept snapshots lie between: gid ${list}; disable_snapshot comes first`] };
  }
  return {
    losses:
      inside.length === 0
        ? []
        : [
            `between gid ${gidB} and ${gidE} of ${at.status.volume} at ${at.server}: ${rangeText(inside)}`,
          ],
    stays: [`${diffsText(merged)} become one; gid ${gidB} and ${gidE} stay as they are`],
    undo: inside.length === 0 ? [] : ['none; enable_snapshot before it keeps a snapshot'],
  };
}

export function disabling(at: ArchiveAt, gids: readonly bigint[]): PlanParts {
  const known = at.restorable.filter(({ gid }) => gids.includes(gid));
  const kept = known.filter((info) => info.is_explicit === true);
  const missing = gids.filter((gid) => !known.some((info) => info.gid === gid));
  const neighbours = kept.map((info) => {
    const before = at.applicable.find((diff) => diff.E.gidB === info.gid);
    const after = at.applicable.find((diff) => diff.B.gidB === info.gid);
    return before === undefined || after === undefined
      ? `${snapshotText(info)} is not kept any more`
      : `${snapshotText(info)} is not kept any more: ${before.B}-->${before.E} and ${after.B}-->${after.E} may be merged, then it is gone`;
  });
  return {
    losses: neighbours,
    stays: kept.length === 0 ? [] : ['restorable with the option all, until merged or applied'],
    undo:
      kept.length === 0
        ? []
        : [
            `walbc.enable_snapshot(${at.server}, '${at.status.volume}', [${gidsText(kept.map(({ gid }) => gid))}]) before that`,
          ],
    obstacles:
      missing.length === 0 ? [] : [`not restorable at ${at.server}: gid ${gidsText(missing)}`],
  };
}

/** Diffs that lie before the base image, or within a diff that replaces them. */
export function collecting(at: ArchiveAt): PlanParts {
  const { diffs, applicable, status } = at;
  const base = status.base?.snapB?.gidB;
  const useless = diffs.filter(
    (diff) =>
      !applicable.some((other) => other.equals(diff)) &&
      ((base !== undefined && diff.E.gidB <= base) ||
        diffs.some((other) => !other.equals(diff) && covers(other, diff))),
  );
  return {
    losses: useless.length === 0 ? [] : [`${diffsText(useless)} which no snapshot needs`],
    stays: [`restorable: ${rangeText(at.restorable)}`],
    obstacles: useless.length === 0 ? ['there is nothing to delete'] : [],
  };
}

function covers(a: ArchiveAt['diffs'][number], b: ArchiveAt['diffs'][number]): boolean {
  return a.B.gidB <= b.B.gidB && b.E.gidE <= a.E.gidE && a.E.gidB - a.B.gidB > b.E.gidB - b.B.gidB;
}

/** Deleting images that were made of snapshots. */
export function deleting(
  at: ArchiveAt,
  gids: readonly bigint[],
  kind: 'restored' | 'cold',
): PlanParts {
  const { server, status, restorable } = at;
  const there = gids.filter((gid) => at[kind].includes(gid));
  const noun = kind === 'restored' ? 'restored image' : 'cold snapshot';
  const parts = there.map((gid): PlanParts => {
    const again = restorable.some((info) => info.gid === gid);
    const what = `${noun} of gid ${gid} of ${status.volume} at ${server}, and what was written to it`;
    return {
      losses: [what],
      ...(again ? { stays: [`the snapshot gid ${gid} itself`] } : {}),
      undo: [
        again
          ? `walbc.restore(${server}, '${status.volume}', ${gid}) makes the image again, as it was first`
          : `none: gid ${gid} can not be restored any more`,
      ],
    };
  });
  const missing = gids.filter((gid) => !there.includes(gid));
  return {
    losses: parts.flatMap((part) => part.losses ?? []),
    stays: parts.flatMap((part) => part.stays ?? []),
    undo: parts.flatMap((part) => part.undo ?? []),
    obstacles:
      missing.length === 0 && there.length > 0
        ? []
        : [
            `there is no ${noun}${missing.length === 0 ? '' : ` of gid ${gidsText(missing)}`} at ${server}`,
          ],
  };
}

/** A destination whose data are made equal to the source's. */
export function resyncing(at: ArchiveAt, source: string): PlanParts {
  const losses = everythingAt(at);
  return losses.length === 0
    ? {}
    : {
        losses,
        stays: [`what ${source} has, which ${at.server} has afterwards`],
        undo: [`none for snapshots that only ${at.server} has`],
      };
}

export function growing(at: ArchiveAt, sizeMb: number): PlanParts {
  const { sizeLb } = at.status;
  if (sizeLb === undefined)
    return { obstacles: [`${at.server} has no image of ${at.status.volume}`] };
  const wanted = sizeMb * 1024 * 1024;
  if (wanted === sizeLb * 512) return { obstacles: [`it has ${sizeText(wanted)} already`] };
  if (wanted < sizeLb * 512) return { obstacles: ['volumes do not shrink'] };
  return {
    losses: [
      `the size ${sizeOfLb(sizeLb)} at ${at.server}: it grows to ${sizeText(wanted)} and can not shrink again`,
    ],
    stays: ['all data and snapshots'],
  };
}
