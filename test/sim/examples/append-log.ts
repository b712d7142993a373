/**
 * The smallest system worth simulating: a log of numbered records that acknowledges a record when it
 * is durable. It shows how the simulator is used, and its flawed variants prove that the simulator
 * finds what it is there for.
 *
 * The file is a row of 64-byte records: number u32, then the same filled from it. After a crash the
 * valid records at the front count; what follows was never acknowledged.
 */
import {
  cleanTemporary,
  commitTemporary,
  createTemporary,
  readFileIfExists,
} from '../../../src/core/durable.ts';
import type { Env } from '../../../src/core/env.ts';
import type { FileHandle } from '../../../src/core/files.ts';

/** Mistakes that a careful engineer makes once. */
export type Flaw =
  /** Acknowledges before the data is synced. */
  | 'no-sync'
  /** Gives the file its name without syncing the directory. */
  | 'no-directory-sync'
  /** Gives the file its name before its data is synced. */
  | 'rename-before-sync'
  /** Believes after a restart that what it reads is on the disk. */
  | 'trusts-page-cache';

const RECORD = 64;
const DIRECTORY = '/data/log';
const PATH = `${DIRECTORY}/records`;

export class AppendLog {
  readonly #flaw: Flaw | undefined;
  readonly #handle: FileHandle;
  #last: number;

  private constructor(handle: FileHandle, last: number, flaw: Flaw | undefined) {
    this.#handle = handle;
    this.#last = last;
    this.#flaw = flaw;
  }

  /** Number of the last record; 0 when there is none. */
  get last(): number {
    return this.#last;
  }

  /**
   * Recovers the log. The records found are written anew: after a failed sync the page cache may
   * show records that the disk lost, and no later sync of the old file would store them.
   */
  static async open(env: Env, flaw?: Flaw): Promise<AppendLog> {
    cleanTemporary(env.files, DIRECTORY);
    const bytes = readFileIfExists(env.files, PATH) ?? new Uint8Array(0);
    const last = countValid(bytes);
    if (flaw !== 'trusts-page-cache' || bytes.length === 0) {
      await replace(env, bytes.subarray(0, last * RECORD), flaw);
    }
    const handle = env.files.open(PATH, 'update');
    handle.truncate(last * RECORD);
    return new AppendLog(handle, last, flaw);
  }

  /** The new record is durable when it resolves. */
  async append(): Promise<number> {
    const number = this.#last + 1;
    this.#handle.write(record(number), this.#last * RECORD);
    if (this.#flaw !== 'no-sync') await this.#handle.sync();
    this.#last = number;
    return number;
  }
}

async function replace(env: Env, bytes: Uint8Array, flaw: Flaw | undefined): Promise<void> {
  const handle = createTemporary(env, DIRECTORY);
  handle.write(bytes, 0);
  if (flaw === 'rename-before-sync') {
    env.files.rename(handle.path, PATH);
    await env.files.syncDirectory(DIRECTORY);
    await handle.sync();
  } else if (flaw === 'no-directory-sync') {
    await handle.sync();
    env.files.rename(handle.path, PATH);
  } else {
    await commitTemporary(env.files, handle, PATH);
  }
  handle.close();
}

function record(number: number): Uint8Array {
  const bytes = new Uint8Array(RECORD);
  new DataView(bytes.buffer).setUint32(0, number, true);
  return bytes.fill(number * 7 + 1, 4);
}

function countValid(bytes: Uint8Array): number {
  let count = 0;
  while ((count + 1) * RECORD <= bytes.length) {
    const found = bytes.subarray(count * RECORD, (count + 1) * RECORD);
    if (Buffer.compare(found, record(count + 1)) !== 0) break;
    count++;
  }
  return count;
}
