/**
 * Names of wdiff files. All metadata of a diff are in its name, so a directory scan rebuilds the
 * catalogue:
 *
 *     YYYYMMDDhhmmss-MC-B-E.wdiff           clean
 *     YYYYMMDDhhmmss-MC-B0-B1-E0-E1.wdiff   dirty
 *
 * Source: semantics.md A.6, formats.md 8. M or `-`: mergeable; C or `-`: compared; gids decimal; UTC.
 */
import {
  type Bytes,
  corrupt,
  formatTimestampDigits,
  parseTimestampDigits,
  parseU64,
  quote,
  WalbError,
} from '../core/index.ts';
import { type Diff, diffOf, isCleanDiff } from './algebra/diff.ts';
import { snapshot } from './algebra/snapshot.ts';

const WDIFF_SUFFIX = '.wdiff';

const NAME = /^([0-9]{14})-([M-])([C-])-([0-9]+)-([0-9]+)(?:-([0-9]+)-([0-9]+))?\.wdiff$/;

/** Whether a directory entry claims to be a wdiff; `parseDiffName` says whether it is right. */
export function hasDiffSuffix(name: string): boolean {
  return name.endsWith(WDIFF_SUFFIX);
}

export function formatDiffName(d: Diff): string {
  const flags = (d.isMergeable ? 'M' : '-') + (d.isCompared ? 'C' : '-');
  const gids = isCleanDiff(d) ? [d.B.b, d.E.b] : [d.B.b, d.B.e, d.E.b, d.E.e];
  return `${formatTimestampDigits(d.timestamp)}-${flags}-${gids.join('-')}${WDIFF_SUFFIX}`;
}

/**
 * Reverse of `formatDiffName`; the size of the file comes from outside. Only the exact form that
 * `formatDiffName` writes is accepted, so that name and diff stand for each other. Throws `corrupt`.
 */
export function parseDiffName(name: string, dataSize: Bytes = 0): Diff {
  try {
    const parsed = parseFields(name, dataSize);
    if (parsed !== undefined && formatDiffName(parsed) === name) return parsed;
  } catch (error) {
    throw badName(name, WalbError.from(error).message);
  }
  throw badName(name, 'expected YYYYMMDDhhmmss-MC-B-E.wdiff or -B0-B1-E0-E1.wdiff');
}

function parseFields(name: string, dataSize: Bytes): Diff | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const [, time = '', m, c, ...texts] = match;
  const gids = texts.filter((text) => text !== undefined).map((text) => parseU64(text, 'gid'));
  const [g0 = 0n, g1 = 0n, g2, g3] = gids;
  const isCleanForm = g2 === undefined || g3 === undefined;
  const B = isCleanForm ? snapshot(g0) : snapshot(g0, g1);
  const E = isCleanForm ? snapshot(g1) : snapshot(g2, g3);
  return diffOf(B, E, {
    isMergeable: m === 'M',
    isCompared: c === 'C',
    timestamp: parseTimestampDigits(time),
    dataSize,
  });
}

function badName(name: string, reason: string): WalbError {
  return corrupt(`bad wdiff name ${quote(name)}: ${reason}`, { name: name.slice(0, 255), reason });
}
