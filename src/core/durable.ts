/**
 * Small files that are either wholly there or not at all, whatever crash comes in between: the
 * metadata of every server (architecture.md, one fact per file; semantics.md A.7).
 */
import type { Random } from './env.ts';
import { corrupt, hasCode, WalbError } from './errors.ts';
import type { FileHandle, Files } from './files.ts';
import { type Bytes, MIB } from './units.ts';

/** What `writeFileDurably` and its kin need of an Env. */
export interface DurableEnv {
  readonly files: Files;
  readonly random: Random;
}

/** Metadata files are some hundred bytes; more than this is not one of them. */
export const MAX_SMALL_FILE: Bytes = MIB;

const TEMPORARY_NAME = /^tmp[A-Za-z0-9]{6}$/;
const NAME_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** 62^6 names: a collision is rare, several in a row mean that something else is wrong. */
const MAX_NAME_TRIES = 16;

/**
 * Replaces `path` by a file with these bytes. When it resolves, the new bytes survive a power cut;
 * when it rejects or the machine stops before, `path` holds the old bytes or the new, never a mix.
 */
export async function writeFileDurably(
  env: DurableEnv,
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  const handle = createTemporary(env, parentOf(path));
  try {
    handle.write(bytes, 0);
  } catch (error) {
    discardTemporary(env.files, handle);
    throw error;
  }
  await commitTemporary(env.files, handle, path);
}

/**
 * Creates a new file with a temporary name (`tmp` + 6 characters) in `directory`, for content too
 * large for `writeFileDurably`. Fill it, then `commitTemporary` or `discardTemporary`.
 */
export function createTemporary({ files, random }: DurableEnv, directory: string): FileHandle {
  for (let tries = 1; ; tries++) {
    try {
      return files.open(`${directory}/${temporaryName(random)}`, 'create');
    } catch (error) {
      if (!hasCode(error, 'already-exists') || tries >= MAX_NAME_TRIES) throw error;
    }
  }
}

/**
 * Gives a filled temporary file its name in the same directory, durably, and closes it; with the
 * same promise as `writeFileDurably`.
 */
export async function commitTemporary(
  files: Files,
  handle: FileHandle,
  path: string,
): Promise<void> {
  try {
    // Before the rename: otherwise the new name could survive a power cut without the bytes.
    await handle.sync();
    handle.close();
    // Atomic: a crash on either side leaves the old file or the new one, plus at most a leftover
    // temporary, which `cleanTemporary` removes.
    files.rename(handle.path, path);
  } catch (error) {
    discardTemporary(files, handle);
    throw error;
  }
  // After the rename: until here a power cut may still bring the old file back.
  await files.syncDirectory(parentOf(path));
}

/** Closes and removes a temporary file; never throws because of the disk. */
export function discardTemporary(files: Files, handle: FileHandle): void {
  handle.close();
  try {
    files.remove(handle.path);
  } catch (error) {
    // The error that made the file useless is the one to report; the leftover is cleaned later.
    if (!(error instanceof WalbError)) throw error;
  }
}

/**
 * The whole of a small file, or undefined when there is none.
 * Throws `corrupt` when it is larger than `limit`.
 */
export function readFileIfExists(
  files: Files,
  path: string,
  limit: Bytes = MAX_SMALL_FILE,
): Uint8Array | undefined {
  let handle: FileHandle;
  try {
    handle = files.open(path, 'read');
  } catch (error) {
    if (hasCode(error, 'not-found')) return undefined;
    throw error;
  }
  try {
    const size = handle.size();
    if (size > limit) {
      throw corrupt(`${path} has ${size} bytes, more than the ${limit} such a file can have`, {
        path,
        size,
        limit,
      });
    }
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, handle.read(bytes, 0));
  } finally {
    handle.close();
  }
}

/** The whole of a small file; throws `not-found` when there is none, `corrupt` when too large. */
export function readSmallFile(files: Files, path: string, limit?: Bytes): Uint8Array {
  const bytes = readFileIfExists(files, path, limit);
  if (bytes !== undefined) return bytes;
  throw new WalbError('not-found', `${path} does not exist`, { details: { path } });
}

/** Removes a file; when it resolves, a power cut does not bring it back. Fine when it is gone. */
export async function removeDurably(files: Files, path: string): Promise<void> {
  // Also when the file is gone: an earlier removal may have crashed before its directory sync.
  files.remove(path);
  await files.syncDirectory(parentOf(path));
}

/** Renames a synced file; when it resolves, the new name survives a power cut. */
export async function renameDurably(files: Files, from: string, to: string): Promise<void> {
  files.rename(from, to);
  const target = parentOf(to);
  const source = parentOf(from);
  // The new name first: a crash in between leaves both names or the new one, never none.
  await files.syncDirectory(target);
  if (source !== target) await files.syncDirectory(source);
}

/** Makes a directory and its missing parents; when it resolves, it survives a power cut. */
export async function makeDirectoryDurably(files: Files, path: string): Promise<void> {
  // The directory's own parent always: an earlier call may have crashed before its sync.
  const unsynced = [path];
  for (let at = parentOf(path); files.info(at) === undefined; at = parentOf(at)) unsynced.push(at);
  files.makeDirectory(path);
  for (const made of unsynced) await files.syncDirectory(parentOf(made));
}

/** Names of leftover temporary files in a directory. */
export function listTemporary(files: Files, directory: string): string[] {
  return files.list(directory).filter(isTemporaryName);
}

/** Removes leftover temporary files and returns their names; call it when nobody writes there. */
export function cleanTemporary(files: Files, directory: string): string[] {
  const names = listTemporary(files, directory);
  // Without directory sync: a leftover that a power cut brings back is removed the next time.
  for (const name of names) files.remove(`${directory}/${name}`);
  return names;
}

export function isTemporaryName(name: string): boolean {
  return TEMPORARY_NAME.test(name);
}

/** The directory that holds `path`; `.` for a bare name. */
export function parentOf(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  const slash = trimmed.lastIndexOf('/');
  if (slash < 0) return trimmed === '' ? '/' : '.';
  return slash === 0 ? '/' : trimmed.slice(0, slash);
}

function temporaryName(random: Random): string {
  let name = 'tmp';
  for (let i = 0; i < 6; i++) name += NAME_CHARACTERS[random.u32() % NAME_CHARACTERS.length];
  return name;
}
