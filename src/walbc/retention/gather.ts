/** Asks an archive for what a retention plan is made from. */
import type { Gid } from '../../core/index.ts';
import type { InfoMethods } from '../controller/info.ts';
import type { ServerParam } from '../servers.ts';
import type { RetentionFacts } from './candidates.ts';

export async function gatherRetentionFacts(
  controller: InfoMethods,
  archive: ServerParam,
  volume: string,
): Promise<RetentionFacts> {
  const diffs = await controller.get_applicable_diff_list(archive, volume);
  return {
    base: (await controller.get_base(archive, volume)).toValue(),
    diffs: diffs.map((diff) => diff.toValue()),
    replicas: (await destinationGids(controller, archive)).get(volume) ?? [],
  };
}

/** Where replications have brought other archives: merges must leave these gids. */
export async function destinationGids(
  controller: InfoMethods,
  archive: ServerParam,
): Promise<Map<string, Gid[]>> {
  const gids = new Map<string, Gid[]>();
  for (const { name, dest_gid: gid } of await controller.get_ts_delta(archive)) {
    if (name === undefined || gid === undefined || gid === '') continue;
    gids.set(name, [...(gids.get(name) ?? []), BigInt(gid)]);
  }
  return gids;
}
