/**
 * Configuration of the maintenance worker: the original's YAML file, read strictly.
 *
 * Several files may be given; later ones override earlier ones key by key. Unlike the original, unknown
 * keys are errors: a misspelt `keep_period` must not mean "keep nothing".
 *
 * Source: worker.md 2.
 */
import { checkVolumeId } from '../../core/index.ts';
import { type RetentionConfig, retentionConfig } from '../retention/policy.ts';
import {
  allowOnly,
  bad,
  branch,
  type ConfigTree,
  type ConfigValue,
  count,
  need,
  overlay,
  parsePeriod,
  parseWorkerSize,
  port,
  positive,
  text,
} from './config-values.ts';

export interface GeneralConfig {
  readonly addr: string;
  readonly port: number;
  /** Of no effect: calls are made in this process. */
  readonly walbcPath: string;
  readonly maxTask: number;
  readonly maxReplicationTask: number;
  /** Seconds. */
  readonly kickInterval: number;
  readonly timeout: number;
}

export interface ApplyConfig {
  /** Seconds; snapshots younger than this are kept. Undefined when `retention` says what is kept. */
  readonly keepPeriod: number | undefined;
  /** Seconds; 0 = no minimum. */
  readonly interval: number;
}

export interface MergeConfig {
  /** Seconds. */
  readonly interval: number;
  readonly maxNr: number;
  /** Bytes. */
  readonly maxSize: number;
  readonly thresholdNr: number;
}

export interface ReplServerConfig {
  readonly name: string;
  readonly addr: string;
  readonly port: number;
  /** Seconds. */
  readonly interval: number;
  readonly compress: string;
  readonly maxMergeSize: string;
  readonly bulkSize: string;
  /** Bytes; 0 = no limit. */
  readonly maxSendSize: number;
  readonly logName: string;
  readonly enabled: boolean;
}

export interface WorkerConfig {
  readonly general: GeneralConfig;
  readonly apply: ApplyConfig;
  readonly merge: MergeConfig;
  /** Undefined when `apply.keep_period` says what is kept. */
  readonly retention: RetentionConfig | undefined;
  readonly repl: {
    readonly servers: readonly ReplServerConfig[];
    readonly disabledVolumes: readonly string[];
  };
}

const NO_LIMIT = Number.POSITIVE_INFINITY;
const DAY = 24 * 3600;

const KEYS = {
  general: [
    'addr',
    'port',
    'walbc_path',
    'max_task',
    'max_replication_task',
    'kick_interval',
    'timeout',
  ],
  apply: ['keep_period', 'interval'],
  merge: ['interval', 'max_nr', 'max_size', 'threshold_nr'],
  repl: ['servers', 'disabled_volumes'],
  server: [
    'addr',
    'port',
    'interval',
    'compress',
    'max_merge_size',
    'bulk_size',
    'max_send_size',
    'log_name',
    'enabled',
  ],
} as const;

/** The configuration of several files, the later ones first in rank. Throws `invalid-argument`. */
export function workerConfig(trees: readonly ConfigTree[]): WorkerConfig {
  if (trees.length === 0) throw bad('-f', 'at least one configuration file is needed');
  const tree = trees.reduce(overlay);
  allowOnly(tree, ['general', 'apply', 'merge', 'retention', 'repl'], '');
  const general = section(tree, 'general');
  const apply = section(tree, 'apply');
  const merge = section(tree, 'merge');
  const repl = section(tree, 'repl');
  const retention = (tree['retention'] ?? null) === null ? undefined : section(tree, 'retention');
  return {
    general: generalConfig(general),
    apply: applyConfig(apply, retention !== undefined),
    merge: mergeConfig(merge),
    retention: retention === undefined ? undefined : retentionConfig(retention),
    repl: {
      servers: Object.entries(branch(repl['servers'], 'repl.servers')).map(([name, value]) =>
        serverConfig(name, branch(value, `repl.servers.${name}`)),
      ),
      disabledVolumes: volumeList(repl['disabled_volumes']),
    },
  };
}

function generalConfig(tree: ConfigTree): GeneralConfig {
  allowOnly(tree, KEYS.general, 'general');
  return {
    addr: text(tree['addr'], 'general.addr'),
    port: port(tree['port'], 'general.port'),
    walbcPath: text(tree['walbc_path'] ?? 'walbc', 'general.walbc_path'),
    maxTask: count(tree['max_task'] ?? 1, 'general.max_task'),
    maxReplicationTask: count(tree['max_replication_task'] ?? 1, 'general.max_replication_task'),
    kickInterval: parsePeriod(tree['kick_interval'] ?? 1, 'general.kick_interval'),
    timeout: parsePeriod(tree['timeout'] ?? 0, 'general.timeout'),
  };
}

/** What is kept is said once: by `keep_period`, or by `retention`. */
function applyConfig(tree: ConfigTree, hasRetention: boolean): ApplyConfig {
  allowOnly(tree, KEYS.apply, 'apply');
  const interval = parsePeriod(tree['interval'] ?? DAY, 'apply.interval');
  const key = 'apply.keep_period';
  const keepPeriod = tree['keep_period'] ?? undefined;
  if (!hasRetention) {
    return { keepPeriod: positive(parsePeriod(need(keepPeriod, key), key), key), interval };
  }
  if (keepPeriod === undefined) return { keepPeriod: undefined, interval };
  throw bad(key, 'and retention both say what is kept: leave out one of them');
}

function mergeConfig(tree: ConfigTree): MergeConfig {
  allowOnly(tree, KEYS.merge, 'merge');
  const limit = (key: string): number =>
    tree[key] === undefined ? NO_LIMIT : count(tree[key], `merge.${key}`);
  return {
    interval: positive(
      parsePeriod(need(tree['interval'], 'merge.interval'), 'merge.interval'),
      'merge.interval',
    ),
    maxNr: limit('max_nr'),
    maxSize:
      tree['max_size'] === undefined
        ? NO_LIMIT
        : parseWorkerSize(tree['max_size'], 'merge.max_size'),
    thresholdNr: limit('threshold_nr'),
  };
}

function serverConfig(name: string, tree: ConfigTree): ReplServerConfig {
  const at = (key: string): string => `repl.servers.${name}.${key}`;
  allowOnly(tree, KEYS.server, `repl.servers.${name}`);
  const enabled = tree['enabled'] ?? true;
  if (typeof enabled !== 'boolean') throw bad(at('enabled'), 'must be true or false');
  const interval =
    tree['interval'] === undefined ? 0 : parsePeriod(tree['interval'], at('interval'));
  return {
    name,
    addr: enabled ? text(tree['addr'], at('addr')) : String(tree['addr'] ?? ''),
    port: enabled ? port(tree['port'], at('port')) : Number(tree['port'] ?? 0),
    interval: enabled ? positive(interval, at('interval')) : interval,
    compress: String(tree['compress'] ?? 'snappy:0:1'),
    maxMergeSize: String(tree['max_merge_size'] ?? '1G'),
    bulkSize: String(tree['bulk_size'] ?? '64K'),
    maxSendSize: parseWorkerSize(tree['max_send_size'] ?? 0, at('max_send_size')),
    logName: String(tree['log_name'] ?? ''),
    enabled,
  };
}

function section(tree: ConfigTree, name: string): ConfigTree {
  return branch(tree[name], name);
}

function volumeList(value: ConfigValue | undefined): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw bad('repl.disabled_volumes', 'must be a list of volumes');
  return value.map((volume) => checkVolumeId(String(volume)));
}
