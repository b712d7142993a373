/**
 * Asks an archive, and the destinations of its replications, for what the worker decides from.
 *
 * A destination that can not be reached is left out this time and named in the log; it does not keep
 * the other volumes from their maintenance.
 *
 * Source: worker.md 3, 4 (preparation).
 */
import {
  type Clock,
  type Gid,
  hasCode,
  toUnixSeconds,
  type UnixSeconds,
} from '../../core/index.ts';
import { aActive, K_ARCHIVE } from '../constants.ts';
import type { Controller } from '../controller/controller.ts';
import { destinationGids } from '../retention/gather.ts';
import { ServerConnectionParam } from '../servers.ts';
import type { ReplServerConfig, WorkerConfig } from './config.ts';
import type { DestinationFacts, Facts, VolumeFacts } from './model.ts';

/** What the worker remembers by itself. */
export interface WorkerMemory {
  /** Volumes with a task of this worker. */
  readonly busy: ReadonlySet<string>;
  /** When a replication of a volume to a server was last started; key `volume server`. */
  readonly replicated: ReadonlyMap<string, UnixSeconds>;
}

export interface FactsOptions {
  readonly controller: Controller;
  readonly archive: ServerConnectionParam;
  readonly config: WorkerConfig;
  readonly clock: Clock;
  readonly memory: WorkerMemory;
  readonly warn: (...fields: string[]) => void;
}

export function replicationKey(volume: string, server: string): string {
  return `${volume} ${server}`;
}

/** The server a destination of the configuration is. */
export function serverOf({ name, addr, port }: ReplServerConfig): ServerConnectionParam {
  return new ServerConnectionParam(name, addr, port, K_ARCHIVE);
}

export async function gatherFacts(options: FactsOptions): Promise<Facts> {
  const { controller, archive, memory } = options;
  const idle = await controller.get_vol_dict_without_running_actions(archive);
  const latest = await controller.get_latest_snapshot_info(archive);
  const keep = await destinationGids(controller, archive);
  const volumes: VolumeFacts[] = [];
  for (const [volume, begins] of Object.entries(idle)) {
    if (memory.busy.has(volume)) continue;
    try {
      volumes.push(
        await volumeFacts(options, volume, begins, keep.get(volume) ?? [], latest[volume]),
      );
    } catch (error) {
      // Stopped or cleared since it was listed: the next round sees it as it is then.
      if (!hasCode(error, 'wrong-state', 'not-found')) throw error;
    }
  }
  const names = volumes.map(({ volume }) => volume);
  return {
    now: toUnixSeconds(options.clock.now()),
    volumes,
    destinations: await destinationFacts(options, names),
  };
}

async function volumeFacts(
  { controller, archive }: FactsOptions,
  volume: string,
  begins: Record<string, Date | null>,
  keepGids: Gid[],
  latestGid: Gid | undefined,
): Promise<VolumeFacts> {
  const base = await controller.get_base(archive, volume);
  const restorable = await controller.get_restorable(archive, volume, 'all');
  const diffs = await controller.get_applicable_diff_list(archive, volume);
  return {
    volume,
    base: base.toValue(),
    lastApply: seconds(begins['Apply']),
    lastMerge: seconds(begins['Merge']),
    restorable: restorable.map(({ gid, ts }) => ({ gid, timestamp: seconds(ts) ?? 0 })),
    diffs: diffs.map((diff) => diff.toValue()),
    numDiff: await controller.get_num_diff(archive, volume),
    keepGids,
    latestGid,
  };
}

function seconds(date: Date | null | undefined): UnixSeconds | undefined {
  return date === null || date === undefined ? undefined : toUnixSeconds(date.getTime());
}

async function destinationFacts(
  options: FactsOptions,
  volumes: readonly string[],
): Promise<DestinationFacts[]> {
  const facts: DestinationFacts[] = [];
  for (const server of options.config.repl.servers.filter(({ enabled }) => enabled)) {
    try {
      facts.push(...(await factsAt(options, server, volumes)));
    } catch (error) {
      if (!hasCode(error, 'unavailable', 'timeout')) throw error;
      options.warn('destination can not be reached', server.name, `${server.addr}:${server.port}`);
    }
  }
  return facts;
}

async function factsAt(
  { controller, memory }: FactsOptions,
  server: ReplServerConfig,
  volumes: readonly string[],
): Promise<DestinationFacts[]> {
  const destination = serverOf(server);
  const latest = await controller.get_latest_snapshot_info(destination);
  const facts: DestinationFacts[] = [];
  for (const volume of volumes) {
    facts.push({
      server,
      volume,
      isActive: aActive.includes(await controller.get_state(destination, volume)),
      latestGid: latest[volume],
      lastReplicated: memory.replicated.get(replicationKey(volume, server.name)),
    });
  }
  return facts;
}
