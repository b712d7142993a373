/** Errors as the operator sees them: one line that says what was wrong, the facts, no inner stack. */
import { type ErrorDetail, isErrorCode, WalbError } from '../../core/index.ts';
import { KeyboardInterrupt } from './interruptible.ts';
import { repr } from './show.ts';

/** As a shell reports a program that Ctrl-C ended. */
export const INTERRUPTED_EXIT = 130;
/** Python's exit code for an uncaught exception. */
const FAILED_EXIT = 1;

export function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof KeyboardInterrupt) return INTERRUPTED_EXIT;
  // Code of the operator may throw one with any code, or without.
  return thrown instanceof WalbError && isErrorCode(thrown.code) ? thrown.exitCode : FAILED_EXIT;
}

/** `file`: name of the text that was run; where the error came from is looked up in it. */
export function describeError(thrown: unknown, file?: string): string {
  if (thrown instanceof KeyboardInterrupt) {
    return thrown.message === '' ? thrown.name : `${thrown.name}: ${thrown.message}`;
  }
  if (!(thrown instanceof Error)) return `Error: ${repr(thrown)}`;
  const where = file === undefined ? undefined : placeIn(thrown, file);
  const suffix = where === undefined ? [] : [`  at ${where}`];
  if (thrown instanceof WalbError) return [...walbLines(thrown), ...suffix].join('\n');
  return [`${thrown.name}: ${thrown.message}`, ...suffix].join('\n');
}

function walbLines(error: WalbError): string[] {
  const details = Object.entries(error.details)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${detailText(value)}`);
  const facts = [error.code, ...details].join(' ');
  const lines = [`${error.name}: ${error.message.trimEnd()}`, `  (${facts})`];
  if (error.code !== 'internal') return lines;
  const cause = error.cause instanceof Error ? error.cause : error;
  return [
    ...lines,
    '  This is a defect in walb-ts; please report it with the lines below.',
    cause.stack ?? String(cause),
  ];
}

function detailText(value: ErrorDetail): string {
  return typeof value === 'string' && /[\s,=]/.test(value) ? JSON.stringify(value) : String(value);
}

/** `FILE:LINE:COLUMN` of the first place in the text, from the stack. */
function placeIn(error: Error, file: string): string | undefined {
  const stack = error.stack ?? '';
  const at = stack.indexOf(`${file}:`);
  return at < 0 ? undefined : /^[^\s)]*?:\d+(?::\d+)?/.exec(stack.slice(at))?.[0];
}
