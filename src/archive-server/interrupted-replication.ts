/**
 * What is left of a full replication that was broken off. The next one goes on behind it when it copies
 * the very same state of the same archive.
 *
 * Source: semantics.md D.9 (full); cli.md 1.6 (`fullReplState`).
 */
import type { FullReplState } from '../rpc/index.ts';
import { stateToMessage } from '../rpc/index.ts';
import { formatMetaState, type MetaState, parseMetaState } from '../wdiff/index.ts';
import type { History } from './replication-decision.ts';
import { type ImageCopy, ResumePoint } from './resume-point.ts';
import type { ArchiveVolume } from './volume.ts';

export interface FullCopy extends ImageCopy {
  readonly base: MetaState;
}

/** The state with its time, blocks, log history. */
const IDENTITY = /^(\S+) ([0-9]{1,15}) (\S+)$/;

export function replicationPoint(volume: ArchiveVolume): ResumePoint {
  return new ResumePoint(volume, 'full_repl_state');
}

export function identityOf(base: MetaState, sizeLb: number, history: History): string {
  return `${formatMetaState(base)} ${sizeLb} ${history ?? '-'}`;
}

/** What a next one could go on with, as status shows it; undefined when nothing is left. */
export function interruptedReplication(volume: ArchiveVolume): FullReplState | undefined {
  if (volume.state !== 'SyncReady') return undefined;
  const { archiveUuid } = volume.catalogue;
  const point = replicationPoint(volume);
  const identity = point.read()?.identity ?? '';
  const match = IDENTITY.exec(identity);
  if (match === null) return undefined;
  const progressLb = point.doneOf({ sizeLb: Number(match[2]), identity, archiveUuid });
  if (progressLb === 0) return undefined;
  const base = parseMetaState(match[1] as string, 0);
  return { base: stateToMessage(base), progressLb, timestamp: base.timestamp };
}
