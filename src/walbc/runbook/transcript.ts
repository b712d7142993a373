/** The transcript of a run: what was printed and done, each line with its time (UTC). */
import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { WalbError } from '../../core/index.ts';

/** Transcripts in the state folder; older ones are removed. */
export const KEPT_TRANSCRIPTS = 200;

/** `runs/<book>-<UTC time>.log` in the state folder. */
export function transcriptFileOf(folder: string, book: string, now: number): string {
  const time = new Date(now).toISOString().replaceAll(/[-:]/g, '').replace('.', '-');
  return join(folder, `${basename(book)}-${time}.log`);
}

export interface TranscriptOptions {
  readonly file: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Takes the one warning when the file can not be written: the run goes on. */
  readonly warn: (text: string) => void;
}

export class Transcript {
  readonly file: string;
  readonly #options: TranscriptOptions;
  #isBroken = false;
  /** What was printed since the last end of a line. */
  #rest = '';

  constructor(options: TranscriptOptions, heading: readonly string[]) {
    this.file = options.file;
    this.#options = options;
    this.#attempt(() => {
      mkdirSync(dirname(this.file), { recursive: true, mode: 0o700 });
      writeFileSync(this.file, '', { mode: 0o600, flag: 'w' });
    });
    for (const line of heading) this.#write(`# ${line}`);
  }

  /** Output as it comes, in pieces. */
  add(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#write(line);
  }

  /** A line that was not printed. */
  note(line: string): void {
    this.#flush();
    for (const part of line.split('\n')) this.#write(`# ${part}`);
  }

  end(exitCode: number): void {
    this.note(`exit code ${exitCode}`);
  }

  #flush(): void {
    if (this.#rest !== '') this.add('\n');
  }

  #write(line: string): void {
    const time = new Date(this.#options.now()).toISOString();
    this.#attempt(() => appendFileSync(this.file, `${time} ${line}\n`));
  }

  #attempt(work: () => void): void {
    if (this.#isBroken) return;
    try {
      work();
    } catch (thrown) {
      this.#isBroken = true;
      this.#options.warn(
        `WARNING: the transcript can not be written: ${WalbError.from(thrown).message}`,
      );
    }
  }
}

const NAME = /-(\d{8}T\d{6}-\d{3}Z)\.log$/;

/** Removes the oldest transcripts of the folder. */
export function removeOldTranscripts(folder: string, kept = KEPT_TRANSCRIPTS): void {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => NAME.test(name));
  } catch {
    return; // There is no folder yet.
  }
  const timeOf = (name: string): string => NAME.exec(name)![1]!;
  const byTime = names.toSorted((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1));
  for (const name of byTime.slice(0, Math.max(0, byTime.length - kept))) {
    rmSync(join(folder, name), { force: true });
  }
}
