/**
 * Facts that plans are made from: what each server of the group says about a volume, or about itself,
 * at one moment. Plain values; gather.ts asks for them.
 */
import type {
  ArchiveVolumeStatus,
  ExportInfo,
  ProxyVolumeStatus,
  StatusReply,
  StorageVolumeStatus,
} from '../../rpc/index.ts';
import type { ServerKind } from '../constants.ts';
import type { Diff } from '../values/diff.ts';
import type { GidInfo } from '../values/gid-info.ts';

/** A server that did not answer. */
export interface Silent {
  readonly kind: 'silent';
  readonly server: string;
  readonly serverKind: ServerKind;
  readonly why: string;
}

export interface StorageAt {
  readonly kind: 'storage';
  readonly server: string;
  readonly status: StorageVolumeStatus;
}

export interface ProxyAt {
  readonly kind: 'proxy';
  readonly server: string;
  readonly status: ProxyVolumeStatus;
}

export interface ArchiveAt {
  readonly kind: 'archive';
  readonly server: string;
  readonly status: ArchiveVolumeStatus;
  /** All diffs, ordered by where they begin. */
  readonly diffs: readonly Diff[];
  /** Those that lead on from the base image. */
  readonly applicable: readonly Diff[];
  /** All snapshots, implicit ones too, ascending. */
  readonly restorable: readonly GidInfo[];
  readonly restored: readonly bigint[];
  readonly cold: readonly bigint[];
  readonly exports: readonly ExportInfo[];
}

export type VolumeAt = StorageAt | ProxyAt | ArchiveAt | Silent;

/** A server as a whole. */
export interface ServerAt {
  readonly kind: 'server';
  readonly server: string;
  readonly serverKind: ServerKind;
  readonly reply: StatusReply;
}

/** A walb device, as far as its machine tells. */
export interface DeviceFacts {
  readonly path: string;
  readonly exists: boolean;
  readonly sizeMb: number | undefined;
  /** Log that is not erased yet, in physical blocks. */
  readonly logPb: number | undefined;
}

/** What a call needs to be judged. */
export type Need =
  | { readonly kind: 'nothing' }
  /** The volume at every server of the layout, and at these besides. */
  | { readonly kind: 'volume'; readonly volume: string; readonly servers: readonly unknown[] }
  /** Every server of the layout as a whole. */
  | { readonly kind: 'group' }
  | { readonly kind: 'exports'; readonly server: unknown }
  | { readonly kind: 'device'; readonly device: unknown };

export interface Facts {
  readonly volume: readonly VolumeAt[];
  readonly group: readonly (ServerAt | Silent)[];
  readonly exports: readonly ExportInfo[];
  readonly device: DeviceFacts | undefined;
  /** Name of the primary archive; '' without one. */
  readonly primary: string;
  /** Why something that was needed is not there. */
  readonly unknown: readonly string[];
}

export const NO_FACTS: Facts = {
  volume: [],
  group: [],
  exports: [],
  device: undefined,
  primary: '',
  unknown: [],
};
