/**
 * The worker's share of the library: constants, value classes and pure functions, which work without
 * the other thread. What does calls (Controller, Device, running programs) is not loaded here; the
 * worker gets stand-ins for it.
 */
import { WalbError } from '../../core/index.ts';
import * as constants from '../constants.ts';
import { ServerLayout } from '../layout.ts';
import { Plan } from '../safety/plan.ts';
import { dict2args, get_server_args, get_server_params } from '../server-params.ts';
import { ServerConnectionParam, ServerStartupParam } from '../servers.ts';
import * as utilities from '../utilities.ts';
import * as compress from '../values/compress-opt.ts';
import * as datetime from '../values/datetime.ts';
import * as diff from '../values/diff.ts';
import { GidInfo } from '../values/gid-info.ts';
import * as metaState from '../values/meta-state.ts';
import * as snapshot from '../values/snapshot.ts';
import { SyncOpt } from '../values/sync-opt.ts';
import * as verify from '../verify.ts';
import { KeyboardInterrupt } from './interruptible.ts';
import type { ValueClass, ValueClasses } from './wire.ts';

/** What a module must export as `library` to be the worker's share. */
export interface WorkerLibrary {
  readonly classes: ValueClasses;
  /** Global names besides the classes. */
  readonly names: Readonly<Record<string, unknown>>;
  /** Tells functions that print where to. */
  readonly printTo?: (print: (line: string) => void) => void;
  /** Where docstrings are read from. */
  readonly docs: readonly URL[];
}

/** Value classes: their instances are copied between the threads. */
export const classes: ValueClasses = {
  CompressOpt: compress.CompressOpt as unknown as ValueClass,
  Diff: diff.Diff as unknown as ValueClass,
  GidInfo: GidInfo as unknown as ValueClass,
  MetaState: metaState.MetaState as unknown as ValueClass,
  Plan: Plan as unknown as ValueClass,
  ServerConnectionParam: ServerConnectionParam as unknown as ValueClass,
  ServerLayout: ServerLayout as unknown as ValueClass,
  ServerStartupParam: ServerStartupParam as unknown as ValueClass,
  Snapshot: snapshot.Snapshot as unknown as ValueClass,
  SyncOpt: SyncOpt as unknown as ValueClass,
};

const OWN_FOLDER = new URL('..', import.meta.url);

export const library: WorkerLibrary = {
  classes,
  names: {
    ...constants,
    ...utilities,
    ...datetime,
    ...verify,
    dict2args,
    get_server_args,
    get_server_params,
    compress_kind_to_str: compress.compress_kind_to_str,
    compress_str_to_kind: compress.compress_str_to_kind,
    create_compress_opt_from_str: compress.create_compress_opt_from_str,
    create_diff_from_str: diff.create_diff_from_str,
    create_meta_state_from_str: metaState.create_meta_state_from_str,
    create_snapshot_from_str: snapshot.create_snapshot_from_str,
    KeyboardInterrupt,
    WalbError,
  },
  printTo: (print) => {
    ServerLayout.print = print;
  },
  docs: [
    ...['controller/', 'values/'].map((folder) => new URL(folder, OWN_FOLDER)),
    ...['device', 'layout', 'servers', 'server-params', 'run-command', 'utilities', 'verify'].map(
      (name) => new URL(`${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, OWN_FOLDER),
    ),
  ],
};
