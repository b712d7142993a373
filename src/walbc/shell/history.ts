/**
 * What was typed, in all sessions. Each line is appended when it is entered, so sessions that are open
 * at the same time add to one file, in the order of time, and none replaces what another has written.
 * (Node's own history file is written as a whole by whoever comes last.)
 *
 * The file has one entry in a line, the newest last. An input of several lines is one entry, as the
 * editor keeps it: its lines joined by CR, the last one first.
 */
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { REPLServer } from 'node:repl';

/** Entries that an operator can go back to. */
export const HISTORY_SIZE = 5000;
/** The file is made smaller when it has so many: rarely, for that copies it. */
const COMPACT_AT = 2 * HISTORY_SIZE;
/** A pasted book is not worth a place. */
const MAX_ENTRY = 64 * 1024;
const OWNER_ONLY = 0o600;

export class HistoryFile {
  readonly #path: string;
  #latest: string | undefined;
  #warn: ((text: string) => void) | undefined;

  /** `warn` is told once when the file can not be written. */
  constructor(path: string, warn: (text: string) => void) {
    this.#path = path;
    this.#warn = warn;
  }

  /** The newest first, each once. Makes the file when there is none. */
  load(): string[] {
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      closeSync(openSync(this.#path, 'a', OWNER_ONLY));
      // One that was made otherwise, or copied, may be open to others.
      chmodSync(this.#path, OWNER_ONLY);
      const text = readFileSync(this.#path, 'utf8');
      const kept = entriesOf(text);
      if (text.split('\n').length > COMPACT_AT) this.#compact(text, kept);
      return kept;
    } catch (thrown) {
      this.#fail(thrown);
      return [];
    }
  }

  /** An input that was entered, or one that has grown by a line. */
  add(entry: string): void {
    if (entry === '' || entry === this.#latest || entry.length > MAX_ENTRY) return;
    this.#latest = entry;
    try {
      // One write at the end of the file: those of other sessions come before or after it.
      appendFileSync(this.#path, `${entry.replaceAll('\n', '\r')}\n`, { mode: OWNER_ONLY });
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /** Leaves what `load` gives; what others add meanwhile to the old file is taken over. */
  #compact(text: string, kept: readonly string[]): void {
    const old = openSync(this.#path, 'r');
    const fresh = `${this.#path}.${process.pid}`;
    try {
      const lines = kept.toReversed().map((entry) => `${entry}\n`);
      writeFileSync(fresh, lines.join(''), { mode: OWNER_ONLY });
      renameSync(fresh, this.#path);
      const added = readFileSync(old).subarray(Buffer.byteLength(text));
      if (added.length > 0) appendFileSync(this.#path, added);
    } finally {
      closeSync(old);
      if (existsSync(fresh)) rmSync(fresh);
    }
  }

  #fail(thrown: unknown): void {
    this.#warn?.(`history can not be kept: ${(thrown as Error).message}\n`);
    this.#warn = undefined;
  }
}

/** Entries of a file, the newest first. Inputs of several lines were written line by line. */
function entriesOf(text: string): string[] {
  const whole: string[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (line.endsWith(`\r${whole.at(-1)}`)) whole.pop();
    whole.push(line);
  }
  return [...new Set(whole.reverse())].slice(0, HISTORY_SIZE);
}

/** Gives the editor the history of all sessions; without a file ('') it is kept in memory. */
export function useHistory(server: REPLServer, path: string): void {
  if (!server.terminal) return;
  const file =
    path === '' ? undefined : new HistoryFile(path, (text) => void server.output.write(text));
  // No file for the editor itself: it would replace the whole of it.
  const options = { filePath: '', size: HISTORY_SIZE, removeHistoryDuplicates: true };
  server.setupHistory(options, () => {
    const { history } = server as REPLServer & { readonly history: string[] };
    history.push(...(file?.load() ?? []).map(inOrder));
    server.on('history', (entries) => {
      file?.add(entries[0] ?? '');
      // The newest one may still grow.
      for (const index of [1, 2]) {
        if (entries[index]?.includes('\r')) entries[index] = inOrder(entries[index]);
      }
    });
  });
}

/** The editor takes lines in this order too; its search shows an entry as it is, and needs it. */
function inOrder(entry: string): string {
  return entry.split('\r').reverse().join('\n');
}
