/** Facts and limits in, verdict out: what `walbc check` says. Pure. */
import { formatSizeForHumans } from '../../core/index.ts';
import { formatAge, formatDuration } from './duration.ts';
import type { ArchiveRow, Failure, GroupStatus, QueueRow, ServerRow, StorageRow } from './facts.ts';
import { sourceOf } from './lag.ts';
import {
  type FlagName,
  type Level,
  type Limits,
  levelOf,
  METRICS,
  type Metric,
  type MetricName,
  type Threshold,
} from './thresholds.ts';

export interface Finding {
  readonly level: Level;
  /** What was judged: a metric, a flag, or `overflow`, `missing`, `restorable`. */
  readonly check: string;
  readonly server: string;
  /** Empty when it is about the server as a whole. */
  readonly volume: string;
  readonly text: string;
}

/** One measured value, for graphs. */
export interface Measurement {
  readonly label: string;
  readonly value: number;
  readonly metric: Metric | undefined;
  readonly unit: 'percent' | 'seconds' | 'bytes' | 'count';
  readonly threshold: Threshold | undefined;
  readonly max?: number;
}

export interface Verdict {
  readonly level: Level;
  /** Worst first. */
  readonly findings: readonly Finding[];
  readonly measurements: readonly Measurement[];
  readonly group: GroupStatus;
}

const RANK: Readonly<Record<Level, number>> = { ok: 0, unknown: 1, warning: 2, critical: 3 };
/** A ring that is hardly used fills up "soon" whenever a burst begins. */
const LITTLE_USED = 0.1;
/** States in which an archive holds a usable copy. */
const STOPPED_AT_ARCHIVE = new Set(['Stopped', 'SyncReady']);

export function worst(levels: readonly Level[]): Level {
  return levels.reduce((a, b) => (RANK[b] > RANK[a] ? b : a), 'ok');
}

/** `volume`: the one that was asked for; it must exist. */
export function judge(group: GroupStatus, limits: Limits, volume?: string): Verdict {
  const judgement = new Judgement(limits);
  for (const row of group.servers) judgement.server(row);
  judgement.links(group.servers);
  for (const row of group.volumes) judgement.storage(row);
  for (const row of group.queues) judgement.queue(row);
  for (const row of group.archives) judgement.archive(row, group);
  judgement.gaps(group);
  judgement.sources(group, volume);
  const findings = [...judgement.findings].sort((a, b) => RANK[b.level] - RANK[a.level]);
  return {
    level: worst(findings.map(({ level }) => level)),
    findings,
    measurements: judgement.measurements,
    group,
  };
}

type Place = Pick<Finding, 'server' | 'volume'>;

class Judgement {
  readonly findings: Finding[] = [];
  readonly measurements: Measurement[] = [];
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  server(row: ServerRow): void {
    const place = { server: row.server, volume: '' };
    this.#count(`${row.server}_up`, row.isUp ? 1 : 0);
    if (!row.isUp) {
      this.#flag('down', place, `${row.server} is down: ${row.reason}`);
      return;
    }
    if (row.diskTotalBytes > 0) {
      const free = (row.diskFreeBytes * 100) / row.diskTotalBytes;
      const text = `disk of ${row.server}: ${round(free)}% free (${formatSizeForHumans(row.diskFreeBytes)})`;
      this.#measure('disk-free', `${row.server}_disk_free`, free, place, text, 100);
    }
    if (row.spoolLimitBytes > 0) {
      const used = (row.spoolUsedBytes * 100) / row.spoolLimitBytes;
      const text = `spool of ${row.server}: ${round(used)}% of ${formatSizeForHumans(row.spoolLimitBytes)}${row.isSpoolFull ? ', it refuses log' : ''}`;
      this.#measure('spool', `${row.server}_spool`, used, place, text, 100);
    }
  }

  /** A proxy that answers us, but not the storage that needs it. */
  links(servers: readonly ServerRow[]): void {
    const down = new Set(servers.filter(({ isUp }) => !isUp).map(({ address }) => address));
    for (const { server, deadProxies } of servers) {
      for (const address of deadProxies.filter((one) => !down.has(one))) {
        const text = `${server} gets no answer from its proxy ${address}`;
        this.#add('warning', 'proxy-link', { server, volume: '' }, text);
      }
    }
  }

  storage(row: StorageRow): void {
    const { server, volume } = row;
    const label = `${volume}_${server}`;
    const where = `${volume} at ${server}`;
    if (row.isOverflow) {
      this.#add('critical', 'overflow', row, `log of ${where} has overflowed: hash_backup needed`);
    }
    if (row.logCapacityBytes > 0) {
      const usage = (row.logUsageBytes * 100) / row.logCapacityBytes;
      const text = `log of ${where} ${round(usage)}% full`;
      this.#measure('log-usage', `${label}_log_usage`, usage, row, text, 100);
      if (row.overflowInSec !== null && usage >= LITTLE_USED * 100 && !row.isOverflow) {
        const soon = `log of ${where} overflows in ${formatDuration(row.overflowInSec)}`;
        this.#measure('overflow-in', `${label}_overflow_in`, row.overflowInSec, row, soon);
      }
    }
    const since = `last delivered ${formatAge(row.lastSent, row.now)}`;
    const text = `log of ${where} has waited ${formatDuration(row.lagSec)} for a proxy (${since})`;
    this.#measure('lag', `${label}_send_lag`, row.lagSec, row, text);
    this.#failing(row, row.failure, `log transfer of ${where}`, row.lastSent);
  }

  queue(row: QueueRow): void {
    const { server, volume, archive } = row;
    const label = `${volume}_${server}_${archive}`;
    const what = `${volume} from ${server} to ${archive}`;
    const since = `last sent ${formatAge(row.lastSent, row.now)}`;
    const text = `${what}: ${row.numDiff === 1 ? '1 diff waits' : `${row.numDiff} diffs wait`}, the oldest for ${formatDuration(row.ageSec)} (${since})`;
    this.#measure('lag', `${label}_send_lag`, row.ageSec, row, text);
    if (row.isSendError) this.#flag('send-error', row, `${what}: send error, ${since}`);
    if (row.state === 'Stopped') this.#flag('stopped', row, `${volume} is Stopped at ${server}`);
    this.#failing(row, row.failure, what, row.lastSent);
  }

  archive(row: ArchiveRow, group: GroupStatus): void {
    const { server, volume } = row;
    const label = `${volume}_${server}`;
    const where = `${volume} at ${server}`;
    if (row.lagSec !== null) {
      const text = `${where} is ${formatDuration(row.lagSec)} behind${row.isMissingData ? ': newer data are neither here nor at a proxy' : ''}`;
      // What waits is told by those it waits at; here counts what nobody has. A copy that is not
      // synchronized, such as one the worker replicates now and then, is judged by its snapshots.
      this.#measure('lag', `${label}_lag`, row.lagSec, row, text, undefined, row.isMissingData);
    }
    if (row.lagBytes !== null) {
      const text = `${where} is ${formatSizeForHumans(row.lagBytes)} behind`;
      this.#measure('lag-bytes', `${label}_lag_bytes`, row.lagBytes, row, text);
    }
    this.#snapshot(row, sourceOf(group.volumes, volume));
    if (STOPPED_AT_ARCHIVE.has(row.state)) {
      this.#flag('stopped', row, `${where} is ${row.state}: it takes no diffs`);
    }
    this.#failing(row, row.failure, where, Math.max(row.lastReceived, row.lastSync));
  }

  #snapshot(row: ArchiveRow, source: StorageRow | undefined): void {
    const where = `${row.volume} at ${row.server}`;
    if (row.restorableGid === null) {
      const isExpected = row.latestGid !== null || row.state === 'Archived';
      const text = `no snapshot of ${where} can be restored`;
      if (isExpected) this.#add('critical', 'restorable', row, text);
      return;
    }
    const age = Math.max(0, row.now - row.restorableTime);
    const isNewest =
      source !== undefined && source.latestGid <= row.restorableGid && source.lagBytes === 0;
    const text = `newest restorable snapshot of ${where} is ${formatDuration(age)} old`;
    const label = `${row.volume}_${row.server}_snapshot_age`;
    this.#measure('snapshot-age', label, age, row, text, undefined, !isNewest);
  }

  gaps({ gaps }: GroupStatus): void {
    this.#count('gaps', gaps.length);
    for (const gap of gaps) {
      const end = gap.gidE === null ? '' : ` to ${gap.gidE}`;
      const text = `GAP in ${gap.volume} at ${gap.archive}: diffs from gid ${gap.gidB}${end} are missing since ${formatDuration(gap.ageSec)}`;
      const place = { server: gap.archive, volume: gap.volume };
      const level = levelOf(metricOf('gap'), this.#limits.metrics.gap, gap.ageSec);
      this.#add(level, 'gap', place, text);
    }
  }

  /** Every volume has a storage that follows it, and a proxy for each archive that has to. */
  sources({ servers, volumes, queues, archives }: GroupStatus, wanted: string | undefined): void {
    const isWhole = servers.every(({ isUp }) => isUp);
    const names = new Set([...volumes, ...queues, ...archives].map(({ volume }) => volume));
    this.#count('volumes', names.size);
    if (servers.length === 0) {
      this.#add('unknown', 'layout', { server: '', volume: '' }, 'the layout has no servers');
    }
    if (wanted !== undefined && !names.has(wanted)) {
      const text = `volume ${wanted} is not known to any server${isWhole ? '' : ' that answers'}`;
      this.#add(isWhole ? 'critical' : 'unknown', 'volume', { server: '', volume: wanted }, text);
    }
    const storagesUp = servers.filter(({ kind }) => kind === 'storage').every(({ isUp }) => isUp);
    const proxiesUp = servers.filter(({ kind, isUp }) => kind === 'proxy' && isUp);
    for (const volume of names) {
      const rows = volumes.filter((row) => row.volume === volume);
      const target = rows.find(({ state }) => state === 'Target');
      const isStarting = rows.some(({ state }) => /Sync$|^Start/.test(state));
      if (target === undefined && storagesUp && !isStarting) {
        const states = rows.map((row) => `${row.state} at ${row.server}`).join(', ');
        const text = `no storage backs up ${volume} (${states || 'none knows it'})`;
        this.#flag('stopped', { server: '', volume }, text);
      }
      const sent = queues.filter((row) => row.volume === volume);
      if (target !== undefined && proxiesUp.length > 0 && sent.length === 0) {
        const text = `no proxy sends ${volume} to an archive: start_synchronizing needed`;
        this.#add('critical', 'synchronizing', { server: '', volume }, text);
      }
    }
  }

  #failing(
    place: Place & { now: number },
    failure: Failure | null,
    what: string,
    success: number,
  ): void {
    if (failure === null) return;
    const time = Math.max(0, place.now - failure.since);
    const times = failure.count === 1 ? 'once' : `${failure.count} times`;
    const text = `${what} fails since ${formatDuration(time)} (${times}, last success ${formatAge(success, place.now)}): ${failure.message}`;
    const level = levelOf(metricOf('failing'), this.#limits.metrics.failing, time);
    this.#add(level, 'failing', place, text);
  }

  #measure(
    name: MetricName,
    label: string,
    value: number,
    place: Place,
    text: string,
    max?: number,
    isJudged = true,
  ): void {
    const metric = metricOf(name);
    const threshold = this.#limits.metrics[name];
    const { unit } = metric;
    this.measurements.push({
      label,
      value,
      metric,
      unit,
      threshold,
      ...(max === undefined ? {} : { max }),
    });
    if (isJudged) this.#add(levelOf(metric, threshold, value), name, place, text);
  }

  #count(label: string, value: number): void {
    this.measurements.push({
      label,
      value,
      metric: undefined,
      unit: 'count',
      threshold: undefined,
    });
  }

  #flag(name: FlagName, place: Place, text: string): void {
    this.#add(this.#limits.flags[name], name, place, text);
  }

  #add(level: Level, check: string, { server, volume }: Place, text: string): void {
    if (level !== 'ok') this.findings.push({ level, check, server, volume, text });
  }
}

function metricOf(name: MetricName): Metric {
  return METRICS.find((metric) => metric.name === name) as Metric;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
