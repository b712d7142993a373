/** Exceptions as Python prints them, with the operator's lines. */
import { WalbError } from '../../../core/index.ts';
import { describeError } from '../describe-error.ts';
import { KeyboardInterrupt } from '../interruptible.ts';
import { errorText } from './runtime/repr.ts';
import { errorName } from './runtime/types.ts';
import { PythonSyntaxError } from './syntax-error.ts';

/** Texts that were run, by file: as many as an exception can still come from. */
const MAX_SOURCES = 500;
const sources = new Map<string, readonly string[]>();

export function rememberSource(file: string, source: string): void {
  sources.delete(file);
  sources.set(file, source.split(/\r\n?|\n/));
  const [oldest] = sources.keys();
  if (sources.size > MAX_SOURCES && oldest !== undefined) sources.delete(oldest);
}

export interface Frame {
  readonly file: string;
  readonly line: number;
  /** `<module>`, `<lambda>`, or the name of a function. */
  readonly name: string;
}

/** More frames of a recursion tell nothing new. */
const MAX_FRAMES = 20;

/** Frames of Python's code, the outermost first. */
export function framesOf(error: Error): Frame[] {
  const lines = (error.stack ?? '').split('\n').slice(1);
  return lines.flatMap((line) => frameOf(line) ?? []).reverse();
}

function frameOf(line: string): Frame | undefined {
  const found = /^\s+at (?:(.*?) \()?(.*?):(\d+):\d+\)?$/.exec(line);
  const file = found?.[2] ?? '';
  if (found === null || !sources.has(file)) return undefined;
  // `at Object.$name [as x]`, `at new $Name`: the translator's functions have a dollar in front.
  const name = /(\$\$?[\p{L}\p{N}_]+)/u.exec(found[1] ?? '')?.[1] ?? '$$module';
  const shown = name.startsWith('$$') ? `<${name.slice(2)}>` : name.slice(1);
  return { file, line: Number(found[3]), name: shown };
}

/** The error's last line: `ValueError: text`. */
export function errorLine(error: Error): string {
  if (error instanceof WalbError) return describeError(error);
  const text = errorText(error);
  return text === '' ? errorName(error) : `${errorName(error)}: ${text}`;
}

/** `isPrompt`: a place in the line that was just typed is not worth a traceback. */
export function describePython(thrown: unknown, isPrompt: boolean): string {
  if (thrown instanceof PythonSyntaxError) return describeSyntax(thrown);
  if (!(thrown instanceof Error)) return describeError(thrown);
  const last = thrown instanceof KeyboardInterrupt ? describeError(thrown) : errorLine(thrown);
  const frames = framesOf(thrown);
  const isPlain =
    isPrompt &&
    frames.every(({ name, file }) => name === '<module>' && (sources.get(file)?.length ?? 0) <= 2);
  if (frames.length === 0 || isPlain) return last;
  const shown =
    frames.length > MAX_FRAMES
      ? [...frames.slice(0, MAX_FRAMES / 2), ...frames.slice(-MAX_FRAMES / 2)]
      : frames;
  return ['Traceback (most recent call last):', ...shown.flatMap(frameLines), last].join('\n');
}

function frameLines({ file, line, name }: Frame): string[] {
  const source = sources.get(file)?.[line - 1]?.trim() ?? '';
  const place = `  File "${file}", line ${line}, in ${name}`;
  return source === '' ? [place] : [place, `    ${source}`];
}

function describeSyntax({ file, place, sourceLine, message }: PythonSyntaxError): string {
  const text = message.replace(/ \([^()]*, line \d+, column \d+\)$/, '');
  const indent = sourceLine.length - sourceLine.trimStart().length;
  const caret = ' '.repeat(Math.max(0, place.column - 1 - indent));
  return [
    `  File "${file}", line ${place.line}, column ${place.column}`,
    ...(sourceLine.trim() === '' ? [] : [`    ${sourceLine.trim()}`, `    ${caret}^`]),
    `SyntaxError: ${text}`,
  ].join('\n');
}
