/**
 * A walb device as the storage server sees it, whatever is behind it: the user-space device in this
 * process (engine), one in a process of its own (remote), or the kernel driver (adapter).
 *
 * Source: semantics.md B (lsids, checkpoints, log reset), formats.md 3 (log device), cli.md 3.
 */
import type { CancelTimer, Lb, Lsid, Pb } from '../core/index.ts';

/**
 * Positions in the endless log, in physical blocks, as the kernel driver's `walb/lsids` names them.
 * oldest <= prevWritten <= written <= permanent <= flush/submitted <= latest.
 */
export interface Lsids {
  /** Next lsid to be given to a write. */
  readonly latest: Lsid;
  readonly submitted: Lsid;
  /** Everything before it has been handed to a flush that was started. */
  readonly flush: Lsid;
  /** Log writes before it have been written (page cache counts). */
  readonly completed: Lsid;
  /** Log before it is on stable storage. Only such log may leave the machine. */
  readonly permanent: Lsid;
  /** Data before it are in the data image. */
  readonly written: Lsid;
  /** `written` as of the last checkpoint: redo starts here after a crash. */
  readonly prevWritten: Lsid;
  /** Log before it is erased and its ring space free. */
  readonly oldest: Lsid;
}

export interface DeviceInfo {
  /** Name of the device, 1..31 bytes; not the volume id. */
  readonly name: string;
  /** What the operator calls it, for example `/dev/walb/NAME`. */
  readonly path: string;
  readonly sizeLb: Lb;
  /** Physical block size of the log device in bytes: 512 or 4096. */
  readonly pbs: number;
  /** Ring capacity. */
  readonly ringPb: Pb;
  /** Identity of the log history; new at each log reset. 16 bytes. */
  readonly uuid: Uint8Array;
  /** Salt of log checksums. */
  readonly salt: number;
}

/** One logpack as read from the ring: header block verbatim and the data blocks that follow it. */
export interface RawLogpack {
  readonly lsid: Lsid;
  /** One physical block, checksum verified. */
  readonly header: Uint8Array;
  /** `total_io_size` physical blocks, IO checksums verified; valid until the next pack is asked for. */
  readonly data: Uint8Array;
}

export interface VolumeDevice {
  info(): Promise<DeviceInfo>;
  lsids(): Promise<Lsids>;
  /** True once the ring overflowed: log was lost, and only a log reset clears it. */
  isOverflow(): Promise<boolean>;
  /** Calls `listener` after log was written or a position moved; coalesced, never re-entrant. */
  watch(listener: () => void): CancelTimer;
  /**
   * Whole packs from `begin` up to the permanent lsid at the time of the call. Throws `corrupt`
   * (details: lsid, field) where a pack before that lsid does not verify, `overflow` when it is gone.
   */
  readLog(begin: Lsid, signal?: AbortSignal): AsyncIterable<RawLogpack>;
  /** Fills `into` with the present content from `offset` on; pending writes are included. */
  readBlocks(offset: Lb, into: Uint8Array): Promise<void>;
  /** Makes `permanent` reach what is `latest` now. */
  flush(): Promise<void>;
  /** Data up to `completed` reach the image, and `written`/`prevWritten` are recorded in the super sector. */
  takeCheckpoint(): Promise<void>;
  /** Frees the ring before `lsid` (<= prevWritten). */
  setOldestLsid(lsid: Lsid): Promise<void>;
  /** Drops all log: lsids start at 0 with a new uuid and salt; overflow is cleared; data stay. */
  resetLog(): Promise<DeviceInfo>;
  /** Grows the volume; the data image must be big enough or able to grow. */
  resize(sizeLb: Lb): Promise<void>;
  close(): Promise<void>;
}

/** Opens devices by the path given at `init-vol`; the storage server's only way to a device. */
export interface DeviceOpener {
  open(path: string): Promise<VolumeDevice>;
}
