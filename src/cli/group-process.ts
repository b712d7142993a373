/** One process of a group: started through its launcher, ready when it says so, ended in order. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Millis, WalbError } from '../core/index.ts';
import { endAll } from './group-ending.ts';
import type { Keeper } from './group-keeping.ts';

/** A device that was killed redoes its log before it is ready. */
const READY_TIMEOUT: Millis = 60_000;
/** Last words of a process, for the message when it failed. */
const MAX_LAST_LINES = 12;

export type ProgramName = 'walb' | 'walb-storage' | 'walb-proxy' | 'walb-archive';

export interface ProcessOptions {
  /** Name in the group: s0, p0, a0, or that of a device. */
  readonly name: string;
  readonly program: ProgramName;
  readonly args: readonly string[];
  /** A line of stdout that says it is ready. */
  readonly ready: RegExp;
  /** Takes its stderr, after what is there. */
  readonly logFile: string;
  readonly keeper?: Keeper;
}

export interface GroupProcess {
  readonly name: string;
  readonly pid: number;
  /** What the ready line matched. */
  readonly ready: RegExpMatchArray;
  /** Resolves with how it ended; never rejects. */
  readonly ended: Promise<string>;
  /** At once, as a power cut of this process. Resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, then SIGKILL when that is not enough. */
  stop(): Promise<void>;
}

/** Full path of a launcher of this package. */
export function launcherOf(program: string): string {
  return fileURLToPath(new URL(`../../bin/${program}`, import.meta.url));
}

/** Resolves when the process is ready; throws `unavailable` with its last words when it is not. */
export async function startProcess(options: ProcessOptions): Promise<GroupProcess> {
  const { name, keeper } = options;
  const log = new LogFile(options.logFile);
  const child = spawnMember(options, log.fd);
  log.close();
  const { pid } = child;
  if (pid !== undefined) keeper?.watch(pid);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  void ended.then(() => {
    if (pid !== undefined) keeper?.forget(pid);
  });
  const words: string[] = [];
  const ready = Promise.withResolvers<RegExpMatchArray>();
  createInterface({ input: child.stdout as Readable }).on('line', (line) => {
    const match = options.ready.exec(line);
    if (match !== null) ready.resolve(match);
    else if (words.length < MAX_LAST_LINES) words.push(line);
  });
  const timer = setTimeout(() => ready.reject(late(options)), READY_TIMEOUT);
  void ended.then((how) => {
    ready.reject(failed(options, how, [...words, ...log.newWords()]));
  });
  try {
    const match = await ready.promise;
    return running(name, pid as number, match, ended);
  } catch (error) {
    if (pid !== undefined) await endAll([pid]);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function spawnMember({ program, args }: ProcessOptions, stderr: number) {
  return spawn(launcherOf(program), args, {
    // Ctrl-C at the terminal is for the prompt, not for the servers.
    detached: true,
    stdio: ['ignore', 'pipe', stderr],
  });
}

function running(
  name: string,
  pid: number,
  ready: RegExpMatchArray,
  ended: Promise<string>,
): GroupProcess {
  let isOver = false;
  void ended.then(() => (isOver = true));
  return {
    name,
    pid,
    ready,
    ended,
    kill: async () => {
      if (!isOver) process.kill(pid, 'SIGKILL');
      await ended;
    },
    stop: async () => {
      if (!isOver) await Promise.all([endAll([pid]), ended]);
    },
  };
}

/** Written by the process itself, so that nothing is lost when we are gone. */
class LogFile {
  readonly fd: number;
  readonly #path: string;
  readonly #start: number;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.fd = openSync(path, 'a');
    this.#path = path;
    this.#start = readFileSync(path).length;
  }

  close(): void {
    closeSync(this.fd);
  }

  /** What was said since for people, not for programs. */
  newWords(): string[] {
    const text = readFileSync(this.#path).subarray(this.#start).toString('utf8').trim();
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    return lines.slice(-MAX_LAST_LINES);
  }
}

function failed(
  { name, program, logFile }: ProcessOptions,
  how: string,
  said: readonly string[],
): WalbError {
  const words = said.length === 0 ? `see ${logFile}` : said.join('\n');
  return new WalbError('unavailable', `${name} (${program}) did not start (${how}): ${words}`, {
    details: { server: name },
  });
}

function late({ name, program, logFile }: ProcessOptions): WalbError {
  return new WalbError(
    'timeout',
    `${name} (${program}) was not ready after ${READY_TIMEOUT / 1000} s; see ${logFile}`,
    { details: { server: name } },
  );
}
