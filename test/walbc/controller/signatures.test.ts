/**
 * Methods and constructors as callers of the original know them: names, order and defaults of their
 * arguments (controller-api.md 1-5; those whose names begin with an underscore too, 5.9).
 */
import { expect, it, test } from 'vitest';
import * as library from '../../../src/walbc/index.ts';

const METHODS = [
  // 5.1
  'set_server_layout(sLayout)',
  'run_ctl(s, cmdArgs, putMsg=False, timeoutS=0, quietErr=False)',
  'run_remote_command(s, args, putMsg=False, timeoutS=0)',
  'get_run_remote_command(s)',
  'get_host_type(s, quietErr=False)',
  'get_state(s, vol)',
  'get_state_all(vol, sL=None)',
  'verify_state(s, vol, state)',
  'get_vol_list(s)',
  'get_alive_server()',
  'status(sL=None, vol=None, timeoutS=SHORT_TIMEOUT_SEC)',
  "shutdown(s, mode='graceful')",
  "shutdown_list(sL, mode='graceful')",
  "shutdown_all(mode='graceful')",
  'kick_all(sL)',
  'kick_storage_all()',
  'kick_proxy(vol, ax)',
  // 5.2
  'get_vol_size_lb(ax, vol)',
  '_get_vol_size_mb(ax, vol)',
  'get_progress_lb(ax, vol)',
  'monitor_progress(ax, vol, timeoutS=TIMEOUT_SEC)',
  'get_base(ax, vol)',
  'get_diff_list(ax, vol, gid0=0, gid1=UINT64_MAX)',
  'print_diff_list(ax, vol, gid0=0, gid1=UINT64_MAX)',
  'get_applicable_diff_list(ax, vol, gid=UINT64_MAX)',
  'print_applicable_diff_list(ax, vol, gid=UINT64_MAX)',
  'get_num_diff(ax, vol, gid0=0, gid1=UINT64_MAX)',
  'get_total_diff_size(ax, vol, gid0=0, gid1=UINT64_MAX)',
  'get_num_action(s, vol, action)',
  'get_all_actions(ax)',
  'get_vol_dict_without_running_actions(ax)',
  'is_overflow(sx, vol)',
  'verify_not_overflow(sx, vol)',
  'is_wdiff_send_error(px, vol, ax)',
  'get_uuid(s, vol)',
  'get_archive_uuid(ax, vol)',
  "get_restorable(ax, vol, opt='')",
  "get_restorable_gid(ax, vol, opt='')",
  "print_restorable(ax, vol, opt='')",
  'get_restored_path(ax, vol, gid)',
  'get_restored(ax, vol)',
  'get_cold(ax, vol)',
  'get_meta_snap(ax, vol, gid=None)',
  'get_meta_state(ax, vol, isApplying, gid=None)',
  'get_latest_clean_snapshot(ax, vol)',
  'get_latest_snapshot_info(ax, vol=None)',
  'get_ts_delta(ax)',
  'exists_diff(ax, vol, gidB, gidE)',
  "get_block_hash(ax, vol, gid, bulkSizeU='64K', scanSizeU=None)",
  // 5.3
  'init_storage(sx, vol, wdevPath)',
  '_init(s, vol, wdevPath=None)',
  'go_standby(sx, vol)',
  '_go_standby(sx, vol)',
  'reset(s, vol, timeoutS=SHORT_TIMEOUT_SEC)',
  'clear(s, vol)',
  '_force_clear(vol)',
  'start(s, vol)',
  "stop_nbk(s, vol, mode='graceful')",
  'wait_for_stopped(s, vol, prevSt=None)',
  "stop(s, vol, mode='graceful')",
  // 5.4
  'get_archive_info_list(px, vol)',
  'get_archive_info(px, vol, ax)',
  'update_archive_info(px, vol, ax, syncOpt)',
  'is_synchronizing(ax, vol)',
  'add_archive_to_proxy(px, vol, ax, doStart=True, syncOpt=None)',
  'del_archive_from_proxy(px, vol, ax, stopEmpty=False)',
  'copy_archive_info(pSrc, vol, pDst)',
  'start_synchronizing(ax, vol, syncOpt=None)',
  'stop_synchronizing(ax, vol)',
  'synchronize(aSrc, vol, aDst, timeoutS=TIMEOUT_SEC, syncOpt=None)',
  // 5.5
  '_prepare_backup(sx, vol, syncOpt=None)',
  'full_backup(sx, vol, timeoutS=TIMEOUT_SEC, block=True, bulkSizeU=None, syncOpt=None)',
  'hash_backup(sx, vol, timeoutS=TIMEOUT_SEC, block=True, bulkSizeU=None, syncOpt=None)',
  'snapshot_nbk(sx, vol)',
  'snapshot(sx, vol, axL, timeoutS=TIMEOUT_SEC)',
  'set_full_scan_bps(sx, throughputU)',
  // 5.6
  'restore(ax, vol, gid, timeoutS=TIMEOUT_SEC)',
  'wait_for_restored(ax, vol, gid, timeoutS=TIMEOUT_SEC)',
  'wait_for_restorable(ax, vol, gid, timeoutS=TIMEOUT_SEC)',
  'verify_not_restorable(ax, vol, gid, waitS, msg)',
  'del_restored(ax, vol, gid)',
  'del_cold(ax, vol, gid)',
  '_del_restored_all(ax, vol)',
  'disable_snapshot(ax, vol, gidL)',
  'enable_snapshot(ax, vol, gidL)',
  // 5.7
  'apply(ax, vol, gid, timeoutS=TIMEOUT_SEC)',
  '_apply_all(ax, vol, timeoutS=TIMEOUT_SEC)',
  'merge(ax, vol, gidB, gidE, timeoutS=TIMEOUT_SEC)',
  'resize_archive(ax, vol, sizeMb, doZeroClear)',
  'resize_storage(sx, vol, sizeMb)',
  'resize(vol, sizeMb, doZeroClear)',
  'gc_diff(ax, vol)',
  // 5.8
  'replicate_once_nbk(aSrc, vol, aDst, doResync=False, dontMerge=False, syncOpt=None, gid=None)',
  'wait_for_replicated(aSrc, vol, aDst, gid, timeoutS=TIMEOUT_SEC)',
  'replicate_once(aSrc, vol, aDst, timeoutS=TIMEOUT_SEC, doResync=False, dontMerge=False, syncOpt=None, gid=None)',
  'replicate(aSrc, vol, aDst, synchronizing, timeoutS=TIMEOUT_SEC, doResync=False, dontMerge=False, syncOpt=None)',
  // 5.9
  '_wait_for_state_cond(s, vol, pred, msg, timeoutS=10)',
  '_wait_for_state(s, vol, stateL, timeoutS=10)',
  '_wait_for_not_state(s, vol, stateL, timeoutS=10)',
  '_wait_for_state_change(s, vol, tmpStateL, goalStateL, timeoutS=10)',
  '_wait_for_gid(ax, vol, gid, cmd, timeoutS)',
  '_wait_for_not_gid(ax, vol, gid, cmd, timeoutS)',
  '_wait_for_not_restored(ax, vol, gid, timeoutS=100)',
  '_wait_for_no_action(s, vol, action, timeoutS)',
] as const;

const DEVICE = [
  'run_wdevc(cmdArgs)',
  'exists()',
  'format_ldev(doDiscard=True)',
  'create(maxl=None, maxp=None, minp=None, qp=None, fs=None, fp=None, bp=None, bi=None)',
  'delete()',
  'resize(newSizeMb)',
  'reset()',
  'get_size_lb()',
  'get_size_mb()',
  'get_log_size_lb()',
  'wait_for_log_empty(timeoutS=TIMEOUT_SEC)',
  '_get_sys_path()',
  '_get_wldev_sys_path()',
] as const;

const CONSTRUCTORS = [
  'Controller(controllerPath, sLayout, isDebug=False, timeoutS=0)',
  'Device(name, ldev, ddev, wdevcPath, runCommand=run_local_command)',
  'ServerConnectionParam(name, address, port, kind)',
  'ServerStartupParam(connParam, binDir, dataDir, logPath=None, vg=None, tp=None)',
  'ServerLayout(storageL, proxyL, archiveL)',
  'Snapshot(gidB=0, gidE=UINT64_MAX)',
  'Diff(B=None, E=None)',
  'MetaState(B=None, E=None)',
  'GidInfo(s)',
  'CompressOpt(kind=CMPR_SNAPPY, level=0, nrCpu=1)',
  "SyncOpt(cmprOpt=None, delayS=0, maxWdiffMergeSizeU='1G', bulkSizeU='64K')",
] as const;

const FUNCTIONS = [
  'verify_type(obj, typeValue, elemType=None, allowNone=False)',
  'verify_int(obj, allowNone=False)',
  'verify_u64(obj, allowNone=False)',
  'verify_function(obj, allowNone=False)',
  'verify_iterable(obj, allowNone=False)',
  'verify_gid_range(gidB, gidE, msg)',
  'verify_size_unit(sizeU, allowNone=False)',
  'verify_shutdown_mode(mode, msg)',
  'verify_compress_kind(kind)',
  'verify_server_kind(s, kindL)',
  'to_str(ss)',
  'run_local_command(args, putMsg=False, quietErr=False)',
  'exists_file(path, runCommand=run_local_command)',
  'get_server(name, sL)',
  'parse_ltsv(s)',
  'server_kind_to_str(kind)',
  'str_to_server_kind(s)',
  'compress_kind_to_str(kind)',
  'compress_str_to_kind(s)',
  'str_to_datetime(s, fmt)',
  'datetime_to_str(ts, fmt)',
  'printL(ls)',
  'create_snapshot_from_str(s)',
  'create_diff_from_str(s)',
  'create_meta_state_from_str(s)',
  'create_ts_delta_from_str(s)',
  'dict2args(d)',
  'get_server_params(s, sLayout=None, isDebug=False, useRepeater=False, maxFgTasks=2, maxBgTasks=1, maxConn=None, timeoutS=None)',
  'get_server_args(s, sLayout=None, isDebug=False, useRepeater=False, maxFgTasks=2, maxBgTasks=1)',
] as const;

/** By name, whatever it is. */
const LIBRARY: Readonly<Record<string, unknown>> = { ...library };

/** What stands for the same value in both languages. */
const SAME: Readonly<Record<string, string>> = {
  null: 'None',
  true: 'True',
  false: 'False',
  '0n': '0',
  MOMENT_SEC: '10',
  U64_MAX: 'UINT64_MAX',
  '100': 'SHORT_TIMEOUT_SEC',
};

/** `['vol', 'timeoutS=TIMEOUT_SEC']` of the text of a function or class. */
function parametersOf(text: string): string[] {
  const open = text.indexOf('(');
  const parameters: string[] = [''];
  let depth = 0;
  for (const char of text.slice(open)) {
    if ('([{'.includes(char)) depth += 1;
    if (')]}'.includes(char)) depth -= 1;
    if (depth === 0) break;
    if (depth === 1 && char === ',') parameters.push('');
    else if (depth > 1 || char !== '(') parameters[parameters.length - 1] += char;
  }
  return parameters.map(normalized).filter((parameter) => parameter !== '');
}

function normalized(parameter: string): string {
  const plain = parameter.replaceAll(/__vi\w*_import_\d+__\.|\(0,\s*|\/\*.*?\*\//g, '');
  const [name = '', ...rest] = plain.split('=').map((part) => part.trim());
  if (rest.length === 0) return name;
  const value = rest.join('=').replaceAll('"', "'");
  return `${name}=${SAME[value] ?? value}`;
}

function expectSignature(signature: string, text: string): void {
  const expected = parametersOf(signature);
  const actual = parametersOf(text);
  expect(actual.slice(0, expected.length)).toEqual(expected);
  // What we add can be left out.
  for (const added of actual.slice(expected.length)) expect(added).toMatch(/=|^\.\.\./);
}

const nameOf = (signature: string): string => signature.slice(0, signature.indexOf('('));

function methodText(prototype: object, name: string): string {
  for (let at = prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    const method = Object.getOwnPropertyDescriptor(at, name)?.value as unknown;
    if (typeof method === 'function') return method.toString();
  }
  throw new Error(`there is no method ${name}`);
}

it.each(METHODS)('walbc.%s', (signature) => {
  expectSignature(signature, methodText(library.Controller.prototype, nameOf(signature)));
});

it.each(DEVICE)('wdev.%s', (signature) => {
  expectSignature(signature, methodText(library.Device.prototype, nameOf(signature)));
});

it.each(FUNCTIONS)('%s', (signature) => {
  const found: unknown = LIBRARY[nameOf(signature)];
  expect(found).toBeTypeOf('function');
  expectSignature(signature, String(found));
});

it.each(CONSTRUCTORS)('%s', (signature) => {
  let type = LIBRARY[nameOf(signature)] as { toString(): string };
  // A class without a constructor of its own has that of its base.
  while (!/\n\s*constructor\s*\(/.test(String(type))) type = Object.getPrototypeOf(type);
  const text = String(type);
  expectSignature(signature, text.slice(text.search(/\n\s*constructor\s*\(/)));
});

test('methods of the original that change something take dry_run in the same place: last', () => {
  for (const signature of METHODS) {
    const parameters = parametersOf(methodText(library.Controller.prototype, nameOf(signature)));
    const at = parameters.findIndex((parameter) => /^dry_run\b/.test(parameter));
    if (at >= 0) expect([signature, at]).toEqual([signature, parameters.length - 1]);
  }
});
