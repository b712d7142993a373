/**
 * When something last went well, and what last went wrong, for each volume of a server, through
 * restarts: a server that fails for a month must not look new each time it is restarted.
 *
 * It is kept in memory and written to `.history/history.json` in the base directory now and then and at
 * an orderly end (in a folder of its own, because names of temporary files look like volumes). A crash loses the last moments of it, never more than `SAVE_INTERVAL_MS`; nothing but
 * what is shown to people depends on it, so a file that can not be read or written is reported and
 * does not keep anything else from working.
 *
 *     history.open('/var/forest/walb/proxy');
 *     history.succeeded('vol', 'wdiff-sent/a0', now, 'a0');
 *     history.at('vol', 'wdiff-sent/a0').success
 */
import {
  cleanTemporary,
  makeDirectoryDurably,
  parentOf,
  readFileIfExists,
  writeFileDurably,
} from '../core/durable.ts';
import {
  type Bytes,
  type CancelTimer,
  type Env,
  isErrorCode,
  type Logger,
  MIB,
  type Millis,
  type UnixSeconds,
  WalbError,
} from '../core/index.ts';
import { fromErrorInfo, type LastError, toErrorInfo } from '../rpc/index.ts';
import { nextFailure } from './failures.ts';

/** One subject: a hop of the data, or a kind of work. */
export interface Remembered {
  /** 0 = never. */
  readonly success: UnixSeconds;
  /** Server at the other end of that success; empty for local work. */
  readonly peer: string;
  /** The last failure, until the next success. */
  readonly failure: LastError | undefined;
}

const NEVER: Remembered = { success: 0, peer: '', failure: undefined };
const FOLDER = '.history';
const FILE = 'history.json';
const VERSION = 1;
/** One small write for the whole server, however much it moves. */
const SAVE_INTERVAL_MS: Millis = 30_000;
/** What tells something new (a first success, a first failure, an end of failures) is worth a write. */
const SAVE_SOON_MS: Millis = 1_000;
/** A success after so long tells something new too. */
const LONG_AGO: UnixSeconds = 600;
/** Thousands of volumes fit; anything larger is not this file. */
const MAX_FILE: Bytes = 16 * MIB;
/** Of an error's text; the log has all of it. */
const MAX_MESSAGE = 1000;

type HistoryEnv = Pick<Env, 'clock' | 'files' | 'log' | 'random'>;
type Subjects = Map<string, Remembered>;

export class History {
  readonly #env: HistoryEnv;
  readonly #log: Logger;
  readonly #volumes = new Map<string, Subjects>();
  #path: string | undefined;
  #timer: CancelTimer | undefined;
  /** When the timer fires, monotonic. */
  #due: Millis = 0;
  #isDirty = false;
  #isSaving = false;

  constructor(env: HistoryEnv) {
    this.#env = env;
    this.#log = env.log;
  }

  /** Takes over what the last run left in the server's base directory. */
  open(baseDirectory: string): void {
    const folder = `${baseDirectory}/${FOLDER}`;
    this.#path = `${folder}/${FILE}`;
    try {
      if (this.#env.files.info(folder) === undefined) return;
      cleanTemporary(this.#env.files, folder);
      const bytes = readFileIfExists(this.#env.files, this.#path, MAX_FILE);
      if (bytes === undefined) return;
      for (const [volume, subjects] of parseHistory(Buffer.from(bytes).toString('utf8'))) {
        this.#volumes.set(volume, subjects);
      }
    } catch (err) {
      this.#log.warn(
        { err, file: this.#path },
        'times of earlier successes are not known any more',
      );
    }
  }

  at(volume: string, subject: string): Remembered {
    return this.#volumes.get(volume)?.get(subject) ?? NEVER;
  }

  succeeded(volume: string, subject: string, time: UnixSeconds, peer = ''): void {
    this.#set(volume, subject, { success: time, peer, failure: undefined });
  }

  failed(volume: string, subject: string, thrown: unknown, time: UnixSeconds, peer = ''): void {
    const before = this.at(volume, subject);
    this.#set(volume, subject, {
      ...before,
      failure: nextFailure(before.failure, thrown, time, peer),
    });
  }

  /** A volume, or one subject of it, that there is no more. */
  forget(volume: string, subject?: string): void {
    if (subject === undefined) this.#volumes.delete(volume);
    else this.#volumes.get(volume)?.delete(subject);
    this.#touch(SAVE_SOON_MS);
  }

  /** Drops volumes that have gone while the server was not running. */
  keepOnly(volumes: readonly string[]): void {
    const kept = new Set(volumes);
    for (const volume of [...this.#volumes.keys()]) if (!kept.has(volume)) this.forget(volume);
  }

  /** The server ends: what is not saved yet is saved now. */
  async close(): Promise<void> {
    this.#timer?.();
    this.#timer = undefined;
    await this.#save();
    this.#path = undefined;
  }

  #set(volume: string, subject: string, remembered: Remembered): void {
    let subjects = this.#volumes.get(volume);
    if (subjects === undefined) {
      subjects = new Map();
      this.#volumes.set(volume, subjects);
    }
    const before = subjects.get(subject) ?? NEVER;
    subjects.set(subject, remembered);
    this.#touch(isNews(before, remembered) ? SAVE_SOON_MS : SAVE_INTERVAL_MS);
  }

  #touch(delay: Millis): void {
    this.#isDirty = true;
    if (this.#path === undefined || this.#isSaving) return;
    const due = this.#env.clock.monotonic() + delay;
    if (this.#timer !== undefined && this.#due <= due) return;
    this.#timer?.();
    this.#due = due;
    this.#timer = this.#env.clock.after(delay, () => void this.#saveNow());
  }

  async #saveNow(): Promise<void> {
    this.#timer = undefined;
    this.#isSaving = true;
    await this.#save();
    this.#isSaving = false;
    if (this.#isDirty) this.#touch(SAVE_INTERVAL_MS);
  }

  async #save(): Promise<void> {
    if (!this.#isDirty || this.#path === undefined) return;
    this.#isDirty = false;
    const text = formatHistory(this.#volumes);
    try {
      await makeDirectoryDurably(this.#env.files, parentOf(this.#path));
      await writeFileDurably(this.#env, this.#path, Buffer.from(text));
    } catch (err) {
      // Tried again with the next change: a full disk has other things to say than this one.
      this.#log.warn({ err, file: this.#path }, 'times of successes were not saved');
    }
  }
}

function isNews(before: Remembered, after: Remembered): boolean {
  const isFirst = before.success === 0 || after.success - before.success > LONG_AGO;
  const turned = (before.failure === undefined) !== (after.failure === undefined);
  return turned || (isFirst && after.success !== before.success);
}

// ---- the file

interface StoredFailure {
  readonly code: string;
  readonly message: string;
  readonly time: number;
  readonly since: number;
  readonly count: number;
  readonly peer: string;
}

interface StoredSubject {
  readonly success: number;
  readonly peer?: string;
  readonly failure?: StoredFailure;
}

export function formatHistory(volumes: ReadonlyMap<string, Subjects>): string {
  const stored = Object.fromEntries(
    [...volumes].map(([volume, subjects]) => [
      volume,
      Object.fromEntries([...subjects].map(([name, one]) => [name, storedOf(one)])),
    ]),
  );
  return `${JSON.stringify({ version: VERSION, volumes: stored }, undefined, 1)}\n`;
}

function storedOf({ success, peer, failure }: Remembered): StoredSubject {
  if (failure === undefined) return { success, ...(peer === '' ? {} : { peer }) };
  const { time, since, count, peer: where, error } = failure;
  const message = (error?.message ?? '').slice(0, MAX_MESSAGE);
  const code = error?.code ?? 'internal';
  return { success, peer, failure: { code, message, time, since, count, peer: where } };
}

/** Throws `corrupt` for anything but what `formatHistory` makes. */
export function parseHistory(text: string): Map<string, Subjects> {
  try {
    const root = mapping(JSON.parse(text));
    if (root['version'] !== VERSION) throw new Error(`version ${String(root['version'])}`);
    return new Map(
      Object.entries(mapping(root['volumes'])).map(([volume, subjects]) => [
        volume,
        new Map(Object.entries(mapping(subjects)).map(([name, one]) => [name, rememberedOf(one)])),
      ]),
    );
  } catch (thrown) {
    throw new WalbError('corrupt', `not a history: ${(thrown as Error).message}`, {
      cause: thrown,
    });
  }
}

function rememberedOf(value: unknown): Remembered {
  const { success, peer = '', failure } = mapping(value);
  const known = { success: whole(success), peer: text(peer) };
  if (failure === undefined) return { ...known, failure: undefined };
  const { code, message, time, since, count, peer: where } = mapping(failure);
  if (typeof code !== 'string' || !isErrorCode(code)) throw new Error(`code ${String(code)}`);
  return {
    ...known,
    failure: {
      error: toErrorInfo(fromErrorInfo({ code, message: text(message), details: [] })),
      time: whole(time),
      since: whole(since),
      count: whole(count),
      peer: text(where),
    },
  };
}

function mapping(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Error(`${typeof value} in place of a mapping`);
}

function whole(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`${String(value)} is not a whole number`);
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new Error(`${typeof value} in place of text`);
}
