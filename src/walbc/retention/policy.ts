/**
 * Retention as policy: which snapshots of a volume an archive has to keep. Read from the section
 * `retention` of the worker's configuration file.
 *
 *     retention:
 *       keep_all: 3d          # every restorable snapshot of the last three days
 *       hourly: 7d            # then the first of each hour, for a week
 *       daily: 30d
 *       min_restorable: 3     # never fewer than three, whatever their age
 *       volumes:
 *         db: { daily: 90d, keep: [1234] }
 *         scratch: { enabled: false }
 *
 * Source: worker.md 2 (file, PERIOD); docs/worker.md (what the keys mean).
 */
import { checkVolumeId, type Gid, parseU64 } from '../../core/index.ts';
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
  positive,
} from '../worker/config-values.ts';
import { PERIODS, type PeriodName } from './periods.ts';

export interface RetentionPolicy {
  /** False: nothing of the volume is ever dropped. */
  readonly enabled: boolean;
  /** Seconds; every restorable snapshot younger than this stays. */
  readonly keepAll: number;
  /** Seconds for which the first snapshot of each hour, day, ... stays. */
  readonly periods: Readonly<Partial<Record<PeriodName, number>>>;
  /** At least 1. */
  readonly minRestorable: number;
  /** Snapshots that stay whatever their age. */
  readonly keep: readonly Gid[];
}

export interface RetentionConfig {
  readonly general: RetentionPolicy;
  readonly volumes: ReadonlyMap<string, RetentionPolicy>;
}

/** A few to fall back on, should the newest ones turn out to hold what one wants to get rid of. */
const DEFAULT_MIN_RESTORABLE = 3;

const PERIOD_NAMES = Object.keys(PERIODS) as PeriodName[];
const GENERAL_KEYS = ['keep_all', ...PERIOD_NAMES, 'min_restorable', 'enabled'];
const KEY = 'retention';

/** The section as a whole; what a volume says overrides the rest key by key. Throws `invalid-argument`. */
export function retentionConfig(tree: ConfigTree): RetentionConfig {
  const { volumes, ...rest } = tree;
  if (rest['keep'] !== undefined) {
    throw bad(
      `${KEY}.keep`,
      `belongs to one volume: ${KEY}.volumes.NAME.keep; gids are per volume`,
    );
  }
  allowOnly(rest, GENERAL_KEYS, KEY);
  const overrides = Object.entries(branch(volumes, `${KEY}.volumes`)).map(([name, value]) => {
    const key = `${KEY}.volumes.${name}`;
    const policy = retentionPolicy(overlay(rest, branch(value, key)), key);
    return [checkVolumeId(name), policy] as const;
  });
  return { general: retentionPolicy(rest, KEY), volumes: new Map(overrides) };
}

/** Policy of one volume. Throws `invalid-argument`. */
export function retentionPolicy(tree: ConfigTree, key = KEY): RetentionPolicy {
  allowOnly(tree, [...GENERAL_KEYS, 'keep'], key);
  const enabled = tree['enabled'] ?? true;
  if (typeof enabled !== 'boolean') throw bad(`${key}.enabled`, 'must be true or false');
  const period = (name: string): number =>
    positive(parsePeriod(tree[name], `${key}.${name}`), `${key}.${name}`);
  need(tree['keep_all'] ?? undefined, `${key}.keep_all`);
  const given = PERIOD_NAMES.filter((name) => (tree[name] ?? undefined) !== undefined);
  return {
    enabled,
    keepAll: period('keep_all'),
    periods: Object.fromEntries(given.map((name) => [name, period(name)])),
    minRestorable: positive(
      count(tree['min_restorable'] ?? DEFAULT_MIN_RESTORABLE, `${key}.min_restorable`),
      `${key}.min_restorable`,
    ),
    keep: gidList(tree['keep'], `${key}.keep`),
  };
}

export function policyOf({ general, volumes }: RetentionConfig, volume: string): RetentionPolicy {
  return volumes.get(volume) ?? general;
}

function gidList(value: ConfigValue | undefined, key: string): Gid[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw bad(key, 'must be a list of gids');
  return value.map((gid) => parseU64(String(gid), key));
}
