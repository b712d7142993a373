/** `wdevc format-ldev`: a new, empty log on an existing log device. Source: cli.md 3. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Bytes, type Env, KIB, LB_SIZE, WalbError } from '../core/index.ts';
import { formatDevice } from '../wdev/index.ts';
import { openRingLog, originalInfoLines } from '../wlog/index.ts';

/** Files have no physical block size; this one suits every disk below them. */
const FILE_PBS: Bytes = 4 * KIB;

export interface FormatOptions {
  readonly ldev: string;
  readonly ddev: string;
  readonly name: string;
  /** Give the space of the whole log device back first, where that is possible. */
  readonly discard: boolean;
}

/** Formats and returns the lines of the super sector. */
export async function formatLdev(env: Env, options: FormatOptions): Promise<string[]> {
  const { ldev, ddev, name } = options;
  const pbs = physicalBlock(env, ldev);
  if (physicalBlock(env, ddev) !== pbs) {
    throw new WalbError('invalid-argument', `${ldev} and ${ddev} differ in physical block size`);
  }
  const sizeLb = Math.floor((env.files.info(ddev)?.size ?? 0) / LB_SIZE);
  const lock = env.files.info(ldev)?.kind === 'block-device' ? ldev : `${ldev}.lock`;
  // formatDevice takes the same lock: a device in use loses nothing to the discard before it.
  using held = releasing(env, lock);
  if (options.discard) discardAll(env, ldev);
  held.release();
  await formatDevice(env, { log: ldev, data: ddev, name, sizeLb, pbs });
  const file = env.files.open(ldev, 'read');
  try {
    const { superSector, geometry } = openRingLog(file);
    return [...originalInfoLines(superSector, geometry.ringOffsetPb), ''];
  } finally {
    file.close();
  }
}

function releasing(env: Env, path: string) {
  const lock = env.files.lock(path);
  let isHeld = true;
  const release = (): void => {
    if (isHeld) lock.release();
    isHeld = false;
  };
  return { release, [Symbol.dispose]: release };
}

function discardAll(env: Env, path: string): void {
  const file = env.files.open(path, 'update');
  try {
    file.punch(0, file.size());
  } catch (error) {
    // A device that can not discard keeps its old blocks; the new salt makes them no log.
    if (!(error instanceof WalbError)) throw error;
  } finally {
    file.close();
  }
}

function physicalBlock(env: Env, path: string): Bytes {
  const info = env.files.info(path);
  if (info === undefined) throw new WalbError('not-found', `${path} does not exist`);
  if (info.kind !== 'block-device') return FILE_PBS;
  const file = `/sys/class/block/${basename(path)}/queue/physical_block_size`;
  try {
    return Number(readFileSync(file, 'utf8').trim());
  } catch {
    return LB_SIZE;
  }
}
