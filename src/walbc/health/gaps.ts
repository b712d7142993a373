/** Gaps as the facts of the group tell them (systems.md W7). Pure. */
import type { UnixSeconds } from '../../core/index.ts';
import type { GapReport } from '../../rpc/index.ts';
import type { GapRow } from './facts.ts';

export function gapRow(
  reporter: string,
  volume: string,
  archive: string,
  gap: GapReport,
  now: UnixSeconds,
): GapRow {
  return {
    volume,
    archive,
    reportedBy: [reporter],
    gidB: gap.expected?.gidB ?? 0n,
    gidE: gap.found?.snapB?.gidB ?? null,
    since: gap.since,
    ageSec: gap.since === 0 ? 0 : Math.max(0, now - gap.since),
    advice: gap.advice,
  };
}

/** An archive and the proxies that meet a gap there report the same one: the longest known says since when. */
export function mergeGaps(gaps: readonly GapRow[]): GapRow[] {
  const merged = new Map<string, GapRow>();
  for (const gap of gaps) {
    const key = `${gap.volume} ${gap.archive} ${gap.gidB}`;
    const known = merged.get(key);
    merged.set(key, known === undefined ? gap : joined(known, gap));
  }
  return [...merged.values()];
}

function joined(a: GapRow, b: GapRow): GapRow {
  const older = b.ageSec > a.ageSec ? b : a;
  // What proxies hold may begin at different gids: the piece that is missing for sure ends at the first.
  const ends = [a.gidE, b.gidE].filter((gid) => gid !== null);
  const gidE = ends.length === 0 ? null : ends.reduce((x, y) => (y < x ? y : x));
  return { ...older, gidE, reportedBy: [...new Set([...a.reportedBy, ...b.reportedBy])] };
}
