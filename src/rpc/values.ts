/**
 * The snapshot algebra's values as messages and back.
 *
 * The algebra (src/wdiff/algebra) is above this folder, so its values are named here by their shape.
 * Messages come from other programs: what must be there is checked, the rules of the algebra are
 * checked by the algebra itself.
 */
import { WalbError } from '../core/index.ts';
import type { CompressOption, MetaDiff, MetaSnap, MetaState } from './generated/walb/v1/common.ts';
import { CompressionKind } from './generated/walb/v1/common.ts';

interface SnapshotShape {
  readonly b: bigint;
  readonly e: bigint;
}

interface DiffShape {
  readonly B: SnapshotShape;
  readonly E: SnapshotShape;
  readonly isMergeable: boolean;
  readonly isCompared: boolean;
  readonly timestamp: number;
  readonly dataSize: number;
}

interface StateShape {
  readonly base: SnapshotShape;
  readonly applyingTo?: SnapshotShape;
  readonly timestamp: number;
}

export type CompressionName = 'none' | 'snappy' | 'gzip' | 'lzma' | 'lz4' | 'zstd';

interface CompressShape {
  readonly kind: CompressionName;
  readonly level: number;
  readonly nrCpu: number;
}

export function snapshotToMessage({ b, e }: SnapshotShape): MetaSnap {
  return { gidB: b, gidE: e };
}

/** Throws `invalid-argument` when the field is absent or runs backwards. */
export function snapshotFromMessage(
  message: MetaSnap | undefined,
  what = 'snapshot',
): SnapshotShape {
  if (message === undefined) throw missing(what);
  const { gidB: b, gidE: e } = message;
  if (b > e) throw new WalbError('invalid-argument', `${what} |${b},${e}| runs backwards`);
  return { b, e };
}

export function diffToMessage(diff: DiffShape): MetaDiff {
  return {
    snapB: snapshotToMessage(diff.B),
    snapE: snapshotToMessage(diff.E),
    isMergeable: diff.isMergeable,
    isCompDiff: diff.isCompared,
    timestamp: diff.timestamp,
    dataSizeBytes: diff.dataSize,
  };
}

/** Throws `invalid-argument` when a field is absent or the diff does not lead forward. */
export function diffFromMessage(message: MetaDiff | undefined, what = 'diff'): DiffShape {
  if (message === undefined) throw missing(what);
  const B = snapshotFromMessage(message.snapB, `${what} begin`);
  const E = snapshotFromMessage(message.snapE, `${what} end`);
  if (B.b >= E.b || B.e > E.e) {
    const text = `|${B.b},${B.e}|-->|${E.b},${E.e}|`;
    throw new WalbError('invalid-argument', `${what} ${text} does not lead forward`);
  }
  return {
    B,
    E,
    isMergeable: message.isMergeable,
    isCompared: message.isCompDiff,
    timestamp: message.timestamp,
    dataSize: message.dataSizeBytes,
  };
}

export function stateToMessage(state: StateShape): MetaState {
  return {
    snapB: snapshotToMessage(state.base),
    snapE: state.applyingTo === undefined ? undefined : snapshotToMessage(state.applyingTo),
    timestamp: state.timestamp,
  };
}

/** Throws `invalid-argument` when the base is absent. */
export function stateFromMessage(message: MetaState | undefined, what = 'base state'): StateShape {
  if (message === undefined) throw missing(what);
  const base = snapshotFromMessage(message.snapB, what);
  if (message.snapE === undefined) return { base, timestamp: message.timestamp };
  const applyingTo = snapshotFromMessage(message.snapE, what);
  return { base, applyingTo, timestamp: message.timestamp };
}

export function compressionToMessage({ kind, level, nrCpu }: CompressShape): CompressOption {
  return { kind, level, cpus: nrCpu };
}

/** Throws `invalid-argument` for an unknown kind or a level or worker count out of range. */
export function compressionFromMessage(message: CompressOption): CompressShape {
  const { kind, level, cpus } = message;
  if (kind === CompressionKind.UNSPECIFIED || kind === CompressionKind.UNRECOGNIZED) {
    throw new WalbError('invalid-argument', 'compression kind is missing or unknown');
  }
  if (level > 9 || cpus < 1 || cpus > 255) {
    throw new WalbError(
      'invalid-argument',
      `compression ${kind}:${level}:${cpus} is out of range: level 0-9, workers 1-255`,
    );
  }
  return { kind, level, nrCpu: cpus };
}

function missing(what: string): WalbError {
  return new WalbError('invalid-argument', `the message lacks its ${what}`);
}
