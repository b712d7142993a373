/**
 * What of a volume's data a replication decides on, and the log histories written in its diffs.
 *
 * Source: semantics.md D.2, D.9; formats.md 4 (uuid of the file header).
 */
import { toHex, WalbError, zeroUuid } from '../core/index.ts';
import { fromHex } from '../core/text.ts';
import {
  applicableChain,
  type Diff,
  endApplying,
  formatSpanOf,
  type MetaState,
  minimumChain,
  readDiffHeader,
} from '../wdiff/index.ts';
import type { History, OwnData, ServerPoint } from './replication-decision.ts';
import type { ArchiveVolume } from './volume.ts';

const ZERO = toHex(zeroUuid());

export function historyOfUuid(uuid: Uint8Array): History {
  const text = toHex(uuid);
  return text === ZERO || text === '' ? undefined : text;
}

export function uuidOfHistory(history: History): Uint8Array {
  return history === undefined ? zeroUuid() : fromHex(history, 'uuid');
}

/** The history that the end of a diff is of, read from its file. */
function historyIn({ catalogue }: ArchiveVolume, diff: Diff): History {
  const handle = catalogue.open(diff);
  try {
    return historyOfUuid(readDiffHeader(handle).uuid);
  } finally {
    handle.close();
  }
}

/** A picture of this moment: the files of its diffs must be opened before the next await. */
export function ownData(volume: ArchiveVolume): OwnData {
  const { base, diffs, uuid } = volume.catalogue;
  const known = new Map<Diff, History>();
  return {
    base,
    diffs,
    history: historyOfUuid(uuid),
    historyOf: (diff) => {
      if (!known.has(diff)) known.set(diff, historyIn(volume, diff));
      return known.get(diff);
    },
  };
}

/** The latest snapshot, and the history it is of: that of the last diff, or of the volume without one. */
export function latestPoint(volume: ArchiveVolume): ServerPoint {
  const { base, diffs, uuid } = volume.catalogue;
  const last = applicableChain(diffs, base.base).at(-1);
  const history = last === undefined ? undefined : historyIn(volume, last);
  return { latest: volume.latest(), history: history ?? historyOfUuid(uuid) };
}

/**
 * The nearest state the base image can be read as: its own, or after an interrupted apply that of the
 * diffs it must be read with. Throws `not-found` when these are missing.
 */
export function oldestState({ catalogue }: ArchiveVolume): MetaState {
  const { base, diffs } = catalogue;
  const minimum = minimumChain(diffs, base);
  if (minimum !== undefined) return endApplying(base, minimum);
  throw new WalbError(
    'not-found',
    `the base image is half-way in ${formatSpanOf(base)} and diffs are missing: nothing can be replicated from here`,
    { details: { state: formatSpanOf(base) } },
  );
}
