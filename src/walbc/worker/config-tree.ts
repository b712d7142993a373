/**
 * A configuration as the tree it could have been read from, for printing: periods in seconds, sizes in
 * bytes, limits that are not set left out. Read again, it gives the same configuration.
 *
 * Source: worker.md 2 (last paragraph), 5.
 */
import type { RetentionConfig, RetentionPolicy } from '../retention/policy.ts';
import type { MergeConfig, ReplServerConfig, WorkerConfig } from './config.ts';
import type { ConfigTree, ConfigValue } from './config-values.ts';

export function configTree({ general, apply, merge, retention, repl }: WorkerConfig): ConfigTree {
  return {
    general: {
      addr: general.addr,
      port: general.port,
      walbc_path: general.walbcPath,
      max_task: general.maxTask,
      max_replication_task: general.maxReplicationTask,
      kick_interval: general.kickInterval,
      timeout: general.timeout,
    },
    apply: given({ keep_period: apply.keepPeriod, interval: apply.interval }),
    merge: mergeTree(merge),
    ...(retention === undefined ? {} : { retention: retentionTree(retention) }),
    repl: {
      servers: Object.fromEntries(repl.servers.map((server) => [server.name, serverTree(server)])),
      disabled_volumes: repl.disabledVolumes,
    },
  };
}

function mergeTree({ interval, maxNr, maxSize, thresholdNr }: MergeConfig): ConfigTree {
  const limit = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);
  return given({
    interval,
    max_nr: limit(maxNr),
    max_size: limit(maxSize),
    threshold_nr: limit(thresholdNr),
  });
}

function retentionTree({ general, volumes }: RetentionConfig): ConfigTree {
  const { keep: _none, ...rest } = policyTree(general);
  const each = [...volumes].map(([name, policy]) => [name, policyTree(policy)] as const);
  return { ...rest, volumes: Object.fromEntries(each) };
}

function policyTree(policy: RetentionPolicy): ConfigTree {
  const { enabled, keepAll, periods, minRestorable, keep } = policy;
  return {
    enabled,
    keep_all: keepAll,
    ...periods,
    min_restorable: minRestorable,
    keep: keep.map(String),
  };
}

function serverTree(server: ReplServerConfig): ConfigTree {
  return {
    addr: server.addr,
    port: server.port,
    interval: server.interval,
    compress: server.compress,
    max_merge_size: server.maxMergeSize,
    bulk_size: server.bulkSize,
    max_send_size: server.maxSendSize,
    log_name: server.logName,
    enabled: server.enabled,
  };
}

function given(tree: Readonly<Record<string, ConfigValue | undefined>>): ConfigTree {
  const entries = Object.entries(tree).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as ConfigTree;
}
