/** How far an archive is behind, from what every hop says. Pure. */
import type { ArchiveRow, QueueRow, StorageRow } from './facts.ts';

/** What was sent this long ago and is nowhere is not on its way any more. */
const ON_ITS_WAY_SEC = 60;

/** The storage that feeds a volume: the one that has it as Target. */
export function sourceOf(volumes: readonly StorageRow[], volume: string): StorageRow | undefined {
  const all = volumes.filter((row) => row.volume === volume);
  return (
    all.find(({ state }) => state === 'Target') ?? all.find(({ state }) => state !== 'Standby')
  );
}

/**
 * Everything that is not at the archive waits at the storage or at a proxy, and each of them says since
 * when. Where neither holds what the archive lacks, its latest snapshot is all that is left.
 */
export function withLag(
  row: ArchiveRow,
  volumes: readonly StorageRow[],
  queues: readonly QueueRow[],
): ArchiveRow {
  const source = sourceOf(volumes, row.volume);
  const own = queues.filter(
    ({ volume, archive }) => volume === row.volume && archive === row.server,
  );
  const isSynchronizing = own.length > 0;
  if (source === undefined) return { ...row, isSynchronizing };
  const queued = own.reduce((sum, { bytes }) => sum + bytes, 0);
  const isBehind = row.latestGid !== null && row.latestGid < source.sentGid;
  const isQueued = own.some(({ numDiff }) => numDiff > 0);
  const isMissingData =
    isBehind &&
    isSynchronizing &&
    !isQueued &&
    source.lastSent > 0 &&
    source.now - source.lastSent > ON_ITS_WAY_SEC;
  const waiting = Math.max(source.lagSec, ...own.map(({ ageSec }) => ageSec));
  const sinceLatest = Math.max(0, row.now - row.latestTime);
  const isStale = isBehind && (isMissingData || !isSynchronizing);
  return {
    ...row,
    isSynchronizing,
    isMissingData,
    lagBytes: source.lagBytes + queued,
    lagSec: isStale ? Math.max(waiting, sinceLatest) : waiting,
  };
}
