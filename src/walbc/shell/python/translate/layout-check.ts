/** Indentation as Python demands it; the grammar itself takes any. */
import { PythonSyntaxError } from '../syntax-error.ts';
import type { Lexed, LogicalLine } from './lexer.ts';

/** Throws PythonSyntaxError for a line that is indented without reason, or to no block around it. */
export function checkLayout(
  { lines, cutString, isOpen }: Lexed,
  source: string,
  file: string,
): void {
  const fail = (message: string, offset: number): never => {
    throw new PythonSyntaxError(message, file, source, offset);
  };
  if (cutString !== undefined) fail('unterminated string literal', cutString);
  if (isOpen) fail('the text ends within brackets or a string', source.trimEnd().length);
  const stack = [0];
  let before: LogicalLine | undefined;
  for (const line of lines) {
    const top = stack.at(-1)!;
    if (before?.opensBlock) {
      if (line.indent <= top) fail('expected an indented block', line.start);
      stack.push(line.indent);
    } else if (line.indent > top) fail('unexpected indent', line.start);
    while (line.indent < stack.at(-1)!) stack.pop();
    if (line.indent !== stack.at(-1)) {
      fail('unindent does not match any outer indentation level', line.start);
    }
    before = line;
  }
  if (before?.opensBlock) fail('expected an indented block', before.end);
}
