/** At the prompt: whether a text goes on in the next line, and how far that is indented. */
import { type LogicalLine, lex } from './translate/lexer.ts';

const COMPOUND = /^(?:if|for|while|try|with|def|class|async|match|@)\b|^@/;
const LEAVES = /^(?:return|pass|break|continue|raise)\b/;
const INDENT = 4;

/** As in Python's own prompt, an empty line ends what has a block. */
export function needsMore(code: string): boolean {
  const { lines, isOpen, cutString } = lex(code);
  if (cutString !== undefined) return false;
  if (isOpen) return true;
  const [first] = lines;
  if (first === undefined) return false;
  const hasBlock =
    COMPOUND.test(code.slice(first.start)) ||
    lines.some((line) => line.opensBlock || line.indent > 0);
  return hasBlock && !/\n[ \t]*\n?$/.test(code.replace(/\n$/, ''));
}

/** Blanks for the next line. */
export function nextIndent(code: string): string {
  const { lines, isOpen } = lex(code);
  const last = lines.at(-1);
  if (isOpen || last === undefined) return '';
  return ' '.repeat(Math.max(0, last.indent + changeAfter(code, last)));
}

function changeAfter(code: string, line: LogicalLine): number {
  if (line.opensBlock) return INDENT;
  return LEAVES.test(code.slice(line.start)) ? -INDENT : 0;
}
