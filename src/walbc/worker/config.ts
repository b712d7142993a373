/**
 * Configuration of the maintenance worker: the original's YAML file, read strictly.
 *
 * Several files may be given; later ones override earlier ones key by key. Unlike the original, unknown
 * keys are errors: a misspelt `keep_period` must not mean "keep nothing".
 *
 * Source: worker.md 2.
 */
import { checkVolumeId, KIB, parseCount, WalbError } from '../../core/index.ts';

export interface GeneralConfig {
  readonly addr: string;
  readonly port: number;
  readonly walbcPath: string;
  readonly maxTask: number;
  readonly maxReplicationTask: number;
  /** Seconds. */
  readonly kickInterval: number;
  readonly timeout: number;
}

export interface ApplyConfig {
  /** Seconds; snapshots younger than this are kept. */
  readonly keepPeriod: number;
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
  readonly repl: {
    readonly servers: readonly ReplServerConfig[];
    readonly disabledVolumes: readonly string[];
  };
}

/** What a YAML file holds before it is checked. */
export type ConfigTree = { readonly [key: string]: ConfigValue };
export type ConfigValue = string | number | boolean | null | readonly ConfigValue[] | ConfigTree;

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

/** Seconds of a PERIOD: integer, `Nm`, `Nh`, `Nd` or `hh:mm:ss`. Throws `invalid-argument`. */
export function parsePeriod(value: ConfigValue | undefined, key: string): number {
  const text = String(value);
  const simple = /^(\d+)([mhd]?)$/.exec(text);
  if (simple !== null) {
    const unit = { '': 1, m: 60, h: 3600, d: DAY }[simple[2] as '' | 'm' | 'h' | 'd'];
    return Number(simple[1]) * unit;
  }
  const clock = /^(\d+):([0-5]?\d):([0-5]?\d)$/.exec(text);
  if (clock !== null) return Number(clock[1]) * 3600 + Number(clock[2]) * 60 + Number(clock[3]);
  throw bad(key, `'${text}' is no period: seconds, Nm, Nh, Nd or hh:mm:ss`);
}

/** Bytes of a SIZE: integer or `NK`, `NM`, `NG` (powers of 1024). Throws `invalid-argument`. */
export function parseWorkerSize(value: ConfigValue | undefined, key: string): number {
  const match = /^(\d+)([KMG]?)$/.exec(String(value));
  if (match === null) throw bad(key, `'${String(value)}' is no size: bytes, NK, NM or NG`);
  const power = ['', 'K', 'M', 'G'].indexOf(match[2] as string);
  return Number(match[1]) * KIB ** power;
}

/** The configuration of several files, the later ones first in rank. Throws `invalid-argument`. */
export function workerConfig(trees: readonly ConfigTree[]): WorkerConfig {
  if (trees.length === 0) throw bad('-f', 'at least one configuration file is needed');
  const tree = trees.reduce(overlay);
  allowOnly(tree, ['general', 'apply', 'merge', 'repl'], '');
  const general = section(tree, 'general');
  const apply = section(tree, 'apply');
  const merge = section(tree, 'merge');
  const repl = section(tree, 'repl');
  return {
    general: generalConfig(general),
    apply: applyConfig(apply),
    merge: mergeConfig(merge),
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
    walbcPath: text(tree['walbc_path'], 'general.walbc_path'),
    maxTask: count(tree['max_task'] ?? 1, 'general.max_task'),
    maxReplicationTask: count(tree['max_replication_task'] ?? 1, 'general.max_replication_task'),
    kickInterval: parsePeriod(tree['kick_interval'] ?? 1, 'general.kick_interval'),
    timeout: parsePeriod(tree['timeout'] ?? 0, 'general.timeout'),
  };
}

function applyConfig(tree: ConfigTree): ApplyConfig {
  allowOnly(tree, KEYS.apply, 'apply');
  return {
    keepPeriod: positive(
      parsePeriod(need(tree['keep_period'], 'apply.keep_period'), 'apply.keep_period'),
      'apply.keep_period',
    ),
    interval: parsePeriod(tree['interval'] ?? DAY, 'apply.interval'),
  };
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

/** Trees are joined key by key; anything else replaces what was there. */
function overlay(below: ConfigTree, above: ConfigTree): ConfigTree {
  const joined: Record<string, ConfigValue> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const present = joined[key];
    joined[key] = isTree(present) && isTree(value) ? overlay(present, value) : value;
  }
  return joined;
}

function isTree(value: ConfigValue | undefined): value is ConfigTree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function section(tree: ConfigTree, name: string): ConfigTree {
  return branch(tree[name], name);
}

function branch(value: ConfigValue | undefined, key: string): ConfigTree {
  if (value === undefined || value === null) return {};
  if (isTree(value)) return value;
  throw bad(key, 'must be a section with keys of its own');
}

function allowOnly(tree: ConfigTree, keys: readonly string[], where: string): void {
  const unknown = Object.keys(tree).find((key) => !keys.includes(key));
  if (unknown === undefined) return;
  const name = where === '' ? unknown : `${where}.${unknown}`;
  throw bad(name, `is not a known key; known are: ${keys.join(', ')}`);
}

function need<T>(value: T | undefined, key: string): T {
  if (value === undefined) throw bad(key, 'is missing');
  return value;
}

function text(value: ConfigValue | undefined, key: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw bad(key, value === undefined ? 'is missing' : 'must be a text');
}

function port(value: ConfigValue | undefined, key: string): number {
  const number = count(need(value, key), key);
  if (number >= 1 && number <= 65535) return number;
  throw bad(key, `${number} is not a port from 1 to 65535`);
}

function count(value: ConfigValue | undefined, key: string): number {
  return parseCount(String(value), key);
}

function positive(value: number, key: string): number {
  if (value > 0) return value;
  throw bad(key, 'must be more than 0');
}

function volumeList(value: ConfigValue | undefined): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw bad('repl.disabled_volumes', 'must be a list of volumes');
  return value.map((volume) => checkVolumeId(String(volume)));
}

function bad(key: string, problem: string): WalbError {
  return new WalbError('invalid-argument', `worker configuration: ${key} ${problem}`, {
    details: { key },
  });
}
