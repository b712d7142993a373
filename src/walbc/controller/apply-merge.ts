/** Applying, merging and cleaning up diffs (controller-api.md 5.7). */
import { WalbError } from '../../core/index.ts';
import { ArchiveRpc } from '../../rpc/index.ts';
import { TIMEOUT_SEC } from '../constants.ts';
import type { ServerParam } from '../servers.ts';
import type { Diff } from '../values/diff.ts';
import { type GidLike, toGid, verify_archive, verify_gid_range } from '../verify.ts';
import { RestoreMethods } from './restore.ts';

export class ApplyMergeMethods extends RestoreMethods {
  /**
   * Applies all diffs up to the snapshot `gid` to the base image: snapshots before it are gone then.
   * Returns when it is done. Throws `not-found` unless a diff that can be applied ends at `gid`.
   */
  async apply(ax: ServerParam, vol: string, gid: GidLike, timeoutS = TIMEOUT_SEC): Promise<void> {
    verify_archive(ax);
    const wanted = toGid(gid);
    const diffs = await this.get_applicable_diff_list(ax, vol);
    if (!diffs.some((diff) => diff.E.gidB === wanted)) {
      const ends = diffs.map((diff) => diff.E.gidB);
      throw new WalbError(
        'not-found',
        `apply: gid is not restorable: no applicable diff of volume ${vol} at ${ax.name} ends at ${wanted}; they end at ${ends.slice(-5).join(', ') || 'no gid: there is none'}`,
        { details: { server: ax.name, volume: vol, gid: wanted } },
      );
    }
    await this.runTask(ax, vol, `apply up to gid ${wanted}`, timeoutS, () =>
      this.command(ax, ArchiveRpc.apply, { volume: vol, gid: wanted }),
    );
    await this.#verifyApplied(ax, vol, wanted);
  }

  async #verifyApplied(ax: ServerParam, vol: string, gid: bigint): Promise<void> {
    const base = await this.get_base(ax, vol);
    if (!base.is_applying() && base.B.gidB >= gid) return;
    throw new WalbError(
      'conflict',
      `wait_for_applied:failed: the base image of volume ${vol} at ${ax.name} is ${base}, not yet at gid ${gid}`,
      { details: { server: ax.name, volume: vol, gid, base: String(base) } },
    );
  }

  /** Applies all that can be applied; returns the gid reached, null when there was nothing. */
  async _apply_all(ax: ServerParam, vol: string, timeoutS = TIMEOUT_SEC): Promise<bigint | null> {
    const last = (await this.get_applicable_diff_list(ax, vol)).at(-1);
    if (last === undefined) return null;
    await this.apply(ax, vol, last.E.gidB, timeoutS);
    return last.E.gidB;
  }

  /**
   * Merges the diffs from gidB to gidE into one; the snapshots between are gone then. Returns when it
   * is done. Diffs must begin and end exactly there, and the snapshots between must not be explicit
   * (disable_snapshot).
   */
  async merge(
    ax: ServerParam,
    vol: string,
    gidB: GidLike,
    gidE: GidLike,
    timeoutS = TIMEOUT_SEC,
  ): Promise<void> {
    verify_archive(ax);
    verify_gid_range(gidB, gidE, 'merge');
    const [b, e] = [toGid(gidB), toGid(gidE)];
    checkMergeable(await this.get_applicable_diff_list(ax, vol, e), b, e);
    await this.runTask(ax, vol, `merge from gid ${b} to ${e}`, timeoutS, () =>
      this.command(ax, ArchiveRpc.merge, {
        volume: vol,
        gidB: b,
        until: { $case: 'gidE', value: e },
      }),
    );
    if (await this.exists_diff(ax, vol, b, e)) return;
    throw new WalbError(
      'conflict',
      `wait_for_merged:failed: volume ${vol} at ${ax.name} has no diff |${b}|-->|${e}|`,
      { details: { server: ax.name, volume: vol, gidB: b, gidE: e } },
    );
  }

  /** Deletes diffs that are not needed any more, as after an interrupted apply or merge. */
  async gc_diff(ax: ServerParam, vol: string): Promise<void> {
    verify_archive(ax);
    await this.command(ax, ArchiveRpc.gcDiff, { volume: vol });
  }
}

/** Throws unless the diffs from b to e can become one. */
function checkMergeable(diffs: readonly Diff[], b: bigint, e: bigint): void {
  const first = diffs.findIndex((diff) => diff.B.gidB === b);
  const last = diffs.findIndex((diff) => diff.E.gidB === e);
  if (first < 0 || last < first) {
    throw new WalbError(
      'invalid-argument',
      `merge: specify exact ranges: diffs must begin at ${b} and end at ${e}; there are ${diffs.map(String).slice(0, 10).join('; ') || 'none'}`,
      { details: { gidB: b, gidE: e } },
    );
  }
  const range = diffs.slice(first, last + 1);
  const obstacle = range.find((diff, i) => diff.isCompDiff || (i > 0 && !diff.isMergeable));
  if (obstacle === undefined) return;
  const why = obstacle.isCompDiff
    ? 'is a compared diff, which merges with nothing'
    : 'begins at an explicit snapshot; disable_snapshot lets it vanish';
  throw new WalbError('conflict', `merge: ${obstacle} ${why}`, {
    details: { diff: String(obstacle) },
  });
}
