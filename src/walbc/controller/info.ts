/** Getters (controller-api.md 5.2). All are queries that return at once. */
import { formatUuid, LB_SIZE, MIB, U64_MAX, WalbError } from '../../core/index.ts';
import {
  type Action,
  ArchiveRpc,
  ControlRpc,
  diffFromMessage,
  ProxyRpc,
  StorageRpc,
  snapshotFromMessage,
  stateFromMessage,
  type TsDelta,
} from '../../rpc/index.ts';
import { ltsvOfTsDelta } from '../cli/ltsv.ts';
import {
  aaApply,
  aaMerge,
  aaReplSync,
  aaResize,
  aaRestore,
  K_ARCHIVE,
  K_STORAGE,
  RESTORED_VOLUME_PREFIX,
  saWlogRemove,
  saWlogSend,
  TIMEOUT_SEC,
} from '../constants.ts';
import type { ServerParam } from '../servers.ts';
import { parse_ltsv } from '../utilities.ts';
import { dateOf } from '../values/datetime.ts';
import { Diff } from '../values/diff.ts';
import { GidInfo } from '../values/gid-info.ts';
import { MetaState } from '../values/meta-state.ts';
import { Snapshot } from '../values/snapshot.ts';
import {
  type GidLike,
  show,
  toGid,
  verify_archive,
  verify_gid_range,
  verify_proxy,
  verify_server_kind,
  verify_storage,
} from '../verify.ts';
import { GenericMethods } from './generic.ts';

const LB_PER_MB = MIB / LB_SIZE;
const ARCHIVE_ACTIONS: readonly string[] = [aaMerge, aaApply, aaRestore, aaReplSync, aaResize];
const STORAGE_ACTIONS: readonly string[] = [saWlogSend, saWlogRemove];

/** How often an action runs at the moment, and when it last began since the server started. */
export type ActionCount = readonly [count: number, lastBegin: Date | null];

export type RestorableOption = '' | 'all';

export class InfoMethods extends GenericMethods {
  /** Size of the base image in logical blocks of 512 bytes. Throws when there is none. */
  async get_vol_size_lb(ax: ServerParam, vol: string): Promise<number> {
    verify_archive(ax);
    return (await this.query(ax, ArchiveRpc.getVolSize, { volume: vol })).value;
  }

  /** Size of the base image in whole MiB. */
  async _get_vol_size_mb(ax: ServerParam, vol: string): Promise<number> {
    return Math.floor((await this.get_vol_size_lb(ax, vol)) / LB_PER_MB);
  }

  /**
   * Logical blocks done by the full backup, hash backup or resync that `ax` receives; 0 when none
   * does.
   */
  async get_progress_lb(ax: ServerParam, vol: string): Promise<number> {
    verify_archive(ax);
    return (await this.query(ax, ArchiveRpc.getProgress, { volume: vol })).value;
  }

  /** Prints that progress every second until nothing runs. Throws `timeout`. */
  async monitor_progress(ax: ServerParam, vol: string, timeoutS = TIMEOUT_SEC): Promise<void> {
    const { clock } = this.environment;
    const deadline = clock.monotonic() + timeoutS * 1000;
    for (;;) {
      const progressLb = await this.get_progress_lb(ax, vol);
      if (progressLb === 0) return;
      const sizeLb = await this.get_vol_size_lb(ax, vol);
      this.print(`${progressLb}/${sizeLb} (${Math.floor((progressLb * 100) / sizeLb)}%)`);
      if (clock.monotonic() >= deadline) {
        const message = `monitor_progress: after ${timeoutS} s volume ${vol} at ${ax.name} is at ${progressLb} of ${sizeLb} blocks`;
        throw new WalbError('timeout', message, { details: { server: ax.name, volume: vol } });
      }
      await clock.sleep(1000, this.interrupted);
    }
  }

  /** State of the base image; `is_applying()` while an apply is under way or was interrupted. */
  async get_base(ax: ServerParam, vol: string): Promise<MetaState> {
    verify_archive(ax);
    return MetaState.of(
      stateFromMessage(await this.query(ax, ArchiveRpc.getBase, { volume: vol })),
    );
  }

  /** All diffs with gid0 <= B.gidB < gid1, ordered by B.gidB. */
  async get_diff_list(
    ax: ServerParam,
    vol: string,
    gid0: GidLike = 0n,
    gid1: GidLike = U64_MAX,
  ): Promise<Diff[]> {
    const request = rangeRequest(ax, vol, gid0, gid1);
    const { diffs } = await this.query(ax, ArchiveRpc.getDiffs, request);
    return diffs.map((message) => Diff.of(diffFromMessage(message)));
  }

  /** Prints them, one per line. */
  async print_diff_list(
    ax: ServerParam,
    vol: string,
    gid0: GidLike = 0n,
    gid1: GidLike = U64_MAX,
  ): Promise<void> {
    for (const diff of await this.get_diff_list(ax, vol, gid0, gid1)) this.print(String(diff));
  }

  /** The diffs that lead on from the base image, one after another, up to `gid`. */
  async get_applicable_diff_list(
    ax: ServerParam,
    vol: string,
    gid: GidLike = U64_MAX,
  ): Promise<Diff[]> {
    verify_archive(ax);
    const request = { volume: vol, gid: toGid(gid) };
    const { diffs } = await this.query(ax, ArchiveRpc.getApplicableDiffs, request);
    return diffs.map((message) => Diff.of(diffFromMessage(message)));
  }

  /** Prints them, one per line. */
  async print_applicable_diff_list(
    ax: ServerParam,
    vol: string,
    gid: GidLike = U64_MAX,
  ): Promise<void> {
    for (const diff of await this.get_applicable_diff_list(ax, vol, gid)) this.print(String(diff));
  }

  /** Number of the diffs of `get_diff_list`. */
  async get_num_diff(
    ax: ServerParam,
    vol: string,
    gid0: GidLike = 0n,
    gid1: GidLike = U64_MAX,
  ): Promise<number> {
    const request = rangeRequest(ax, vol, gid0, gid1);
    return (await this.query(ax, ArchiveRpc.getNumDiff, request)).value;
  }

  /** Sum of the file sizes of the diffs of `get_diff_list`, in bytes. */
  async get_total_diff_size(
    ax: ServerParam,
    vol: string,
    gid0: GidLike = 0n,
    gid1: GidLike = U64_MAX,
  ): Promise<number> {
    const request = rangeRequest(ax, vol, gid0, gid1);
    return (await this.query(ax, ArchiveRpc.getTotalDiffSize, request)).value;
  }

  /**
   * How often an action runs at the moment: 'Merge', 'Apply', 'Restore', 'ReplSyncAsClient' or
   * 'Resize' at archives.
   */
  async get_num_action(s: ServerParam, vol: string, action: string): Promise<number> {
    verify_archive(s);
    checkAction(action, ARCHIVE_ACTIONS);
    const request = { volume: vol, action: action as Action };
    return (await this.query(s, ArchiveRpc.getNumAction, request)).value;
  }

  /**
   * `{volume: {action: [count, last begin or null]}}` of the volumes that hold data. Every action is
   * there.
   */
  async get_all_actions(ax: ServerParam): Promise<Record<string, Record<string, ActionCount>>> {
    verify_archive(ax);
    const { volumes } = await this.query(ax, ArchiveRpc.getAllActions, {});
    const none = Object.fromEntries(ARCHIVE_ACTIONS.map((name) => [name, [0, null] as const]));
    return Object.fromEntries(
      volumes.map(({ volume, actions }) => {
        const counts = actions.map(
          ({ action, running, lastBegan }) => [action, [running, dateOf(lastBegan)]] as const,
        );
        return [volume, { ...none, ...Object.fromEntries(counts) }];
      }),
    );
  }

  /** `{volume: {action: last begin or null}}` of the volumes at which no action runs. */
  async get_vol_dict_without_running_actions(
    ax: ServerParam,
  ): Promise<Record<string, Record<string, Date | null>>> {
    const idle = Object.entries(await this.get_all_actions(ax)).filter(([, actions]) =>
      Object.values(actions).every(([count]) => count === 0),
    );
    return Object.fromEntries(
      idle.map(([volume, actions]) => [
        volume,
        Object.fromEntries(Object.entries(actions).map(([name, [, began]]) => [name, began])),
      ]),
    );
  }

  /**
   * Whether the log of a volume has overflowed. Then only a hash or full backup helps.
   *
   *     [vol for vol in walbc.get_vol_list(s0) if walbc.is_overflow(s0, vol)]
   */
  async is_overflow(sx: ServerParam, vol: string): Promise<boolean> {
    verify_storage(sx);
    return (await this.query(sx, StorageRpc.isOverflow, { volume: vol })).value;
  }

  /** Throws `overflow` when it has. */
  async verify_not_overflow(sx: ServerParam, vol: string): Promise<void> {
    if (!(await this.is_overflow(sx, vol))) return;
    throw new WalbError(
      'overflow',
      `the log of volume ${vol} at ${sx.name} has overflowed: stop it, then run a hash backup`,
      { details: { server: sx.name, volume: vol } },
    );
  }

  /** Whether the proxy's last send of this volume to the archive failed. */
  async is_wdiff_send_error(px: ServerParam, vol: string, ax: ServerParam): Promise<boolean> {
    verify_proxy(px);
    const request = { volume: vol, archive: ax.name };
    return (await this.query(px, ProxyRpc.isWdiffSendError, request)).value;
  }

  /** Uuid of the log history, 32 hex digits; of a storage or archive. */
  async get_uuid(s: ServerParam, vol: string): Promise<string> {
    verify_server_kind(s, [K_STORAGE, K_ARCHIVE]);
    const method = s.kind === K_STORAGE ? StorageRpc.getUuid : ArchiveRpc.getUuid;
    return formatUuid((await this.query(s, method, { volume: vol })).uuid);
  }

  /** Uuid of the archive's data, 32 hex digits: only archives with the same can be synchronized. */
  async get_archive_uuid(ax: ServerParam, vol: string): Promise<string> {
    verify_archive(ax);
    return formatUuid((await this.query(ax, ArchiveRpc.getArchiveUuid, { volume: vol })).uuid);
  }

  /**
   * Snapshots that can be restored, ascending: explicit ones and the newest, with 'all' also implicit
   * ones.
   *
   *     walbc.get_restorable(a0, 'vol', 'all')
   */
  async get_restorable(
    ax: ServerParam,
    vol: string,
    opt: RestorableOption = '',
  ): Promise<GidInfo[]> {
    verify_archive(ax);
    if (opt !== '' && opt !== 'all') {
      throw new WalbError('invalid-argument', `bad option ${show(opt)}: expected '' or 'all'`);
    }
    const request = { volume: vol, all: opt === 'all' };
    const { items } = await this.query(ax, ArchiveRpc.getRestorable, request);
    return items.map((item) => GidInfo.of(item));
  }

  /** Their gids. */
  async get_restorable_gid(
    ax: ServerParam,
    vol: string,
    opt: RestorableOption = '',
  ): Promise<bigint[]> {
    return (await this.get_restorable(ax, vol, opt)).map(({ gid }) => gid);
  }

  /** Prints them, one per line. */
  async print_restorable(ax: ServerParam, vol: string, opt: RestorableOption = ''): Promise<void> {
    for (const info of await this.get_restorable(ax, vol, opt)) this.print(String(info));
  }

  /**
   * Path of a restored image on the archive's host. For one that is not there, where it would be.
   */
  async get_restored_path(ax: ServerParam, vol: string, gid: GidLike): Promise<string> {
    const wanted = toGid(gid);
    verify_archive(ax);
    const { images } = await this.query(ax, ArchiveRpc.getRestored, { volume: vol });
    const image = images.find((one) => one.gid === wanted);
    if (image !== undefined && image.path !== '') return image.path;
    const { name } = await this.query(ax, ArchiveRpc.getVolumeGroup, {});
    const folder = name.startsWith('/') ? name : `/dev/${name}`;
    return `${folder}/${RESTORED_VOLUME_PREFIX}${vol}_${wanted}`;
  }

  /** Gids of the restored images, ascending. */
  async get_restored(ax: ServerParam, vol: string): Promise<bigint[]> {
    verify_archive(ax);
    const { images } = await this.query(ax, ArchiveRpc.getRestored, { volume: vol });
    return images.map(({ gid }) => gid);
  }

  /** Gids of the cold snapshots, ascending. */
  async get_cold(ax: ServerParam, vol: string): Promise<bigint[]> {
    verify_archive(ax);
    return (await this.query(ax, ArchiveRpc.getCold, { volume: vol })).gids;
  }

  /** The snapshot that applying all diffs up to `gid` (all there are, unless given) leads to. */
  async get_meta_snap(ax: ServerParam, vol: string, gid: GidLike | null = null): Promise<Snapshot> {
    verify_archive(ax);
    const request = { volume: vol, gid: gid === null ? U64_MAX : toGid(gid) };
    const message = await this.query(ax, ArchiveRpc.getMetaSnap, request);
    return Snapshot.of(snapshotFromMessage(message));
  }

  /** The same as a state; `isApplying`: as one on its way there from the base image. */
  async get_meta_state(
    ax: ServerParam,
    vol: string,
    isApplying: boolean,
    gid: GidLike | null = null,
  ): Promise<MetaState> {
    verify_archive(ax);
    const request = { volume: vol, isApplying, gid: gid === null ? U64_MAX : toGid(gid) };
    return MetaState.of(stateFromMessage(await this.query(ax, ArchiveRpc.getMetaState, request)));
  }

  /** Gid of the newest restorable snapshot. Throws `not-found` when there is none. */
  async get_latest_clean_snapshot(ax: ServerParam, vol: string): Promise<bigint> {
    const newest = (await this.get_restorable_gid(ax, vol)).at(-1);
    if (newest !== undefined) return newest;
    throw new WalbError(
      'not-found',
      `get_latest_clean_snapshot: volume ${vol} has no restorable snapshot at ${ax.name}`,
      { details: { server: ax.name, volume: vol } },
    );
  }

  /** `{volume: gid}` of the latest snapshots, which may be dirty; of one volume, or of all. */
  async get_latest_snapshot_info(
    ax: ServerParam,
    vol: string | null = null,
  ): Promise<Record<string, bigint>> {
    const { items } = await this.query(ax, ControlRpc.getLatestSnap, { volume: vol ?? '' });
    return Object.fromEntries(
      items.flatMap(({ volume, gid }) => (gid === undefined ? [] : [[volume, gid]])),
    );
  }

  /**
   * How far destinations are behind, as a list of dictionaries of texts: name, dest, kind,
   * dest_kind, gid, ts, dest_gid, dest_ts, ts_delta [s]. `ax` may be a storage too.
   */
  async get_ts_delta(ax: ServerParam): Promise<Record<string, string>[]> {
    verify_server_kind(ax, [K_STORAGE, K_ARCHIVE]);
    const method = ax.kind === K_STORAGE ? StorageRpc.getTsDelta : ArchiveRpc.getTsDelta;
    const { items } = await this.query(ax, method, {});
    return items.map((item: TsDelta) => parse_ltsv(ltsvOfTsDelta(item)));
  }

  /** Whether the archive has the diff |gidB| --> |gidE|. */
  async exists_diff(ax: ServerParam, vol: string, gidB: GidLike, gidE: GidLike): Promise<boolean> {
    verify_archive(ax);
    verify_gid_range(gidB, gidE, 'exists_diff');
    const [b, e] = [toGid(gidB), toGid(gidE)];
    const request = { volume: vol, snapB: { gidB: b, gidE: b }, snapE: { gidB: e, gidE: e } };
    return (await this.query(ax, ArchiveRpc.existsDiff, request)).value;
  }

  /**
   * Hash of the image of a clean snapshot, 32 hex digits. Reads all of it, or `scanSizeU` bytes from
   * its beginning, in pieces of `bulkSizeU`; returns when that is done.
   *
   *     walbc.get_block_hash(a0, 'vol', 5) == walbc.get_block_hash(a1, 'vol', 5)
   */
  async get_block_hash(
    ax: ServerParam,
    vol: string,
    gid: GidLike,
    bulkSizeU = '64K',
    scanSizeU: string | null = null,
  ): Promise<string> {
    verify_archive(ax);
    const words = ['bhash', vol, String(toGid(gid)), bulkSizeU];
    return await this.run_ctl(ax, scanSizeU === null ? words : [...words, scanSizeU]);
  }

  /** Actions that a server of this kind counts. */
  protected checkActionOf(s: ServerParam, action: string): void {
    checkAction(action, s.kind === K_STORAGE ? STORAGE_ACTIONS : ARCHIVE_ACTIONS);
  }
}

function checkAction(action: string, known: readonly string[]): void {
  if (known.includes(action)) return;
  throw new WalbError(
    'invalid-argument',
    `bad action ${show(action)}: expected one of ${known.join(', ')}`,
  );
}

function rangeRequest(
  ax: ServerParam,
  vol: string,
  gid0: GidLike,
  gid1: GidLike,
): { volume: string; gid0: bigint; gid1: bigint } {
  verify_archive(ax);
  verify_gid_range(gid0, gid1, 'gid range');
  return { volume: vol, gid0: toGid(gid0), gid1: toGid(gid1) };
}
