/** What calls at storages and proxies lose (controller-api.md 5.3 to 5.5). Pure. */
import { archivesOf, holdsData } from './archive-plans.ts';
import type { Facts, ProxyAt, StorageAt } from './facts.ts';
import { joinParts, type PlanParts } from './plan.ts';
import { count, gidsText, logText, sizeOfLb, sizeText } from './words.ts';

/** Log and snapshots of a storage that have not been delivered. */
export function undelivered({ server, status }: StorageAt): string[] {
  if (status.state === 'Clear') return [];
  const snapshots = status.queue.slice(1).map(({ gid }) => gid);
  const bytes = status.lagPb * status.pbs;
  return [
    ...(bytes === 0
      ? []
      : [`${sizeText(bytes)} of log of ${status.volume} at ${server} that was not delivered`]),
    ...(snapshots.length === 0
      ? []
      : [`${count(snapshots.length, 'snapshot')} not delivered: gid ${gidsText(snapshots)}`]),
  ];
}

function holders(facts: Facts): string[] {
  return archivesOf(facts.volume)
    .filter(holdsData)
    .map(({ server }) => `what ${server} holds`);
}

/** The log is dropped: what the archives hold does not join what is written from now on. */
export function droppingLog(at: StorageAt, facts: Facts): PlanParts {
  const { volume, state } = at.status;
  if (state === 'Clear') return { obstacles: [`${at.server} does not know ${volume}`] };
  const lost = undelivered(at);
  return {
    losses: [
      ...lost,
      ...(state === 'Target' || state === 'Stopped'
        ? [`the link to the archives: backup of ${volume} from ${at.server} ends`]
        : []),
    ],
    stays: [`the data of ${volume} on the device ${at.status.devicePath}`, ...holders(facts)],
    undo: [`walbc.hash_backup(${at.server}, '${volume}') brings the archive up to date again`],
  };
}

export function clearingStorage(at: StorageAt, facts: Facts): PlanParts {
  const dropped = droppingLog(at, facts);
  const { volume, state, devicePath } = at.status;
  if (state === 'Clear') return dropped;
  return {
    losses: [...(dropped.losses ?? []), `${at.server} forgets ${volume} (${state})`],
    stays: dropped.stays ?? [],
    undo: [
      `walbc.init_storage(${at.server}, '${volume}', '${devicePath}')`,
      ...(dropped.undo ?? []),
    ],
  };
}

/** A device is made part of the group: the log it holds is discarded. */
export function initialising(at: StorageAt, devicePath: unknown): PlanParts {
  const { volume, state } = at.status;
  if (state !== 'Clear') return { obstacles: [`${at.server} knows ${volume} already (${state})`] };
  return {
    losses: [`the log in ${String(devicePath)}, as far as it was not delivered`],
    stays: [`the data of ${String(devicePath)}`],
    undo: [`walbc.hash_backup or full_backup(${at.server}, '${volume}') backs the data up`],
  };
}

/** Diffs that wait at a proxy: for one archive, or for all. */
export function droppingQueue(at: ProxyAt, archive: string | undefined, facts: Facts): PlanParts {
  const { volume } = at.status;
  const queues = at.status.archives.filter((q) => archive === undefined || q.archive === archive);
  const waiting = queues.filter(({ numDiff }) => numDiff > 0);
  if (at.status.state === 'Clear') return { obstacles: [`${at.server} does not know ${volume}`] };
  const target = facts.volume.find((o) => o.kind === 'storage' && o.status.state === 'Target');
  return {
    losses: waiting.map(
      ({ archive: name, numDiff, wdiffTotalSizeBytes, minGid, maxGid }) =>
        `${count(numDiff, 'diff')} of ${volume} for ${name} at ${at.server}, ${sizeText(wdiffTotalSizeBytes)}, gid ${minGid ?? '?'} to ${maxGid ?? '?'}: not delivered yet`,
    ),
    stays: queues
      .filter(({ numDiff }) => numDiff === 0)
      .map(({ archive: name }) => `${name} has got everything from ${at.server}`),
    undo:
      waiting.length === 0
        ? []
        : [
            `later diffs do not join what ${waiting.map((q) => q.archive).join(', ')} has then: ` +
              `walbc.hash_backup(${target?.server ?? 's0'}, '${volume}') or replicate repairs it`,
          ],
    obstacles:
      queues.length > 0
        ? []
        : [`${archive ?? 'no archive'} is not registered for ${volume} at ${at.server}`],
  };
}

export function clearingProxy(at: ProxyAt, facts: Facts): PlanParts {
  const dropped = droppingQueue(at, undefined, facts);
  const names = at.status.archives.map(({ archive }) => archive);
  if (at.status.state === 'Clear') return dropped;
  return {
    ...dropped,
    losses: [
      ...(dropped.losses ?? []),
      `${at.server} forgets that ${at.status.volume} goes to ${names.join(', ') || 'no archive'}`,
    ],
    undo: [
      ...(dropped.undo ?? []),
      ...names.map(
        (name) => `walbc.add_archive_to_proxy(${at.server}, '${at.status.volume}', ${name})`,
      ),
    ],
  };
}

/** The archive gets nothing any more from any proxy. */
export function leaving(archive: string, facts: Facts): PlanParts {
  const proxies = facts.volume.filter((at) => at.kind === 'proxy');
  const registered = proxies.filter((at) => at.status.archives.some((q) => q.archive === archive));
  if (registered.length === 0) {
    return { obstacles: [`no proxy that answers delivers to ${archive}`] };
  }
  const { volume } = registered[0]!.status;
  const parts = joinParts(registered.map((at) => droppingQueue(at, archive, facts)));
  return {
    ...parts,
    losses: [...(parts.losses ?? []), `${archive} does not follow ${volume} any more`],
  };
}

/** What a stop breaks off; what waits is not lost by it. */
export function stopping(at: Facts['volume'][number], mode: unknown): PlanParts {
  if (at.kind === 'silent') return { unknown: [`${at.server} did not answer: ${at.why}`] };
  const { status, server } = at;
  const running = mode === 'force' ? status.progress : [];
  const stays = [
    ...(at.kind === 'proxy'
      ? at.status.archives.flatMap(({ archive, numDiff, wdiffTotalSizeBytes }) =>
          numDiff === 0
            ? []
            : [
                `${count(numDiff, 'diff')} for ${archive}, ${sizeText(wdiffTotalSizeBytes)}, wait in the spool`,
              ],
        )
      : []),
    ...(at.kind === 'storage' && status.state === 'Target'
      ? [`log of ${status.volume} piles up until it is started: ${logText(at.status)}`]
      : []),
  ];
  return {
    losses: running.map(({ kind, done, total, inBytes }) => {
      const unit = inBytes ? 1 : 512;
      const share = total === 0 ? sizeText(done * unit) : `${Math.floor((100 * done) / total)}%`;
      return `${kind} of ${status.volume} at ${server} is broken off at ${share}`;
    }),
    stays,
    undo: [`walbc.start(${server}, '${status.volume}')`],
  };
}

/** What preparing a backup drops: log of a stopped volume, and what other archives wait for. */
export function backingUp(sx: string, facts: Facts): PlanParts {
  const at = facts.volume.find(({ server }) => server === sx);
  if (at === undefined || at.kind !== 'storage') return {};
  const { state, volume } = at.status;
  const others = archivesOf(facts.volume).filter(({ server }) => server !== facts.primary);
  const followers = others.filter(({ server }) =>
    facts.volume.some(
      (o) => o.kind === 'proxy' && o.status.archives.some((q) => q.archive === server),
    ),
  );
  const drops = joinParts([
    ...(state === 'Stopped' ? [{ losses: undelivered(at) }] : []),
    ...followers.map(({ server }) => leaving(server, facts)),
    ...(facts.primary === '' ? [] : [queuesOf(facts.primary, facts)]),
  ]);
  const refused = ['SyncReady', 'Standby', 'Stopped'].includes(state)
    ? []
    : [`${volume} at ${sx} is ${state}: stop it first`];
  return {
    ...drops,
    stays: [`the data of ${volume} at ${sx}: all of it is backed up anew`, ...(drops.stays ?? [])],
    undo: followers.map(
      ({ server }) =>
        `walbc.synchronize(${facts.primary}, '${volume}', ${server}) makes ${server} follow again`,
    ),
    obstacles: refused,
  };
}

function queuesOf(archive: string, facts: Facts): PlanParts {
  return joinParts(
    facts.volume.flatMap((at) =>
      at.kind === 'proxy' && at.status.archives.some((q) => q.archive === archive)
        ? [{ losses: droppingQueue(at, archive, facts).losses ?? [] }]
        : [],
    ),
  );
}

/** A target becomes a replica: its log ends, and the primary archive does not follow any more. */
export function standingBy(sx: string, facts: Facts): PlanParts {
  const at = facts.volume.find(({ server }) => server === sx);
  if (at === undefined || at.kind !== 'storage') return {};
  if (at.status.state !== 'Target') return {};
  return joinParts([
    { ...droppingLog(at, facts), undo: [] },
    ...(facts.primary === '' ? [] : [leaving(facts.primary, facts)]),
    { undo: [`walbc.hash_backup from another storage, or from ${sx} again`] },
  ]);
}

export function growingStorage(at: StorageAt, sizeMb: number): PlanParts {
  const { sizeLb, state, volume } = at.status;
  const wanted = sizeMb * 1024 * 1024;
  if (state === 'Clear') return { obstacles: [`${at.server} does not know ${volume}`] };
  if (wanted <= sizeLb * 512) return { obstacles: [`it has ${sizeOfLb(sizeLb)}`] };
  return {
    losses: [
      `the size ${sizeOfLb(sizeLb)} at ${at.server}: it grows to ${sizeText(wanted)} and can not shrink again`,
    ],
    stays: ['all data'],
  };
}
