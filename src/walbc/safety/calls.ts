/**
 * The one table of calls: which only ask, which change something, and which lose data or can not be
 * undone, with what to look at before and how to tell what is lost. A test compares the table with the
 * library, so that no new method is forgotten.
 *
 * Sources: controller-api.md 3 and 5, cli.md 1.4.
 */
import { K_ARCHIVE, K_STORAGE } from '../constants.ts';
import * as archive from './archive-plans.ts';
import {
  type Args,
  atArchive,
  atServer,
  atStorage,
  type CallSpec,
  change,
  everywhere,
  gidOf,
  kindOf,
  named,
  nameOf,
  ofDevice,
  read,
  wrongKind,
} from './call-specs.ts';
import type { Facts, Need, VolumeAt } from './facts.ts';
import * as group from './group-plans.ts';
import { joinParts, type PlanParts } from './plan.ts';
import { isQuery, QUERY_COMMANDS } from './queries.ts';
import * as storage from './storage-plans.ts';

function clearing(at: VolumeAt, facts: Facts): PlanParts {
  switch (at.kind) {
    case 'storage':
      return storage.clearingStorage(at, facts);
    case 'proxy':
      return storage.clearingProxy(at, facts);
    case 'archive':
      return archive.losingArchive(at, facts);
    case 'silent':
      return { unknown: [`${at.server} did not answer: ${at.why}`] };
  }
}

const clear = atServer((at, _, facts) => clearing(at, facts));

const reset = atServer((at, _, facts) => {
  if (at.kind === 'storage') return storage.droppingLog(at, facts);
  return at.kind === 'archive' ? archive.losingArchive(at, facts) : wrongKind(at);
});

const init = (args: Args): CallSpec => (kindOf(args[0]) === K_STORAGE ? initStorage : change);

const initStorage = atStorage((at, args) => storage.initialising(at, args[2]));

const stop = atServer((at, args) => storage.stopping(at, args[2]));

const backup = everywhere((args, facts) => storage.backingUp(nameOf(args[0]), facts), 1);

/** `(aSrc, vol, aDst, ...)`; `at`: the place of doResync. */
function replication(at: number): CallSpec {
  return atServer(
    (dst, args) =>
      dst.kind === 'archive' && args[at] === true ? archive.resyncing(dst, nameOf(args[0])) : {},
    { server: 2, volume: 1 },
  );
}

function shutdown(serversOf: (args: Args, facts: Facts) => readonly string[]): CallSpec {
  return {
    effect: 'destructive',
    need: () => ({ kind: 'group' }),
    plan: (args, facts) =>
      group.shuttingDown(
        serversOf(args, facts),
        args.find((arg) => arg === 'force'),
        facts,
      ),
  };
}

const READS = `
  _get_status _wait_for_group _wait_for_restorable group_status print_group_status get_gaps wait_for_up wait_for_synchronized
  wait_for_lag_below
  _get_vol_size_mb _wait_for_gid _wait_for_idle _wait_for_no_action _wait_for_not_gid _wait_for_not_restored
  _wait_for_not_state _wait_for_state _wait_for_state_change _wait_for_state_cond
  exists_diff get_alive_server get_all_actions get_applicable_diff_list get_archive_info
  get_archive_info_list get_archive_uuid get_base get_block_hash get_cold get_diff_list get_host_type
  get_latest_clean_snapshot get_latest_snapshot_info get_meta_snap get_meta_state get_num_action
  get_num_diff get_progress_lb get_restorable get_restorable_gid get_restored get_restored_path
  get_run_remote_command get_state get_state_all get_total_diff_size get_ts_delta get_uuid
  get_vol_dict_without_running_actions get_vol_list get_vol_size_lb is_overflow is_synchronizing
  is_wdiff_send_error list_exports monitor_progress print_applicable_diff_list print_diff_list plan_retention print_retention
  print_restorable set_server_layout status toString verify_not_overflow verify_not_restorable
  verify_state wait_for_replicated wait_for_restorable wait_for_restored wait_for_stopped
`;

const CHANGES = `
  _go_standby add_archive_to_proxy copy_archive_info enable_snapshot export_snapshot kick_all
  kick_proxy kick_storage_all restore run_remote_command set_full_scan_bps snapshot snapshot_nbk start
  start_server start_servers start_synchronizing synchronize update_archive_info
`;

const CONTROLLER: Readonly<Record<string, CallSpec | ((args: Args) => CallSpec)>> = {
  ...named(READS, read),
  ...named(CHANGES, change),
  _apply_all: atArchive((at) => archive.applyingAll(at)),
  _del_restored_all: atArchive((at) => archive.deleting(at, at.restored, 'restored')),
  _force_clear: everywhere(
    (_, facts) => ({
      ...joinParts(facts.volume.map((at) => clearing(at, facts))),
      stays: ['the data on the devices of the storages'],
      obstacles: [],
    }),
    0,
  ),
  _init: init,
  _prepare_backup: backup,
  apply: atArchive((at, args) => archive.applying(at, gidOf(args[2]))),
  clear,
  close_export: {
    effect: 'destructive',
    need: (args) => ({ kind: 'exports', server: args[0] }),
    plan: (args, facts) =>
      joinParts([group.closingExport(facts, String(args[1])), { unknown: facts.unknown }]),
  },
  del_archive_from_proxy: atServer((at, args, facts) =>
    at.kind !== 'proxy'
      ? wrongKind(at)
      : args[3] === true
        ? {}
        : storage.droppingQueue(at, nameOf(args[2]), facts),
  ),
  del_cold: atArchive((at, args) => archive.deleting(at, [gidOf(args[2])], 'cold')),
  del_restored: atArchive((at, args) => archive.deleting(at, [gidOf(args[2])], 'restored')),
  disable_snapshot: atArchive((at, args) =>
    archive.disabling(at, Array.isArray(args[2]) ? args[2].map(gidOf) : []),
  ),
  full_backup: backup,
  gc_diff: atArchive((at) => archive.collecting(at)),
  go_standby: everywhere((args, facts) => storage.standingBy(nameOf(args[0]), facts), 1),
  hash_backup: backup,
  init_storage: initStorage,
  merge: atArchive((at, args) => archive.merging(at, gidOf(args[2]), gidOf(args[3]))),
  replicate: replication(5),
  replicate_once: replication(4),
  replicate_once_nbk: replication(3),
  reset,
  resize: everywhere(
    (args, facts) => joinParts(facts.volume.map((at) => growing(at, Number(args[1])))),
    0,
  ),
  resize_archive: atArchive((at, args) => archive.growing(at, Number(args[2]))),
  resize_storage: atStorage((at, args) => storage.growingStorage(at, Number(args[2]))),
  run_ctl: (args) => commandSpec(args[0], wordsOf(args[1])),
  shutdown: shutdown(([s]) => [nameOf(s)]),
  shutdown_all: shutdown((_, facts) => facts.group.map(({ server }) => server)),
  shutdown_list: shutdown(([list]) => (Array.isArray(list) ? list.map(nameOf) : [])),
  stop,
  stop_nbk: stop,
  stop_synchronizing: everywhere((args, facts) => storage.leaving(nameOf(args[0]), facts), 1),
};

function growing(at: VolumeAt, sizeMb: number): PlanParts {
  if (at.kind === 'storage' && at.status.state !== 'Clear') {
    return storage.growingStorage(at, sizeMb);
  }
  return at.kind === 'archive' ? archive.growing(at, sizeMb) : {};
}

const DEVICE: Readonly<Record<string, CallSpec | ((args: Args) => CallSpec)>> = {
  ...named(
    `_get_sys_path _get_wldev_sys_path exists get_log_size_lb get_size_lb get_size_mb path toString
     wait_for_log_empty`,
    read,
  ),
  create: change,
  delete: ofDevice(({ path }, _, facts) => group.removingDevice(facts.device, path)),
  format_ldev: ofDevice(({ ldev }, _, facts) => group.losingDeviceLog(facts.device, ldev)),
  reset: ofDevice(({ ldev }, _, facts) => group.losingDeviceLog(facts.device, ldev)),
  resize: ofDevice(({ path }, args, facts) =>
    group.growingDevice(facts.device, path, Number(args[0])),
  ),
  run_wdevc: (args) => WDEVC[wordsOf(args[1])[0] ?? ''] ?? change,
};

/** Commands of `wdevc` that only ask, and those that lose something (cli.md 3). */
const WDEVC: Readonly<Record<string, CallSpec>> = {
  ...named(
    `get-checkpoint-interval get-completed-lsid get-log-capacity get-log-usage get-lsids get-oldest-lsid
     get-permanent-lsid get-size-lb get-version get-written-lsid is-flozen is-flush-capable
     is-log-overflow list`,
    read,
  ),
  'clear-wal': ofDevice(({ ldev }, _, facts) => group.losingDeviceLog(facts.device, ldev)),
  'delete-wdev': ofDevice(({ path }, _, facts) => group.removingDevice(facts.device, path)),
  'format-ldev': ofDevice(({ ldev }, _, facts) => group.losingDeviceLog(facts.device, ldev)),
  'reset-wal': ofDevice(({ ldev }, _, facts) => group.losingDeviceLog(facts.device, ldev)),
  'set-oldest-lsid': ofDevice(({ ldev }, _, facts) => group.losingDeviceLog(facts.device, ldev)),
};

/** Functions of the library; one that is not named here came from a call and runs programs. */
const FUNCTIONS: Readonly<Record<string, CallSpec>> = {
  exists_file: read,
  run_local_command: change,
};

/** Commands of the command line: what they are, or the call of the controller that loses the same. */
const COMMANDS: Readonly<
  Record<string, CallSpec | ((s: unknown, words: readonly string[]) => CallSpec)>
> = {
  ...named([...QUERY_COMMANDS].join(' '), read),
  ...named(
    `dbg-dump-logpack-header dbg-reload-metadata enable-snapshot exec full-bkp hash-bkp kick restore
     set-full-scan-bps snapshot start virt-full-scan`,
    change,
  ),
  apply: (s, [vol, gid]) => as('apply', [s, vol, gid]),
  'archive-info': (s, [action = '', vol, name = '']) =>
    action === 'delete'
      ? as('del_archive_from_proxy', [s, vol, { name }, false])
      : isQuery(['archive-info', action])
        ? read
        : change,
  'clear-vol': (s, [vol]) => as('clear', [s, vol]),
  'dbg-set-base': () => unchecked,
  'dbg-set-state': () => unchecked,
  'dbg-set-uuid': () => unchecked,
  'del-cold': (s, [vol, gid]) => as('del_cold', [s, vol, gid]),
  'del-restored': (s, [vol, gid]) => as('del_restored', [s, vol, gid]),
  'disable-snapshot': (s, [vol, ...gids]) => as('disable_snapshot', [s, vol, gids]),
  'gc-diff': (s, [vol]) => as('gc_diff', [s, vol]),
  'init-vol': (s, [vol, path]) =>
    kindOf(s) === K_STORAGE ? as('init_storage', [s, vol, path]) : change,
  merge: (s, [vol, gidB, by, gidE]) =>
    by === 'gid' ? as('merge', [s, vol, gidB, gidE]) : mergingUnknown,
  replicate: (s, words) =>
    words[4] === '1' ? as('replicate_once_nbk', [s, words[0], addressed(words[3]), true]) : change,
  'reset-vol': (s, [vol]) => as('reset', [s, vol]),
  resize: (s, [vol, size]) =>
    as(kindOf(s) === K_ARCHIVE ? 'resize_archive' : 'resize_storage', [s, vol, mebibytes(size)]),
  shutdown: (s, [mode = '']) => as('shutdown', [s, mode]),
  stop: (s, [vol, mode = '']) => as('stop', [s, vol, mode]),
};

function addressed(hostPort: string | undefined): { readonly name: string } {
  return { name: hostPort ?? '' };
}

function mebibytes(size: string | undefined): number {
  const match = /^(\d+)([kmgt]?)$/i.exec(size ?? '');
  const units: Readonly<Record<string, number>> = { k: 2 ** -10, m: 1, g: 2 ** 10, t: 2 ** 20 };
  return Number(match?.[1] ?? 0) * (units[(match?.[2] ?? '').toLowerCase()] ?? 2 ** -20);
}

const unchecked: CallSpec = {
  effect: 'destructive',
  need: () => ({ kind: 'nothing' }),
  plan: () => ({
    losses: ['metadata of the archive is overwritten without any check'],
    undo: ['the same command with the old value'],
  }),
};

const mergingUnknown: CallSpec = {
  effect: 'destructive',
  need: () => ({ kind: 'nothing' }),
  plan: () => ({
    losses: ['implicit snapshots within the merged diffs; which, the server decides'],
  }),
};

/** A command judged as the call that does the same, with other arguments than its own. */
function as(member: string, args: Args): CallSpec {
  const found = CONTROLLER[member];
  const spec = typeof found === 'function' ? found(args) : (found ?? change);
  if (spec.effect !== 'destructive') return spec;
  return {
    effect: 'destructive',
    need: () => spec.need(args),
    plan: (_, facts) => spec.plan(args, facts),
  };
}

function wordsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** What a command of the command line at a server is. */
export function commandSpec(server: unknown, words: readonly string[]): CallSpec {
  const [name = '', ...rest] = words;
  const found = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (found === undefined) return change;
  return typeof found === 'function' ? found(server, rest) : found;
}

/** Names in the table, for the test that compares it with the library. */
export const TABLE_NAMES = {
  Controller: Object.keys(CONTROLLER),
  Device: Object.keys(DEVICE),
  functions: Object.keys(FUNCTIONS),
  commands: Object.keys(COMMANDS),
} as const;

/** A call as it reaches the library. */
export interface Call {
  /** `Controller`, `Device`, or '' for a function. */
  readonly className: string;
  readonly target: unknown;
  readonly member: string;
  readonly args: Args;
}

/** What a call is. */
export function specOf(call: Call): CallSpec {
  const found = entryOf(call.className, call.member);
  return typeof found === 'function' ? found(argsOf(call)) : found;
}

/** Whether a call may change something, by some arguments at least: then it takes `dry_run`. */
export function mayChange(className: string, member: string): boolean {
  const found = entryOf(className, member);
  return typeof found === 'function' || found.effect !== 'read';
}

/** What nobody has classified counts as a change. */
function entryOf(className: string, member: string): CallSpec | ((args: Args) => CallSpec) {
  const table = TABLES[className] ?? FUNCTIONS;
  return (Object.hasOwn(table, member) ? table[member] : undefined) ?? change;
}

const TABLES: Readonly<Record<string, typeof CONTROLLER>> = {
  Controller: CONTROLLER,
  Device: DEVICE,
};

/** Arguments as the planners count them: of a device, the device first. */
function argsOf({ className, target, args }: Call): Args {
  return className === 'Device' ? [target, ...args] : args;
}

export function needOf(call: Call): Need {
  const spec = specOf(call);
  return spec.effect === 'destructive' ? spec.need(argsOf(call)) : { kind: 'nothing' };
}

/** What the call would do, by these facts. Pure. */
export function partsOf(call: Call, facts: Facts): PlanParts {
  const spec = specOf(call);
  return spec.effect === 'destructive' ? spec.plan(argsOf(call), facts) : {};
}
