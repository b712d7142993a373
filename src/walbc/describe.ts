/** What the controller says of a volume in errors and progress: state, work, troubles. */

import {
  diffFromMessage,
  type GapReport,
  type LastError,
  type Progress,
  StopState,
  type TaskKind,
  type VolumeView,
} from '../rpc/index.ts';
import { formatDiff, formatSnapshot } from '../wdiff/algebra/index.ts';

/** For example `state FullSync, full-backup 40 of 100 blocks, last error at a0: ...`. */
export function describeView(view: VolumeView): string {
  const parts = [`state ${view.state}`];
  if (view.stopState !== StopState.NOT_STOPPING) parts.push(`stop state ${view.stopState}`);
  const running = view.actions.filter((action) => action.running > 0);
  if (running.length > 0) {
    parts.push(
      `running ${running.map((a) => `${a.action}${a.archive && ` to ${a.archive}`}`).join(' ')}`,
    );
  }
  parts.push(...view.progress.map(describeProgress));
  if (view.isOverflow) parts.push('the log has overflowed');
  if (view.lastError !== undefined) parts.push(describeLastError(view.lastError));
  parts.push(...view.gaps.map(describeGap));
  return parts.join(', ');
}

export function describeProgress({ kind, done, total, inBytes }: Progress): string {
  const unit = inBytes ? 'bytes' : 'blocks';
  return total === 0 ? `${kind} ${done} ${unit}` : `${kind} ${done} of ${total} ${unit}`;
}

export function describeLastError({ error, peer, count }: LastError): string {
  const where = peer === '' ? '' : ` at ${peer}`;
  const times = count > 1 ? ` (${count} times)` : '';
  return `last error${where}${times}: ${error?.message ?? 'unknown'}`;
}

export function describeGap({ expected, found, peer, advice }: GapReport): string {
  const at = expected === undefined ? 'its latest snapshot' : snapshotText(expected);
  const next = found === undefined ? 'nothing that continues it' : diffText(found);
  const where = peer === '' ? '' : ` (${peer})`;
  return `GAP${where}: the archive is at ${at}, next is ${next}${advice === '' ? '' : `; ${advice}`}`;
}

function snapshotText({ gidB, gidE }: { gidB: bigint; gidE: bigint }): string {
  return formatSnapshot({ b: gidB, e: gidE });
}

function diffText(message: NonNullable<GapReport['found']>): string {
  try {
    return formatDiff(diffFromMessage(message));
  } catch {
    return 'a malformed diff';
  }
}

/** `full-backup` for FULL_BACKUP. */
export function taskName(kind: TaskKind): string {
  return kind;
}
