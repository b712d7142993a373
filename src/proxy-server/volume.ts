/**
 * One volume at a proxy: its spool, and one send queue per archive with what is known of its
 * progress. Which work runs when is decided in server.ts.
 */
import { type Gid, type Millis, throwIfAborted, type UnixSeconds } from '../core/index.ts';
import {
  compressionToMessage,
  type GapReport,
  type ProxyArchiveStatus,
  type ProxyVolumeStatus,
  type ProxyVolumeSummary,
  type VolumeView,
} from '../rpc/index.ts';
import type { ServerCore } from '../server/server-core.ts';
import { ServerVolume } from '../server/volume.ts';
import { maxGid } from '../wdiff/index.ts';
import type { ProxyConfig } from './config.ts';
import { Spool, type SpooledDiff } from './spool.ts';
import {
  type ProxyAction,
  type ProxyCommand,
  type ProxyState,
  type ProxyTrigger,
  proxyModel,
} from './states.ts';

/** Subject of the history. */
const WLOG_RECEIVED = 'wlog-received';

/** What is remembered of one archive's queue between sends; in memory only. */
export interface QueueState {
  /** No more retries until the operator kicks, or new log arrives (`is-wdiff-send-error`). */
  sendError: boolean;
  /** Last retry delay; undefined after a success. */
  delay: Millis | undefined;
  /** First attempt since which the archive has not even answered; undefined after an answer. */
  silentSince: UnixSeconds | undefined;
  gap: GapReport | undefined;
  discarded: number;
}

export class ProxyVolume extends ServerVolume<ProxyState, ProxyTrigger, ProxyAction, ProxyCommand> {
  readonly spool: Spool;
  /** Since the process started: what the retry timeout counts from (C.4). */
  lastReceived: UnixSeconds = 0;
  readonly #core: ServerCore;
  readonly #retryTimeout: UnixSeconds;
  readonly #queues = new Map<string, QueueState>();

  constructor(core: ServerCore, config: ProxyConfig, id: string, initial: ProxyState) {
    super(core, id, proxyModel, initial);
    this.#core = core;
    this.#retryTimeout = config.retryTimeout;
    this.spool = new Spool(core.env, `${config.baseDirectory}/${id}`);
  }

  /** Work on this volume gives up when this aborts: force stop, or shutdown by force. */
  get forceSignal(): AbortSignal {
    return AbortSignal.any([this.stop.forceSignal, this.#core.forced]);
  }

  requireRunning(what: string): void {
    throwIfAborted(this.forceSignal, what);
  }

  queue(archive: string): QueueState {
    let state = this.#queues.get(archive);
    if (state === undefined) {
      state = {
        sendError: false,
        delay: undefined,
        silentSince: undefined,
        gap: undefined,
        discarded: 0,
      };
      this.#queues.set(archive, state);
    }
    return state;
  }

  forgetQueue(archive: string): void {
    this.#queues.delete(archive);
    this.forgetHistory(sentTo(archive));
  }

  /** Log has come in and is queued for every archive. */
  received(storage: string): void {
    this.lastReceived = this.now();
    this.remember(WLOG_RECEIVED, storage);
    this.succeeded();
    this.clearSendErrors();
    this.touch('diff');
  }

  /** New log: an archive that was given up deserves another try. */
  clearSendErrors(): void {
    for (const state of this.#queues.values()) state.sendError = false;
    this.changed.notify();
  }

  /** A kick or a start: as if nothing had failed yet. */
  forgetFailures(archive?: string): void {
    for (const [name, state] of this.#queues) {
      if (archive !== undefined && name !== archive) continue;
      state.sendError = false;
      state.delay = undefined;
      state.silentSince = undefined;
    }
    this.changed.notify();
  }

  sendFailed(archive: string, thrown: unknown): void {
    this.rememberFailure(sentTo(archive), thrown, archive);
    this.changed.notify();
  }

  sendSucceeded(archive: string): void {
    const state = this.queue(archive);
    state.sendError = false;
    state.delay = undefined;
    state.silentSince = undefined;
    state.gap = undefined;
    this.remember(sentTo(archive), archive);
    this.touch('diff');
  }

  /**
   * `is-wdiff-send-error`: the archive was given up, or has not answered for the retry timeout.
   * Diffs for one that is merely down are still tried (C.4); the operator is told all the same (W4).
   */
  isSendError(archive: string): boolean {
    const { sendError, silentSince } = this.queue(archive);
    if (sendError || silentSince === undefined) return sendError;
    return this.now() - silentSince > this.#retryTimeout;
  }

  // ---- what clients see

  archiveStatus(archive: string, nextTry: Millis | undefined): ProxyArchiveStatus {
    const info = this.spool.archive(archive);
    const state = this.queue(archive);
    const queued = this.spool.queue(archive);
    const range = gidRange(queued);
    const sent = this.remembered(sentTo(archive));
    return {
      archive,
      address: info?.address ?? '',
      compression: info === undefined ? undefined : compressionToMessage(info.compression),
      wdiffSendDelaySec: info?.delay ?? 0,
      isSending: this.actions.count(archive) > 0,
      numDiff: queued.length,
      wdiffTotalSizeBytes: totalSize(queued),
      ...(range === undefined ? {} : { minGid: range.min, maxGid: range.max }),
      lastWdiffSent: sent.success,
      isWdiffSendError: this.isSendError(archive),
      wdiffSendDelayMeasuredSec: this.#ageOf(queued),
      lastError: sent.failure,
      gap: state.gap,
      ...(nextTry === undefined ? {} : { nextTryMs: Math.round(nextTry) }),
      discardedDiffs: state.discarded,
    };
  }

  summary(archives: ProxyArchiveStatus[]): ProxyVolumeSummary {
    const received = this.spool.received();
    const { success, peer } = this.remembered(WLOG_RECEIVED);
    return {
      volume: this.id,
      state: this.state,
      stopState: this.stop.state,
      numDiff: received.length,
      totalSizeBytes: totalSize(received),
      lastWlogReceived: success,
      lastStorage: peer,
      archives,
      spoolBytes: this.spool.usedBytes(),
      lastError: this.lastError,
    };
  }

  fullStatus(archives: ProxyArchiveStatus[]): ProxyVolumeStatus {
    return {
      ...this.summary(archives),
      sizeLb: this.spool.sizeLb,
      totalNumAction: this.actions.total,
      progress: this.tasks.progress(),
      tasks: this.tasks.results(),
    };
  }

  view(archives: ProxyArchiveStatus[]): VolumeView {
    return {
      volume: this.id,
      state: this.state,
      stopState: this.stop.state,
      actions: archives.map((status) => ({
        action: 'WdiffSend',
        running: status.isSending ? 1 : 0,
        lastBegan: this.actions.lastBegin(status.archive),
        lastEnded: status.lastWdiffSent,
        lastSuccess: status.lastWdiffSent,
        lastError: status.lastError,
        archive: status.archive,
      })),
      progress: this.tasks.progress(),
      tasks: this.tasks.results(),
      restorableRevision: 0,
      restoredRevision: 0,
      coldRevision: 0,
      diffRevision: this.revision('diff'),
      archiveInfoRevision: this.revision('archiveInfo'),
      sizeRevision: this.revision('size'),
      latest: undefined,
      base: undefined,
      isOverflow: false,
      lastError: this.lastError,
      gaps: archives.flatMap(({ gap }) => (gap === undefined ? [] : [gap])),
    };
  }

  #ageOf(queued: readonly SpooledDiff[]): UnixSeconds {
    const oldest = queued[0];
    return oldest === undefined ? 0 : Math.max(0, this.now() - oldest.diff.timestamp);
  }
}

/** Subject of the history: sends to an archive. */
function sentTo(archive: string): string {
  return `wdiff-sent/${archive}`;
}

export function totalSize(diffs: readonly SpooledDiff[]): number {
  return diffs.reduce((sum, { diff }) => sum + diff.dataSize, 0);
}

function gidRange(diffs: readonly SpooledDiff[]): { min: Gid; max: Gid } | undefined {
  const first = diffs[0];
  if (first === undefined) return undefined;
  const max = diffs.reduce((gid, { diff }) => maxGid(gid, diff.E.b), first.diff.E.b);
  return { min: first.diff.B.b, max };
}
