/**
 * The audit log: an append-only file of every call that changes something, kept by the programs of the
 * operator's side.
 *
 * A line is written before the call, so a program that is killed leaves what it was about to do. Lines
 * are handed to the operating system, not synced: they survive the program, not a power cut. A log that
 * can not be written is said once and loudly, and does not keep an operator from a repair.
 */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { type Bytes, MIB, WalbError } from '../../core/index.ts';
import {
  type AuditRecord,
  type Ending,
  formatRecord,
  type Origin,
  parseRecord,
} from './audit-record.ts';

/** A new file is begun at this size: some 20 thousand calls. */
export const MAX_FILE: Bytes = 8 * MIB;
/** `audit.log.1` is the newest of them. With the one written to, the log takes at most 40 MiB. */
export const KEPT_FILES = 4;
/** Whoever died while it moved the files is not waited for any longer. */
const STALE_LOCK_MS = 10_000;

type Env = Readonly<Record<string, string | undefined>>;

/** Folder of what walbc remembers: $XDG_STATE_HOME/walb, else ~/.local/state/walb. */
export function stateFolder(env: Env): string {
  const state = env['XDG_STATE_HOME'] || join(env['HOME'] || homedir(), '.local/state');
  return join(state, 'walb');
}

/** $WALB_AUDIT_LOG, else the state folder; of root /var/log/walb, unless $XDG_STATE_HOME is set. */
export function auditFileOf(env: Env): string {
  const named = env['WALB_AUDIT_LOG'];
  if (named !== undefined && named !== '') return named;
  const isRoot = process.getuid?.() === 0 && !env['XDG_STATE_HOME'];
  return join(isRoot ? '/var/log/walb' : stateFolder(env), 'audit.log');
}

/** Who runs this program. */
export function originOf(
  env: Env,
  host: string,
  how: Pick<Origin, 'interface' | 'layout'> & Partial<Pick<Origin, 'book'>>,
): Origin {
  const sudoUser = env['SUDO_USER'];
  return {
    user: userName(),
    ...(sudoUser === undefined || sudoUser === '' ? {} : { sudoUser }),
    host,
    pid: process.pid,
    ...how,
  };
}

/** A user id without an entry has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}

export interface AuditOptions {
  readonly file: string;
  readonly origin: Origin;
  /** Takes the one warning. */
  readonly warn: (text: string) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly maxFile?: Bytes;
}

/** A call that has begun. */
export type EndCall = (ending: Ending) => void;

export class AuditLog {
  readonly #options: AuditOptions;
  readonly #now: () => number;
  #count = 0;
  #hasWarned = false;

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Writes that a call begins; the function it returns writes how it ended. */
  begin(call: string, isDryRun = false): EndCall {
    this.#count += 1;
    const began = this.#now();
    const { origin } = this.#options;
    const common = {
      version: 1,
      ...origin,
      call,
      ...(isDryRun ? { dryRun: true as const } : {}),
      id: `${origin.host}-${origin.pid}-${began}-${this.#count}`,
    } as const;
    this.#write({ ...common, event: 'begin', time: timeText(began) });
    return (ending) =>
      this.#write({ ...common, event: 'end', time: timeText(this.#now()), ...ending });
  }

  #write(record: AuditRecord): void {
    try {
      append(this.#options.file, formatRecord(record), this.#options.maxFile ?? MAX_FILE);
    } catch (thrown) {
      if (this.#hasWarned) return;
      this.#hasWarned = true;
      this.#options.warn(
        `WARNING: THE AUDIT LOG CAN NOT BE WRITTEN: ${WalbError.from(thrown).message}\n` +
          `What is done from here on is not recorded in ${this.#options.file} (WALB_AUDIT_LOG names another file).`,
      );
    }
  }
}

function timeText(millis: number): string {
  return new Date(millis).toISOString();
}

/** One write of a whole line to a file opened for appending: lines of several programs do not mix. */
function append(file: string, line: string, maxFile: Bytes): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const fd = openSync(file, 'a', 0o600);
  try {
    writeSync(fd, line);
    if (fstatSync(fd).size >= maxFile) rotate(file, maxFile);
  } finally {
    closeSync(fd);
  }
}

/**
 * Moves the files one on. Only one program does it: the others go on writing to the file they have, and
 * open the new one with their next line.
 */
function rotate(file: string, maxFile: Bytes): void {
  const lock = `${file}.lock`;
  if (!takeLock(lock)) return;
  try {
    // Somebody may have been quicker.
    if (statSync(file).size < maxFile) return;
    for (let at = KEPT_FILES; at > 1; at -= 1) moveIfThere(`${file}.${at - 1}`, `${file}.${at}`);
    moveIfThere(file, `${file}.1`);
  } finally {
    rmSync(lock, { force: true });
  }
}

function takeLock(lock: string): boolean {
  try {
    closeSync(openSync(lock, 'wx', 0o600));
    return true;
  } catch {
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > STALE_LOCK_MS) rmSync(lock, { force: true });
    return false;
  }
}

function moveIfThere(from: string, to: string): void {
  if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, to);
}

/** All records, oldest first, those of the older files too. Lines that were cut off are left out. */
export function readAudit(file: string): AuditRecord[] {
  const files = [
    ...Array.from({ length: KEPT_FILES }, (_, i) => `${file}.${KEPT_FILES - i}`),
    file,
  ];
  return files.flatMap((path) => {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return [];
    return readFileSync(path, 'utf8')
      .split('\n')
      .flatMap((line) => parseRecord(line) ?? []);
  });
}
