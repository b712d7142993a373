/** What the group loses when servers end, and what devices lose. Pure. */
import { K_ARCHIVE, K_PROXY, K_STORAGE, serverKindMap } from '../constants.ts';
import type { DeviceFacts, Facts, ServerAt } from './facts.ts';
import type { PlanParts } from './plan.ts';
import { count, logText, sizeText } from './words.ts';

/** Servers are shut down: a loss where none of their kind is left. */
export function shuttingDown(names: readonly string[], mode: unknown, facts: Facts): PlanParts {
  const alive = facts.group.filter((at) => at.kind === 'server');
  const leaving = alive.filter(({ server }) => names.includes(server));
  const staying = alive.filter(({ server }) => !names.includes(server));
  const kinds = [...new Set(leaving.map(({ serverKind }) => serverKind))];
  const last = kinds.filter((kind) => !staying.some(({ serverKind }) => serverKind === kind));
  const silent = facts.group.filter((at) => at.kind === 'silent');
  return {
    losses: [
      ...last.flatMap((kind) => consequences(kind, staying)),
      ...(last.includes(K_ARCHIVE) ? [] : leftAlone(leaving, staying)),
    ],
    stays: [
      ...staying.map(
        ({ server, serverKind }) => `${server} (${serverKindMap[serverKind]}) goes on`,
      ),
      ...silent.map(({ server, why }) => `${server} did not answer: ${why}`),
      ...(mode === 'force' ? ['running work is broken off; what is on disk is kept'] : []),
    ],
    undo: [`start ${names.join(', ')} on its machine again`],
    obstacles: leaving.length === 0 ? [`${names.join(', ')}: no answer`] : [],
  };
}

/** Volumes whose only archive ends, while other archives go on. */
function leftAlone(leaving: readonly ServerAt[], staying: readonly ServerAt[]): string[] {
  const kept = new Set(staying.flatMap(volumesAt));
  return leaving.flatMap((at) => {
    const alone = volumesAt(at).filter((volume) => !kept.has(volume));
    return alone.length === 0
      ? []
      : [`${at.server} is the only archive of ${alone.join(', ')}: diffs wait at the proxies`];
  });
}

function volumesAt({ reply: { status } }: ServerAt): string[] {
  if (status?.$case !== 'archive') return [];
  return status.value.volumes
    .filter(({ sizeLb }) => sizeLb !== undefined)
    .map(({ volume }) => volume);
}

function consequences(kind: number, staying: readonly ServerAt[]): string[] {
  const storages = staying.filter(({ serverKind }) => serverKind === K_STORAGE);
  const logs = storages.flatMap(({ server, reply: { status } }) =>
    status?.$case === 'storage'
      ? status.value.volumes
          .filter(({ state }) => state === 'Target')
          .map((volume) => `log of ${volume.volume} at ${server}: ${logText(volume)}`)
      : [],
  );
  const spools = staying.flatMap(({ server, reply: { status } }) =>
    status?.$case === 'proxy' && status.value.spool !== undefined
      ? [
          `spool of ${server}: ${sizeText(status.value.spool.usedBytes)} used, ${sizeText(status.value.spool.diskFreeBytes)} of disk free`,
        ]
      : [],
  );
  switch (kind) {
    case K_PROXY:
      return ['the last proxy: log stays at the storages until one is back', ...logs];
    case K_ARCHIVE:
      return [
        'the last archive: no backup arrives until it is back; diffs wait at the proxies',
        ...spools,
      ];
    default:
      return ['the last storage: nothing is delivered until it is back, and logs fill meanwhile'];
  }
}

export function losingDeviceLog(device: DeviceFacts | undefined, ldev: string): PlanParts {
  const pb = device?.logPb;
  return {
    losses: [
      pb === undefined
        ? `all log in ${ldev}, as far as it was not delivered`
        : `all log in ${ldev}: ${count(pb, 'physical block')} not erased yet`,
    ],
    stays: ['the data device'],
    undo: ['none for the log; walbc.hash_backup backs the data up again'],
  };
}

export function removingDevice(device: DeviceFacts | undefined, path: string): PlanParts {
  if (device !== undefined && !device.exists) return { obstacles: [`there is no device ${path}`] };
  return {
    losses: [`the device ${path}: whoever uses it gets errors`],
    stays: ['log and data devices with their contents'],
    undo: ['create() makes it again of the same log and data device'],
  };
}

export function growingDevice(
  device: DeviceFacts | undefined,
  path: string,
  sizeMb: number,
): PlanParts {
  const old = device?.sizeMb === undefined ? '' : ` from ${device.sizeMb} MiB`;
  return {
    losses: [`the size of ${path}: it grows${old} to ${sizeMb} MiB and can not shrink again`],
    stays: ['all data'],
  };
}

/** What was written to an export, which has no other place. */
export function closingExport(facts: Facts, exportId: string): PlanParts {
  const found = facts.exports.find((one) => one.exportId === exportId);
  if (found === undefined) return { obstacles: [`there is no export ${exportId}`] };
  return {
    losses: [
      ...(found.overlayBytes === 0
        ? []
        : [
            `${sizeText(found.overlayBytes)} written to the export of gid ${found.gid} of ${found.volume}`,
          ]),
      ...(found.connections === 0
        ? []
        : [`the connection of ${count(found.connections, 'client')}`]),
    ],
    stays: [`the snapshot gid ${found.gid}`],
    undo: ['export_snapshot serves it again, as it was first'],
  };
}
