/** An archive reduced to its base state and its diffs, for carrying plans out (semantics.md A, D.7, D.8). */
import { WalbError } from '../../../src/core/index.ts';
import type { RetentionFacts } from '../../../src/walbc/retention/candidates.ts';
import type { RetentionPlan } from '../../../src/walbc/retention/plan.ts';
import {
  type Diff,
  DiffSet,
  type MetaState,
  planApply,
  planMerge,
  planSnapshotFlags,
  restorableSnapshots,
} from '../../../src/wdiff/algebra/index.ts';

export class ArchiveModel {
  base: MetaState;
  diffs: DiffSet;
  readonly replicas: readonly bigint[];

  constructor({ base, diffs, replicas }: RetentionFacts) {
    this.base = base;
    this.diffs = DiffSet.of(diffs);
    this.replicas = replicas;
  }

  facts(): RetentionFacts {
    return { base: this.base, diffs: [...this.diffs], replicas: this.replicas };
  }

  /** Everything a restore could be asked for. */
  restorable(): bigint[] {
    return restorableSnapshots(this.diffs, this.base, { all: true }).map(({ gid }) => gid);
  }

  /** The steps in the order they are carried out; between any two, the process may end. */
  steps(plan: RetentionPlan): (() => void)[] {
    const { apply } = plan;
    return [
      () => this.setFlags(plan.pin, true),
      ...(apply === undefined ? [] : [() => this.apply(apply)]),
      () => this.setFlags(plan.disable, false),
      ...plan.merge.map(
        ({ gidB, gidE }) =>
          () =>
            this.merge(gidB, gidE),
      ),
    ];
  }

  setFlags(gids: readonly bigint[], isExplicit: boolean): void {
    const { changes, unchanged, failed } = planSnapshotFlags(this.diffs, gids, isExplicit);
    if (failed.length > 0 || unchanged.length > 0) {
      throw new Error(`flags: nothing to change at ${[...failed, ...unchanged].join(', ')}`);
    }
    for (const { from, to } of changes) this.diffs = this.diffs.replace(from, to);
  }

  apply(gid: bigint): void {
    for (let plan = planApply(this.diffs, this.base, gid, 3); plan !== undefined; ) {
      this.base = plan.after;
      this.diffs = this.diffs.remove(plan.obsolete);
      plan = planApply(this.diffs, this.base, gid, 3);
    }
    if (this.base.base.b !== gid) throw new Error(`apply: ended at ${this.base.base.b}`);
  }

  /** Of at most `maxCount` diffs (`-maxopen`); `conflict` when that is not all. */
  merge(gidB: bigint, gidE: bigint, maxCount = 0): void {
    const plan = planMerge(this.diffs, this.base, gidB, { untilGid: gidE, maxCount });
    const { B, E } = plan.merged;
    this.diffs = this.diffs.remove(plan.obsolete).add(plan.merged);
    if (B.b !== gidB || E.b !== gidE) throw new WalbError('conflict', `made ${B.b}-->${E.b}`);
  }
}

/** Clean diffs that follow each other, `step` seconds apart; `-` in `flags`: explicit start. */
export function clockwork(
  count: number,
  { start = 0, step = 3600, flags = '' }: { start?: number; step?: number; flags?: string } = {},
): Diff[] {
  return Array.from({ length: count }, (_, i) => ({
    B: { b: BigInt(i), e: BigInt(i) },
    E: { b: BigInt(i + 1), e: BigInt(i + 1) },
    isMergeable: (flags[i] ?? '-') !== '-',
    isCompared: flags[i] === 'C',
    timestamp: start + (i + 1) * step,
    dataSize: 100,
  }));
}
