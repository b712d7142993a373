/** A text of Python as a script of JavaScript. */

import { alignLines, Context, type TranslateMode } from './context.ts';
import { expression } from './expressions.ts';
import { checkLayout } from './layout-check.ts';
import { lex } from './lexer.ts';
import { printCalls } from './print-statement.ts';
import { block, statements } from './statements.ts';
import { childrenOf } from './tree.ts';

const TRANSLATORS = { expression, block };

/** A runbook is some thousand lines; a file that was named by mistake is not translated. */
const MAX_LENGTH = 4 * 1024 * 1024;

/**
 * The script's value is a function that takes the runtime (runtime/runtime.ts) and runs the text. Every
 * statement stands on the line it has in the source, in functions of the names it has there with a `$`
 * in front. Throws PythonSyntaxError with the place.
 */
export function translatePython(
  source: string,
  file: string,
  mode: TranslateMode = 'script',
): string {
  const text = source.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n');
  if (text.length > MAX_LENGTH)
    new Context('', file, mode, TRANSLATORS).fail(0, 'the text is too long');
  const control = /(?![\t\n\v\f\r\u0080-\u009f])\p{Cc}/u.exec(text);
  if (control !== null)
    new Context(text, file, mode, TRANSLATORS).fail(control.index, 'invalid control character');
  const first = lex(text);
  checkLayout(first, text, file);
  const cx = new Context(printCalls(text, first), file, mode, TRANSLATORS);
  const code = statements(cx, childrenOf(cx.source.parse()));
  return alignLines(`(function $$module(py) { "use strict"; ${cx.declare}${code} })`);
}
