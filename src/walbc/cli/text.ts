/** Small values as walbc prints them (cli.md 1.3, 1.5). */
import { formatTimestamp } from '../../core/index.ts';
import {
  type CompressOption,
  compressionFromMessage,
  diffFromMessage,
  type GidInfo,
  type MetaDiff,
  type MetaSnap,
  type MetaState,
  StopState,
  snapshotFromMessage,
  stateFromMessage,
} from '../../rpc/index.ts';
import {
  formatDiff,
  formatMetaState,
  formatSnapshot,
  formatSpanOf,
} from '../../wdiff/algebra/index.ts';

export function diffText(message: MetaDiff): string {
  return formatDiff(diffFromMessage(message));
}

export function snapshotText(message: MetaSnap | undefined): string {
  return formatSnapshot(snapshotFromMessage(message));
}

export function stateText(message: MetaState | undefined): string {
  return formatMetaState(stateFromMessage(message));
}

/** Without the timestamp. */
export function stateSpanText(message: MetaState | undefined): string {
  return formatSpanOf(stateFromMessage(message));
}

export function gidInfoText({ gid, timestamp, isExplicit }: GidInfo): string {
  return `${gid} ${formatTimestamp(timestamp)} ${isExplicit ? 1 : 0}`;
}

export function compressionText(message: CompressOption | undefined): string {
  if (message === undefined) return 'snappy:0:1';
  const { kind, level, nrCpu } = compressionFromMessage(message);
  return `${kind}:${level}:${nrCpu}`;
}

/** The original's spelling, which scripts may look for. */
export function stopStateText(state: StopState): string {
  return state === StopState.WAITING_FOR_EMPTY ? 'WAitingForEmpty' : state;
}

export function bit(flag: boolean): '0' | '1' {
  return flag ? '1' : '0';
}
