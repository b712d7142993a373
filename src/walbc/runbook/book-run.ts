/**
 * One run of a book: its steps, its calls, its transcript, and how far it came.
 */
import { join } from 'node:path';
import { type ErrorCode, WalbError } from '../../core/index.ts';
import type { Ending } from '../safety/audit-record.ts';
import type { CallRecorder } from '../safety/guard.ts';
import type { Plan } from '../safety/plan.ts';
import type { ValueClasses } from '../shell/wire.ts';
import type { RunOptions } from './options.ts';
import {
  hashOf,
  type Progress,
  progressFileOf,
  type RunIdentity,
  readProgress,
  removeProgress,
  writeProgress,
} from './progress-file.ts';
import { Steps } from './steps.ts';
import { removeOldTranscripts, Transcript, transcriptFileOf } from './transcript.ts';

export interface BookRunSpec {
  readonly options: RunOptions;
  /** Absolute path of the book. */
  readonly book: string;
  readonly text: string;
  /** The servers of the group, as text. */
  readonly layout: string;
  /** Who runs it, for the transcript. */
  readonly who: string;
  /** Where transcripts and progress are kept. */
  readonly folder: string;
  readonly classes: ValueClasses;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Notes that are no output of the book. */
  readonly note: (line: string) => void;
}

export class BookRun implements CallRecorder {
  readonly isDryRun: boolean;
  readonly args: readonly string[];
  readonly #spec: BookRunSpec;
  readonly #identity: RunIdentity;
  readonly #earlier: Progress | undefined;
  readonly #file: string;
  readonly #transcript: Transcript;
  readonly #began: string;
  #print: (line: string) => void = () => {};
  #steps: Steps | undefined;

  /** Throws `not-found` or `conflict` when `--resume` does not fit. */
  constructor(spec: BookRunSpec) {
    const { options, book, text, layout, folder, now, note } = spec;
    this.#spec = spec;
    this.isDryRun = options.isDryRun;
    this.#file = progressFileOf(folder, book);
    this.#began = new Date(now()).toISOString();
    this.#earlier = readProgress(this.#file);
    const isAlike = options.args.length === 0 && (options.isResuming || options.from !== undefined);
    this.args = isAlike ? (this.#earlier?.args ?? options.args) : options.args;
    this.#identity = { book, sha256: hashOf(text), args: this.args, layout };
    if (options.isResuming) checkResumable(this.#earlier, this.#identity);
    removeOldTranscripts(folder);
    const file = options.transcript ?? transcriptFileOf(folder, book, now());
    this.#transcript = new Transcript({ file, now, warn: note }, this.#heading());
    this.#mentionEarlier();
  }

  #heading(): string[] {
    const { options, book, who, layout } = this.#spec;
    const how = [
      ...(options.isDryRun ? ['--dry-run'] : []),
      ...(options.isResuming ? ['--resume'] : []),
      ...(options.from === undefined ? [] : [`--from ${options.from}`]),
    ];
    return [
      `walbc run ${[...how, book, ...this.args].join(' ')}`,
      `by ${who}`,
      `sha256 ${this.#identity.sha256}`,
      `layout ${layout}`,
    ];
  }

  /** A run that failed is not forgotten by chance. */
  #mentionEarlier(): void {
    const { options, note } = this.#spec;
    const earlier = this.#earlier;
    if (earlier === undefined || options.isResuming || options.from !== undefined) return;
    if (this.isDryRun || earlier.steps.length === 0) return;
    const steps = `${earlier.steps.length} finished step${earlier.steps.length === 1 ? '' : 's'}`;
    note(
      `note: the run of ${earlier.began.slice(0, 19)} UTC ended early, after ${steps}; this one begins anew`,
    );
  }

  /** The steps of the run, once there is something to print on. */
  steps(print: (line: string) => void): Steps {
    const { options, classes, now } = this.#spec;
    this.#print = print;
    this.#steps = new Steps({
      classes,
      now,
      print,
      done: this.#stepsDone(),
      isResuming: options.isResuming,
      from: options.from,
      save: (steps) => {
        if (this.isDryRun) return;
        writeProgress(this.#file, { version: 1, ...this.#identity, began: this.#began, steps });
      },
    });
    return this.#steps;
  }

  /** With `--from`, results of a run with the same arguments on the same group still count. */
  #stepsDone(): Progress['steps'] {
    const earlier = this.#earlier;
    if (earlier === undefined) return [];
    const { args, layout } = this.#identity;
    const isSame = earlier.layout === layout && same(earlier.args, args);
    return this.#spec.options.isResuming || isSame ? earlier.steps : [];
  }

  /** Everything that is printed. */
  printed(text: string): void {
    this.#transcript.add(text);
  }

  replay(call: string): { readonly value: unknown } | undefined {
    return this.#steps?.replay(call);
  }

  onPlan(plan: Plan): void {
    const lost = [...plan.losses, ...plan.unknown.map((text) => `not known: ${text}`)];
    this.#print([`would do: ${plan.call}`, ...lost.map((text) => `  loses ${text}`)].join('\n'));
  }

  onBegin(call: string): void {
    this.#print(`do: ${call}`);
  }

  onEnd(call: string, ending: Ending, value: unknown): void {
    if (ending.error === undefined) this.#steps?.called(call, value);
    const took = `${(ending.durationMs / 1000).toFixed(1)} s`;
    this.#transcript.note(
      ending.error === undefined
        ? `${ending.result ?? 'done'} (${took})`
        : `${ending.interrupted ? 'interrupted' : ending.error.code} (${took}): ${ending.error.message}`,
    );
  }

  /** The book has ended; returns the exit code of the run. `problem`: what is on stderr. */
  end(exitCode: number, problem: string): number {
    const { note } = this.#spec;
    let code = exitCode;
    if (problem !== '') this.#transcript.note(problem);
    try {
      if (code === 0) this.#steps?.finish();
    } catch (thrown) {
      const error = WalbError.from(thrown);
      note(`walbc run: ${error.message}`);
      this.#transcript.note(error.message);
      code = error.exitCode;
    }
    if (!this.isDryRun && code === 0) removeProgress(this.#file);
    if (!this.isDryRun && code !== 0) this.#mentionResume();
    this.#transcript.end(code);
    note(`transcript: ${this.#transcript.file}`);
    return code;
  }

  #mentionResume(): void {
    const count = this.#steps?.finished.length ?? 0;
    if (count === 0) return;
    this.#spec.note(
      `${count} step${count === 1 ? ' is' : 's are'} finished; walbc run --resume ${this.#spec.options.book} goes on`,
    );
  }
}

/** Folder of transcripts and progress. */
export function runsFolder(stateFolder: string): string {
  return join(stateFolder, 'runs');
}

function checkResumable(
  earlier: Progress | undefined,
  { book, sha256, args, layout }: RunIdentity,
): void {
  if (earlier === undefined) {
    throw refused('not-found', `there is no unfinished run of ${book}: start it without --resume`);
  }
  const since = `since the run of ${earlier.began.slice(0, 19)} UTC`;
  if (earlier.sha256 !== sha256) {
    throw refused(
      'conflict',
      `${book} has changed ${since}, so its finished steps may not be those of now: --from STEP begins with a step of your choice, neither of both begins anew`,
    );
  }
  if (earlier.layout !== layout) {
    throw refused('conflict', `the layout has changed ${since}: it was ${earlier.layout}`);
  }
  if (!same(earlier.args, args)) {
    throw refused(
      'conflict',
      `that run had other arguments (${earlier.args.join(' ') || 'none'}): leave them out with --resume`,
    );
  }
}

function refused(code: ErrorCode, message: string): WalbError {
  return new WalbError(code, message);
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i]);
}
