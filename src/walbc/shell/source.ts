/**
 * What the prompt accepts beyond JavaScript and TypeScript, rewritten on the text before it is
 * compiled; line numbers stay as they are:
 *
 * - keyword arguments: `walbc.full_backup(s0, vol, timeoutS=10)`. Left alone, JavaScript would assign
 *   a variable and pass 10 as the third argument, whatever that is.
 * - `# comment`
 * - `from walblib import *`, which does nothing: the names are there already
 * - `let` and `const` of an earlier line may be declared again
 */
import { type Token, type Tokens, tokenize } from './tokens.ts';

/** Makes arguments of keywords (`keywordsFor`); a global function in the worker. */
export const KEYWORDS_FUNCTION = '__kw';

interface Edit {
  readonly at: number;
  /** Characters replaced. */
  readonly length: number;
  readonly text: string;
}

/** These are followed by a bracket without being called. */
const NOT_CALLED = new Set(['if', 'while', 'for', 'switch', 'catch', 'with', 'function', 'return']);
const ASSIGNS = new Set(['=', '+=', '-=', '*=', '/=', '??=', '||=', '&&=']);
/** Python that no rewriting on the text makes work; the shell says what to write instead. */
const PYTHON_HINTS: readonly (readonly [RegExp, string])[] = [
  [/^\s*for\s+\w[\w\s,]*\s+in\s+[^{]*:/m, 'for (const x of list) { ... }'],
  [/^\s*elif\b/m, 'else if (condition) { ... }'],
  [/^\s*(if|while)\b[^(].*:|^\s*(if|while)\s*\(.*\)\s*:/m, 'if (condition) { ... }'],
  [/^\s*else\s*:/m, 'else { ... }'],
  [/^\s*def\s+\w+\s*\(.*\)\s*:/m, 'function name(a, b) { ... }'],
  [/^\s*try\s*:|^\s*(except|finally)\b.*:/m, 'try { ... } catch (e) { ... }'],
  [/^\s*with\s+[^(].*:/m, 'try { ... } finally { ... }'],
  [/^\s*raise\b/m, "throw new Error('what')"],
  [/^\s*del\s+\w/m, 'delete object.key, list.splice(index, 1)'],
  [/^\s*print\s+[^(\s]/m, 'print(x)'],
  [/\blambda\b[\w\s,]*:/, 'x => expression'],
  [/\bnot\s+[\w(]/, '!x'],
  [/[\w)\]'"]\s+(and|or)\s+[\w('"[]/, 'a && b, a || b'],
  [/\[.+\bfor\b.+\bin\b.+\]/, 'list.map(x => ...) or list.filter(x => ...)'],
  [/^\s*(from\s+[\w.]+\s+)?import\s+[\w.]+/m, "const fs = require('node:fs')"],
  [/(^|\s|\()f(['"])/, 'text in backquotes with $' + '{value} in it'],
];

/** What to write instead of Python that can not be run here; undefined when it does not look so. */
export function pythonHint(code: string): string | undefined {
  return PYTHON_HINTS.find(([pattern]) => pattern.test(code))?.[1];
}

/** Whether more lines are needed before the input can mean anything. */
export function isIncomplete(code: string): boolean {
  return tokenize(code).isOpen;
}

/** `gid = walbc.snapshot(...)`: as in Python, an assignment alone prints nothing. */
export function isAssignment(code: string): boolean {
  const { tokens } = tokenize(code);
  const at = tokens.findIndex(({ text, depth }) => depth === 0 && ASSIGNS.has(text));
  return (
    at > 0 && tokens.slice(0, at).every(({ kind, text }) => kind === 'word' || !'?;'.includes(text))
  );
}

/** Rewrites everything the header of this file names. Throws SyntaxError for `f(a=1, 2)`. */
export function toScript(code: string, options: { readonly redeclare: boolean }): string {
  const source = code.replace(/^([ \t]*)from\s+walblib(\.\w+)?\s+import\s+.*$/gm, '$1');
  const scanned = tokenize(source);
  return applyEdits(source, [
    ...scanned.hashComments.map(({ start }) => ({ at: start, length: 1, text: '//' })),
    ...keywordEdits(scanned),
    ...(options.redeclare ? redeclareEdits(scanned) : []),
  ]);
}

function applyEdits(source: string, edits: readonly Edit[]): string {
  let text = '';
  let from = 0;
  for (const edit of [...edits].sort((a, b) => a.at - b.at)) {
    text += source.slice(from, edit.at) + edit.text;
    from = edit.at + edit.length;
  }
  return text + source.slice(from);
}

/** Top-level `let` and `const` become `var`, which may be declared again. */
function redeclareEdits({ tokens }: Tokens): Edit[] {
  return tokens
    .filter((token, index) => {
      if (token.depth !== 0 || (token.text !== 'let' && token.text !== 'const')) return false;
      const before = tokens[index - 1];
      return before === undefined || token.startsLine || ';}'.includes(before.text);
    })
    .map((token) => ({ at: token.start, length: token.end - token.start, text: 'var' }));
}

function keywordEdits({ tokens }: Tokens): Edit[] {
  return tokens.flatMap((token, index) =>
    token.text === '(' && isCall(tokens, index) ? keywordEditsOf(tokens, index) : [],
  );
}

function isCall(tokens: readonly Token[], open: number): boolean {
  const before = tokens[open - 1];
  if (before === undefined) return false;
  const isCallable =
    before.kind === 'word' ? !NOT_CALLED.has(before.text) : ')]'.includes(before.text);
  if (!isCallable || tokens[open - 2]?.text === 'function') return false;
  const close = closingOf(tokens, open);
  const after = tokens[close + 1];
  // A method or arrow function with default values looks like a call up to here.
  return !(
    after !== undefined &&
    (after.text === '=>' || (after.text === '{' && !after.startsLine))
  );
}

/** Index of the bracket that closes the one at `open`; the last token when it is missing. */
function closingOf(tokens: readonly Token[], open: number): number {
  const depth = tokens[open]!.depth;
  const found = tokens.findIndex(
    (token, index) => index > open && token.depth === depth && ')]}'.includes(token.text),
  );
  return found < 0 ? tokens.length : found;
}

/** `f(a, b=1)` becomes `f(a, ...__kw({b:1}, f, 1))`: what is called, and after how many arguments. */
function keywordEditsOf(tokens: readonly Token[], open: number): Edit[] {
  const close = closingOf(tokens, open);
  const depth = tokens[open]!.depth + 1;
  const edits: Edit[] = [];
  const positional: Token[] = [];
  let startOfArgument = open + 1;
  for (let at = open + 1; at <= close; at += 1) {
    const isEnd = at === close || (tokens[at]?.text === ',' && tokens[at]?.depth === depth);
    if (!isEnd) continue;
    if (at > startOfArgument) {
      addArgument(tokens, startOfArgument, edits);
      if (edits.length === 0) positional.push(tokens[startOfArgument]!);
    }
    startOfArgument = at + 1;
  }
  const last = tokens[close - 1];
  if (edits.length > 0 && last !== undefined) {
    const callee = calleeBefore(tokens, open, positional);
    edits.push({ at: last.text === ',' ? last.start : last.end, length: 0, text: `}${callee})` });
  }
  return edits;
}

/** A plain path such as `walbc.stop`, which can be named a second time; '' for anything else. */
function calleeBefore(
  tokens: readonly Token[],
  open: number,
  positional: readonly Token[],
): string {
  let path = '';
  for (let at = open - 1; tokens[at]?.kind === 'word'; at -= 2) {
    path = tokens[at]!.text + path;
    const before = tokens[at - 1]?.text;
    // How many a spread is nobody knows yet.
    const isCounted = positional.every(({ text }) => text !== '...');
    if (before !== '.')
      return before === '?.' || !isCounted ? '' : `, ${path}, ${positional.length}`;
    path = `.${path}`;
  }
  return '';
}

function addArgument(tokens: readonly Token[], first: number, edits: Edit[]): void {
  const name = tokens[first]!;
  const equals = tokens[first + 1];
  if (name.kind === 'word' && equals?.text === '=') {
    if (edits.length === 0)
      edits.push({ at: name.start, length: 0, text: `...${KEYWORDS_FUNCTION}({` });
    edits.push({ at: equals.start, length: 1, text: ':' });
  } else if (edits.length > 0) {
    throw new SyntaxError(`positional argument after keyword argument, at '${name.text}'`);
  }
}
