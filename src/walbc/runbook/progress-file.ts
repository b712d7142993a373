/**
 * How far a run of a book came: a file per book, written whenever a step has ended, removed when the book
 * has ended well. A killed run leaves it, and `--resume` reads it.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hasCode, WalbError } from '../../core/index.ts';
import type { Kept } from './journal.ts';

/** A call that changed something. */
export interface DoneCall {
  readonly text: string;
  readonly value: Kept;
}

export interface DoneStep {
  readonly title: string;
  /** Which one of this title: 0 the first. */
  readonly occurrence: number;
  /** UTC. */
  readonly ended: string;
  /** Of `step(title, function)`; undefined for a heading. */
  readonly value?: Kept;
  readonly calls: readonly DoneCall[];
}

/** What a run was started with; a run that goes on must be of the same. */
export interface RunIdentity {
  /** Path of the book. */
  readonly book: string;
  /** SHA-256 of its text. */
  readonly sha256: string;
  readonly args: readonly string[];
  /** The servers of the group. */
  readonly layout: string;
}

export interface Progress extends RunIdentity {
  readonly version: 1;
  readonly began: string;
  readonly steps: readonly DoneStep[];
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Books of the same name in different folders have files of their own. */
export function progressFileOf(folder: string, book: string): string {
  return join(folder, `${basename(book)}-${hashOf(book).slice(0, 8)}.progress`);
}

/**
 * Replaces the file as a whole: a crash leaves the old or the new one. Temporary file, its contents on
 * disk, then the name.
 */
export function writeProgress(file: string, progress: Progress): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.tmp`;
  writeFileSync(temporary, JSON.stringify(progress), { mode: 0o600, flush: true });
  renameSync(temporary, file);
}

/** Undefined when no run of the book is unfinished. Throws `corrupt`. */
export function readProgress(file: string): Progress | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    const error = WalbError.from(thrown);
    if (hasCode(error, 'not-found')) return undefined;
    throw error;
  }
  try {
    const value = JSON.parse(text) as Partial<Progress> | null;
    if (value?.version === 1 && Array.isArray(value.steps) && Array.isArray(value.args)) {
      return value as Progress;
    }
  } catch {
    // Falls through to what is said of any other content.
  }
  throw new WalbError('corrupt', `${file} is not the progress of a runbook; remove it`);
}

export function removeProgress(file: string): void {
  rmSync(file, { force: true });
}
