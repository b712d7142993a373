/**
 * Python 2's `print x, y` and `print >>file, x` as calls, as they stand in the original's documentation.
 * Lines stay lines, and columns up to the end of the statement stay what they are.
 */
import type { Lexed, LogicalLine } from './lexer.ts';

interface Edit {
  readonly at: number;
  readonly length: number;
  readonly text: string;
}

const PRINT = /print(?![\p{L}\p{N}_])[ \t]*/uy;
/** What can begin an operand, and no operator can. */
const OPERAND = /^(?:["'[{~`\d]|\.\d|[-+](?!=)|(?!(?:and|or|in|is|if|else|for)\b)[\p{L}_])/u;
const CLAUSE = /(?:^|:)[ \t]*$/;

export function printCalls(source: string, { lines }: Lexed): string {
  const edits = lines.flatMap((line) => editsOf(source, line));
  let text = '';
  let from = 0;
  for (const { at, length, text: added } of edits) {
    text += source.slice(from, at) + added;
    from = at + length;
  }
  return text + source.slice(from);
}

function editsOf(source: string, line: LogicalLine): Edit[] {
  const ends = [...line.semicolons, line.end];
  const starts = [line.start, ...line.semicolons.map((at) => at + 1)];
  return starts.flatMap((start, index) => statementEdits(source, start, ends[index]!));
}

function statementEdits(source: string, from: number, end: number): Edit[] {
  const at = findPrint(source, from, end);
  if (at === undefined) return [];
  PRINT.lastIndex = at;
  const head = PRINT.exec(source)![0];
  const rest = source.slice(at + head.length, end);
  const trimmed = rest.trimEnd();
  const last = at + head.length + trimmed.length;
  if (trimmed === '') return [{ at: at + 5, length: 0, text: '()' }];
  const toFile = /^>>\s*([\p{L}\p{N}_.]+)\s*(?:,|$)\s*/u.exec(trimmed);
  if (toFile === null && !OPERAND.test(trimmed)) return [];
  const isOpen = trimmed.endsWith(',');
  const tail = `${isOpen ? ' end=" "' : ''}`;
  const skipped = toFile?.[0].length ?? 0;
  const file = toFile === null ? '' : `${trimmed.length > skipped ? ', ' : ''}file=${toFile[1]}`;
  return [
    { at: at + 5, length: head.length - 5 + skipped, text: '(' },
    { at: last, length: 0, text: `${tail}${file})` },
  ];
}

/** `print` at the begin of the statement, or after `if x:` on the same line. */
function findPrint(source: string, from: number, end: number): number | undefined {
  const text = source.slice(from, end);
  const found = /^\s*print(?![\p{L}\p{N}_])/u.exec(text);
  if (found !== null) return from + found[0].length - 5;
  if (!/^\s*(?:if|elif|else|for|while|try|except|finally|with|def)\b/.test(text)) return undefined;
  for (const match of text.matchAll(/print(?=[ \t]+[^\s(=.,)\]])/g)) {
    if (CLAUSE.test(text.slice(0, match.index)) && outsideOfStrings(text, match.index)) {
      return from + match.index;
    }
  }
  return undefined;
}

function outsideOfStrings(text: string, at: number): boolean {
  const before = text
    .slice(0, at)
    .replace(/\\./g, '')
    .replace(/'[^']*'|"[^"]*"/g, '');
  return !/['"]/.test(before);
}
