/**
 * Bounds and intervals of the device engine, with their reasons. The defaults are those of the
 * kernel driver's `create-wdev` where it has one (cli.md 3).
 */
import { type Bytes, LB_SIZE, type Lb, MIB, type Millis } from '../../core/index.ts';

/** Memory for pending writes (kernel: -maxp 32 MiB); the hard bound of pending bytes. */
export const PENDING_BYTES: Bytes = 32 * MIB;
/** From this fraction of the bound on, writers are slowed down (kernel: -minp is half of -maxp). */
export const PENDING_SOFT_FRACTION = 0.5;
/** Pending writes of any size: bounds the interval index where writes are 512 bytes each. */
export const PENDING_WRITES = 16_384;

/** One logpack, and one write within it: bigger requests are split. Readers hold a whole pack. */
export const MAX_PACK_BYTES: Bytes = 4 * MIB;
/** A pack may take this part of a small ring, so that redo always finds room for several. */
export const MAX_PACK_RING_FRACTION = 1 / 8;
/** One discard record; more is split, to keep the time of one image operation short. */
export const MAX_DISCARD_PIECE_LB: Lb = (1024 * MIB) / LB_SIZE;

/** Unsynced log that starts a background sync at once (kernel: -fs 16 MiB). */
export const LOG_SYNC_BYTES: Bytes = 16 * MIB;
/** Longest time that written log stays unsynced (kernel: -fp 100 ms). */
export const LOG_SYNC_INTERVAL: Millis = 100;
/**
 * Most log that may be unsynced, zeros (which need no memory) included. Redo looks this far behind
 * the end of the log for packs that a power cut kept while it lost earlier ones.
 */
export const MAX_UNSYNCED_LOG: Bytes = 64 * MIB;

/** Time between checkpoints (kernel: 10 s). */
export const CHECKPOINT_INTERVAL: Millis = 10_000;
/** Log since the last checkpoint, as a part of the ring, that starts the next one early. */
export const CHECKPOINT_RING_FRACTION = 1 / 4;

/** The image is written in slices of about this size between turns of the event loop. */
export const APPLY_SLICE_BYTES: Bytes = 1 * MIB;
/** A full file system under the data image is tried again after this time. */
export const NO_SPACE_RETRY: Millis = 1_000;
/** Zeros are punched into the image from this size on; smaller ones are written (3 µs, not 30-300). */
export const PUNCH_FROM_BYTES: Bytes = 65_536;
