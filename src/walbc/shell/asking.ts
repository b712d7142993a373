/** Asking the operator before a call that loses something. */
import { openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import type { Answer, Question } from '../safety/guard.ts';
import { LineReader } from './line-reader.ts';

/** Reads the line that is typed for an answer; undefined when the question is left. */
export type Asker = (
  show: (text: string) => void,
  signal: AbortSignal,
) => Promise<string | undefined>;

/** The plan and the question below it. `a` is explained when there is a second question. */
export function questionText({ text, isRepeated }: Question): string {
  const choice = isRepeated ? '[y/N, a = yes to all of this input]' : '[y/N]';
  return `${text}\nProceed? ${choice} `;
}

/** Yes must be said; everything else is no. */
export function answerOf(line: string | undefined): Answer {
  switch (line?.trim().toLowerCase()) {
    case 'y':
    case 'yes':
      return 'yes';
    case 'a':
    case 'all':
      return 'all';
    default:
      return 'no';
  }
}

/** `--yes`. */
export const sayYes: Asker = async (show) => {
  show('y (--yes)\n');
  return 'y';
};

/**
 * Asks on the terminal of the process, whatever stdin is: a script may come from there. Without a
 * terminal nobody can be asked, and the answer is no.
 */
export const askOnTerminal: Asker = async (show, signal) => {
  let terminal: ReadStream;
  try {
    terminal = new ReadStream(openSync('/dev/tty', 'r'));
  } catch {
    show('(there is no terminal to ask on: no)\n');
    return undefined;
  }
  const reader = new LineReader(show);
  const leave = (): void => reader.leave();
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  terminal.setRawMode(true);
  terminal.on('data', (keys) => reader.take(String(keys)));
  terminal.on('end', leave);
  try {
    return await reader.line;
  } finally {
    signal.removeEventListener('abort', leave);
    terminal.setRawMode(false);
    terminal.destroy();
  }
};
