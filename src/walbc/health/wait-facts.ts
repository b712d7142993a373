/** Facts about a group that are waited for. Each is asked again and again, and remembers its goal. */

import type { ArchiveRow, GroupStatus } from './facts.ts';
import type { GroupFact } from './group-wait.ts';
import { sourceOf } from './lag.ts';

/**
 * Everything that the volume's log held at the first look is at the archives: first proxies have the
 * log, then the archives have the snapshot it led to. A log that was reset meanwhile begins anew.
 */
export function synchronizedFact(volume: string, names: readonly string[]): GroupFact {
  let goal: { readonly lsid: bigint; readonly server: string } | undefined;
  let gid: bigint | undefined;
  return (group) => {
    const source = sourceOf(group.volumes, volume);
    if (source === undefined || source.state !== 'Target') {
      return `no storage backs up volume ${volume}${source === undefined ? '' : ` (${source.state} at ${source.server})`}`;
    }
    if (goal?.server !== source.server || source.permanentLsid < goal.lsid) {
      goal = { lsid: source.permanentLsid, server: source.server };
      gid = undefined;
    }
    if (gid === undefined && source.sentLsid < goal.lsid) {
      return `${source.lagBytes} bytes of log wait at ${source.server}`;
    }
    gid ??= source.sentGid;
    const archives = archivesOf(group, volume, names);
    if (typeof archives === 'string') return archives;
    const behind = archives.filter(({ latestGid }) => latestGid === null || latestGid < gid!);
    if (behind.length === 0) return true;
    return behind
      .map((row) => `${row.server} is at gid ${row.latestGid ?? 'none'} of ${gid}`)
      .join('; ');
  };
}

/** The archives that have to get the data, or why it is not known. */
function archivesOf(
  { archives, queues, servers }: GroupStatus,
  volume: string,
  names: readonly string[],
): ArchiveRow[] | string {
  const wanted =
    names.length > 0
      ? names
      : [...new Set(queues.filter((q) => q.volume === volume).map(({ archive }) => archive))];
  if (wanted.length === 0) return `no proxy sends volume ${volume} to an archive`;
  const found = wanted.map((name) => {
    const row = archives.find((one) => one.volume === volume && one.server === name);
    const host = servers.find(({ server }) => server === name);
    if (row !== undefined) return row;
    return host?.isUp === false
      ? `${name} is down: ${host.reason}`
      : `${name} does not know volume ${volume}`;
  });
  const missing = found.filter((one) => typeof one === 'string');
  return missing.length > 0 ? missing.join('; ') : (found as ArchiveRow[]);
}
