/** Asks the servers for the facts a plan is made from. Only queries; a server that is silent is a fact. */
import { type Clock, type Millis, WalbError } from '../../core/index.ts';
import type { Controller } from '../controller/controller.ts';
import type { Device } from '../device.ts';
import type { ServerParam } from '../servers.ts';
import {
  type ArchiveAt,
  type DeviceFacts,
  type Facts,
  type Need,
  NO_FACTS,
  type ServerAt,
  type Silent,
  type VolumeAt,
} from './facts.ts';

/** A dead server must not hold up an operator who is about to repair another one. */
const SERVER_LIMIT_MS: Millis = 5_000;

/** The beginning of a message says who is silent; the rest is for the log of the program. */
const MAX_WHY = 80;

/** Everything the plan of a call needs. Never throws: what can not be found out is said in the facts. */
export async function gatherFacts(
  walbc: Controller | undefined,
  need: Need,
  clock: Clock,
): Promise<Facts> {
  const primary = walbc?.sLayout.archiveL[0]?.name ?? '';
  const none: Facts = { ...NO_FACTS, primary };
  switch (need.kind) {
    case 'nothing':
      return none;
    case 'device':
      return { ...none, device: await deviceFacts(need.device as Device) };
    case 'group':
      return { ...none, group: walbc === undefined ? [] : await groupFacts(walbc, clock) };
    case 'volume':
      return { ...none, volume: walbc === undefined ? [] : await volumeFacts(walbc, need, clock) };
    case 'exports':
      return await exportFacts(walbc, need.server as ServerParam, none);
  }
}

async function exportFacts(
  walbc: Controller | undefined,
  server: ServerParam,
  none: Facts,
): Promise<Facts> {
  try {
    return { ...none, exports: (await walbc?.list_exports(server)) ?? [] };
  } catch (thrown) {
    return { ...none, unknown: [WalbError.from(thrown).message] };
  }
}

/** The servers of the layout, and those of the call that are not in it. */
function serversFor(walbc: Controller, extra: readonly unknown[]): ServerParam[] {
  const all = walbc.sLayout.get_all();
  const known = new Set(all.map(({ name }) => name));
  const more = extra.filter(
    (s): s is ServerParam =>
      typeof s === 'object' && s !== null && 'get_host_port' in s && 'kind' in s,
  );
  return [...all, ...more.filter(({ name }) => !known.has(name))];
}

async function groupFacts(walbc: Controller, clock: Clock): Promise<(ServerAt | Silent)[]> {
  return await Promise.all(
    serversFor(walbc, []).map((s) =>
      orSilent<ServerAt>(clock, s, async () => ({
        kind: 'server',
        server: s.name,
        serverKind: s.kind,
        reply: await walbc._get_status(s),
      })),
    ),
  );
}

async function volumeFacts(
  walbc: Controller,
  { volume, servers }: Extract<Need, { kind: 'volume' }>,
  clock: Clock,
): Promise<VolumeAt[]> {
  return await Promise.all(
    serversFor(walbc, servers).map((s) =>
      orSilent<VolumeAt>(clock, s, () => volumeAt(walbc, s, volume)),
    ),
  );
}

async function volumeAt(walbc: Controller, s: ServerParam, volume: string): Promise<VolumeAt> {
  const { status } = await walbc._get_status(s, volume);
  switch (status?.$case) {
    case 'storageVolume':
      return { kind: 'storage', server: s.name, status: status.value };
    case 'proxyVolume':
      return { kind: 'proxy', server: s.name, status: status.value };
    case 'archiveVolume':
      return await archiveAt(walbc, s, { kind: 'archive', server: s.name, status: status.value });
    default:
      throw new WalbError('unsupported', `${s.name} says nothing about volume ${volume}`);
  }
}

async function archiveAt(
  walbc: Controller,
  s: ServerParam,
  known: Pick<ArchiveAt, 'kind' | 'server' | 'status'>,
): Promise<ArchiveAt> {
  const { volume, state, sizeLb } = known.status;
  const empty = { diffs: [], applicable: [], restorable: [], restored: [], cold: [], exports: [] };
  if (state === 'Clear' || (state === 'SyncReady' && sizeLb === undefined)) {
    return { ...known, ...empty };
  }
  const isUsable = sizeLb !== undefined && state !== 'SyncReady';
  const [diffs, applicable, restorable, restored, cold, exports] = await Promise.all([
    walbc.get_diff_list(s, volume),
    isUsable ? walbc.get_applicable_diff_list(s, volume) : [],
    isUsable ? walbc.get_restorable(s, volume, 'all') : [],
    walbc.get_restored(s, volume),
    walbc.get_cold(s, volume),
    walbc.list_exports(s, volume),
  ]);
  return { ...known, diffs, applicable, restorable, restored, cold, exports };
}

async function orSilent<T>(
  clock: Clock,
  s: ServerParam,
  ask: () => Promise<T>,
): Promise<T | Silent> {
  const silent = (why: string): Silent => ({
    kind: 'silent',
    server: s.name,
    serverKind: s.kind,
    why: why.length > MAX_WHY ? `${why.slice(0, MAX_WHY)}...` : why,
  });
  const late = new AbortController();
  const limit = clock.sleep(SERVER_LIMIT_MS, late.signal).then(
    () => silent(`no answer within ${SERVER_LIMIT_MS / 1000} s`),
    () => silent('interrupted'),
  );
  try {
    return await Promise.race([ask(), limit]);
  } catch (thrown) {
    return silent(WalbError.from(thrown).message);
  } finally {
    late.abort();
  }
}

async function deviceFacts(device: Device): Promise<DeviceFacts> {
  const orUndefined = async <T>(ask: Promise<T>): Promise<T | undefined> => {
    try {
      return await ask;
    } catch {
      return undefined; // A device without a kernel driver has no such file.
    }
  };
  return {
    path: device.path,
    exists: (await orUndefined(device.exists())) ?? true,
    sizeMb: await orUndefined(device.get_size_mb()),
    logPb: await orUndefined(logOf(device)),
  };
}

/** Log between the oldest and the newest block, in physical blocks. */
async function logOf(device: Device): Promise<number> {
  const text = await device.runCommand(['/bin/cat', `${device._get_sys_path()}walb/lsids`]);
  const [latest, oldest] = ['latest', 'oldest'].map((name) =>
    Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]),
  ) as [number, number];
  if (Number.isFinite(latest - oldest)) return latest - oldest;
  throw new WalbError('corrupt', 'lsids without latest or oldest');
}
