/**
 * Making and opening devices: locks, sizes, redo.
 */
import {
  type Bytes,
  type Env,
  type FileHandle,
  type FileLock,
  GIB,
  LB_SIZE,
  type Lb,
  MAX_SAFE_BYTES,
  type Millis,
  WalbError,
} from '../../core/index.ts';
import { alignedBytesInUse, allocateAligned, freeAligned } from '../../kernels/index.ts';
import { formatRingLog, openRingLog, UUID_SIZE } from '../../wlog/index.ts';
import { DataImage } from './data-image.ts';
import { WalbDevice } from './engine.ts';
import type { BlockHooks } from './hooks.ts';
import { CHECKPOINT_INTERVAL, PENDING_BYTES, PENDING_WRITES } from './limits.ts';
import { redo } from './redo.ts';
import { SuperStore } from './super-store.ts';

/** The two files or block devices a walb device consists of. */
export interface DeviceFiles {
  readonly log: string;
  readonly data: string;
}

export interface FormatDeviceOptions extends DeviceFiles {
  /** Name of the device, at most 31 bytes. */
  readonly name: string;
  readonly sizeLb: Lb;
  /** Physical block size of the log device: 512 or 4096. */
  readonly pbs: Bytes;
  /** Size of a log file to be made; an existing file or block device keeps its own size. */
  readonly logBytes?: Bytes;
}

export interface OpenDeviceOptions extends DeviceFiles {
  /** What the operator calls the device; the log's path when omitted. */
  readonly path?: string;
  readonly hooks?: BlockHooks;
  readonly checkpointInterval?: Millis;
  /** Bound of pending writes in memory. */
  readonly pendingBytes?: Bytes;
}

/** The smallest ring: redo must find room for several packs of the largest size. */
export const MIN_RING_PB = 64;

/** Kernel memory in use from which on pending writes go elsewhere; there are 2 GiB of it. */
const MAX_ALIGNED: Bytes = GIB;

const NO_HOOKS: BlockHooks = {};

/**
 * Formats the log and makes or keeps the data image. An existing image keeps its content: a disk can
 * be put under walb; an existing log loses its history. Throws `busy` while a device is open on them.
 */
export async function formatDevice(env: Env, options: FormatDeviceOptions): Promise<void> {
  requireSize(options.sizeLb);
  const locks = lockFiles(env, options);
  const opened: FileHandle[] = [];
  try {
    const data = openSized(env, options.data, options.sizeLb * LB_SIZE, opened);
    new DataImage(data, NO_HOOKS).requireSize(options.sizeLb);
    await data.sync();
    const log = openSized(env, options.log, options.logBytes ?? 0, opened);
    requireRing(log.size(), options.pbs, options.log);
    await formatRingLog(log, {
      pbs: options.pbs,
      uuid: env.random.bytes(UUID_SIZE),
      salt: env.random.u32(),
      name: options.name,
      deviceLb: options.sizeLb,
    });
    for (const path of [options.data, options.log]) await env.files.syncDirectory(parentOf(path));
  } finally {
    for (const file of opened) file.close();
    for (const lock of locks) lock.release();
  }
}

/**
 * Opens a formatted device and redoes its log. Throws `busy` when another engine has it, `corrupt`
 * when the super sector does not verify or the data image is too short.
 */
export async function openDevice(env: Env, options: OpenDeviceOptions): Promise<WalbDevice> {
  const locks = lockFiles(env, options);
  const opened: FileHandle[] = [];
  try {
    const parts = await openParts(env, options, opened);
    const memory = pendingMemory(options.pendingBytes ?? PENDING_BYTES);
    return new WalbDevice({
      ...parts,
      env,
      hooks: options.hooks ?? NO_HOOKS,
      path: options.path ?? options.log,
      checkpointInterval: options.checkpointInterval ?? CHECKPOINT_INTERVAL,
      pendingMemory: memory.bytes,
      pendingWrites: PENDING_WRITES,
      release: () => {
        for (const file of opened) file.close();
        for (const lock of locks) lock.release();
        memory.release();
      },
    });
  } catch (error) {
    for (const file of opened) file.close();
    for (const lock of locks) lock.release();
    throw error;
  }
}

async function openParts(env: Env, options: OpenDeviceOptions, opened: FileHandle[]) {
  const { clock, files, log: logger } = env;
  const hooks = options.hooks ?? NO_HOOKS;
  const log = openRingLog(keep(files.open(options.log, 'update'), opened));
  if (log.superSector.writtenLsid > BigInt(MAX_SAFE_BYTES)) {
    throw new WalbError('unsupported', `${options.log}: lsids beyond 2^53 are not handled`);
  }
  requireRing(log.file.size(), log.geometry.pbs, options.log);
  const image = new DataImage(keep(openImage(files, options.data), opened), hooks);
  image.requireSize(log.superSector.deviceLb);
  const superStore = new SuperStore(log);
  const { endLsid } = await redo({ log, image, hooks, clock, logger });
  // Written even when unchanged: what the cache shows may never have reached the disk (redo.ts).
  await superStore.update({ writtenLsid: endLsid });
  return { log, image, superStore };
}

/** The log is there: where the image is not, the data of the volume are lost (W5). */
function openImage(files: Env['files'], path: string): FileHandle {
  if (files.info(path) !== undefined) return files.open(path, 'update');
  throw new WalbError(
    'not-found',
    `${path} is missing, but its log is there: the data image was lost; restore the volume from an archive`,
    { details: { file: path } },
  );
}

/**
 * Memory of the checksum kernel, which then sums in place; a server with very many devices leaves half
 * of that memory to others and takes ordinary memory for the rest.
 */
function pendingMemory(bytes: Bytes): { readonly bytes: Uint8Array; release(): void } {
  if (alignedBytesInUse() + bytes > MAX_ALIGNED) {
    return { bytes: new Uint8Array(bytes), release: () => {} };
  }
  const aligned = allocateAligned(bytes);
  // A plain array: `slice` of a Buffer shares its memory, and this memory is used again and again.
  const plain = new Uint8Array(aligned.buffer, aligned.byteOffset, aligned.length);
  return { bytes: plain, release: () => freeAligned(aligned) };
}

function keep(file: FileHandle, opened: FileHandle[]): FileHandle {
  opened.push(file);
  return file;
}

/** An existing file or device as it is, grown to at least `size` where it can; else a new file. */
function openSized(env: Env, path: string, size: Bytes, opened: FileHandle[]): FileHandle {
  const mode = env.files.info(path) === undefined ? 'create' : 'update';
  const file = keep(env.files.open(path, mode), opened);
  if (!file.isBlockDevice && file.size() < size) file.truncate(size);
  return file;
}

/**
 * A block device is locked itself; beside a file there is a lock file, for a lock may leave a note of
 * its holder. Both files are locked: two engines on one image would be as bad as on one log.
 */
function lockFiles(env: Env, { log, data }: DeviceFiles): FileLock[] {
  if (log === data) {
    throw new WalbError('invalid-argument', `${log} can not be log device and data image at once`);
  }
  const locks: FileLock[] = [];
  try {
    for (const path of [log, data]) {
      const isDevice = env.files.info(path)?.kind === 'block-device';
      locks.push(env.files.lock(isDevice ? path : `${path}.lock`));
    }
    return locks;
  } catch (error) {
    for (const lock of locks) lock.release();
    throw error;
  }
}

function requireSize(sizeLb: Lb): void {
  if (Number.isSafeInteger(sizeLb * LB_SIZE) && sizeLb > 0) return;
  throw new WalbError('invalid-argument', `a volume can not have ${sizeLb} blocks`);
}

function requireRing(size: Bytes, pbs: Bytes, path: string): void {
  if (pbs !== 512 && pbs !== 4096) {
    throw new WalbError('invalid-argument', `physical block size ${pbs} is neither 512 nor 4096`);
  }
  if (size / pbs >= MIN_RING_PB + 16) return;
  throw new WalbError(
    'invalid-argument',
    `${path}: ${size} bytes are too few for a log device; make it at least ${(MIN_RING_PB + 16) * pbs}`,
    { details: { path, size, pbs } },
  );
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '.' : path.slice(0, slash) || '/';
}
