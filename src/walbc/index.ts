/** The control library: what `import ... from 'walb-ts'` gives. */

export { type Clock, type ErrorCode, type Network, WalbError } from '../core/index.ts';
export {
  type GrpcNetworkOptions,
  grpcNetwork,
  MemoryNetwork,
  type TlsOptions,
} from '../rpc/index.ts';
export * from './constants.ts';
export { Controller } from './controller/controller.ts';
export type { ShutdownModeName } from './controller/generic.ts';
export type { ActionCount, RestorableOption } from './controller/info.ts';
export type { StopModeName } from './controller/life-cycle.ts';
export { Device } from './device.ts';
export type { ControllerEnvironment, WaitReport } from './environment.ts';
export { ServerLayout } from './layout.ts';
export { exists_file, type RunCommand, run_local_command } from './run-command.ts';
export { Plan } from './safety/plan.ts';
export {
  dict2args,
  get_server_args,
  get_server_params,
  type ServerOptions,
} from './server-params.ts';
export { ServerConnectionParam, type ServerParam, ServerStartupParam } from './servers.ts';
export * from './utilities.ts';
export {
  CompressOpt,
  compress_kind_to_str,
  compress_str_to_kind,
  create_compress_opt_from_str,
} from './values/compress-opt.ts';
export { datetime_to_str, str_to_datetime } from './values/datetime.ts';
export { create_diff_from_str, Diff } from './values/diff.ts';
export { GidInfo } from './values/gid-info.ts';
export { create_meta_state_from_str, MetaState } from './values/meta-state.ts';
export { create_snapshot_from_str, Snapshot } from './values/snapshot.ts';
export { SyncOpt } from './values/sync-opt.ts';
export {
  type GidLike,
  ServerParams,
  verify_compress_kind,
  verify_function,
  verify_gid_range,
  verify_int,
  verify_iterable,
  verify_server_kind,
  verify_shutdown_mode,
  verify_size_unit,
  verify_type,
  verify_u64,
} from './verify.ts';
