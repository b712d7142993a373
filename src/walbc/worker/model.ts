/**
 * What the worker decides from, and what it decides for. Values only.
 *
 * Source: worker.md 3, 4.
 */
import type { Gid, UnixSeconds } from '../../core/index.ts';
import type { Diff, MetaState } from '../../wdiff/algebra/index.ts';
import type { ReplServerConfig } from './config.ts';

export interface RestorableFact {
  readonly gid: Gid;
  readonly timestamp: UnixSeconds;
}

/** One volume that may get a task: active at the archive, nothing running on it. */
export interface VolumeFacts {
  readonly volume: string;
  readonly base: MetaState;
  /** When the action last began; undefined when never since the archive started. */
  readonly lastApply: UnixSeconds | undefined;
  readonly lastMerge: UnixSeconds | undefined;
  /** `restorable all`, ascending. */
  readonly restorable: readonly RestorableFact[];
  /** The applicable chain. */
  readonly diffs: readonly Diff[];
  readonly numDiff: number;
  /** Latest gids of replication destinations: they must not vanish in a merge. */
  readonly keepGids: readonly Gid[];
  readonly latestGid: Gid | undefined;
}

/** What is known of one volume at one replication destination. */
export interface DestinationFacts {
  readonly server: ReplServerConfig;
  readonly volume: string;
  readonly isActive: boolean;
  readonly latestGid: Gid | undefined;
  /** When this worker last started a replication there. */
  readonly lastReplicated: UnixSeconds | undefined;
}

export interface Facts {
  readonly now: UnixSeconds;
  readonly volumes: readonly VolumeFacts[];
  readonly destinations: readonly DestinationFacts[];
}

/** `gids` are made explicit, or implicit. */
export interface FlagTask<Kind extends string> {
  readonly kind: Kind;
  readonly volume: string;
  readonly gids: readonly Gid[];
  readonly why: string;
}

export type WorkerTask =
  | FlagTask<'enable-snapshot'>
  | FlagTask<'disable-snapshot'>
  | { readonly kind: 'apply'; readonly volume: string; readonly gid: Gid; readonly why: string }
  | {
      readonly kind: 'merge';
      readonly volume: string;
      readonly gidB: Gid;
      readonly gidE: Gid;
      readonly why: string;
    }
  | {
      readonly kind: 'replicate';
      readonly volume: string;
      readonly server: ReplServerConfig;
      /** Undefined = up to the latest explicit snapshot. */
      readonly gid: Gid | undefined;
      readonly why: string;
    };
