/**
 * Python's lexical lines: where statements begin and how deep they are indented, which brackets and
 * strings are open at the end. The grammar (@lezer/python) forgives what Python refuses here, and the
 * prompt must know whether more lines are to come.
 */

export interface LogicalLine {
  /** Offset of the first token. */
  readonly start: number;
  /** Offset after the last token, before a comment. */
  readonly end: number;
  /** Columns before the first token; a tab goes to the next multiple of 8. */
  readonly indent: number;
  /** Ends with a colon outside of brackets: a block follows. */
  readonly opensBlock: boolean;
  /** Places of semicolons outside of brackets and strings. */
  readonly semicolons: readonly number[];
}

export interface Lexed {
  readonly lines: readonly LogicalLine[];
  /** A bracket, a string in three quotes, or a backslash leaves the last line open. */
  readonly isOpen: boolean;
  /** A string that ends with its line without being closed: its offset. */
  readonly cutString: number | undefined;
  readonly comments: readonly { readonly start: number; readonly end: number }[];
}

const STRING = /[rRbBuUfF]{0,2}('''|"""|'|")/y;
const WORD = /[\p{L}\p{N}_]+/uy;

export function lex(source: string): Lexed {
  return new Lexer(source).run();
}

class Lexer {
  readonly #source: string;
  readonly #lines: LogicalLine[] = [];
  readonly #comments: { start: number; end: number }[] = [];
  #at = 0;
  #depth = 0;
  #isOpen = false;
  #cutString: number | undefined;
  #start = -1;
  #end = 0;
  #indent = 0;
  #semicolons: number[] = [];
  #last = '';

  constructor(source: string) {
    this.#source = source;
  }

  run(): Lexed {
    while (this.#at < this.#source.length) this.#step();
    this.#finishLine();
    return {
      lines: this.#lines,
      isOpen: this.#isOpen || this.#depth > 0,
      cutString: this.#cutString,
      comments: this.#comments,
    };
  }

  #step(): void {
    const char = this.#source[this.#at]!;
    if (char === '\n' || char === '\r') {
      if (this.#depth === 0) this.#finishLine();
      this.#at += 1;
    } else if (/[ \t\f]/.test(char)) this.#at += 1;
    else if (char === '#') this.#comment();
    else if (char === '\\' && /^\r?\n/.test(this.#source.slice(this.#at + 1, this.#at + 3))) {
      this.#at += this.#source[this.#at + 1] === '\r' ? 3 : 2;
      if (this.#at >= this.#source.length) this.#isOpen = true;
    } else this.#token(char);
  }

  #comment(): void {
    const start = this.#at;
    const end = this.#source.indexOf('\n', start);
    this.#at = end < 0 ? this.#source.length : end;
    this.#comments.push({ start, end: this.#at });
  }

  #token(char: string): void {
    if (this.#start < 0) this.#begin();
    STRING.lastIndex = this.#at;
    const string = STRING.exec(this.#source);
    if (string !== null) this.#string(string[0].length, string[1]!);
    else if (matchAt(WORD, this.#source, this.#at) > 0) {
      this.#at += matchAt(WORD, this.#source, this.#at);
    } else {
      if ('([{'.includes(char)) this.#depth += 1;
      else if (')]}'.includes(char)) this.#depth = Math.max(0, this.#depth - 1);
      else if (char === ';' && this.#depth === 0) this.#semicolons.push(this.#at);
      this.#at += 1;
    }
    this.#last = char;
    this.#end = this.#at;
  }

  #begin(): void {
    this.#start = this.#at;
    const from = this.#source.lastIndexOf('\n', this.#at - 1) + 1;
    this.#indent = indentOf(this.#source.slice(from, this.#at));
  }

  #string(prefixLength: number, quote: string): void {
    const start = this.#at;
    let at = start + prefixLength;
    for (; at < this.#source.length; at += 1) {
      const char = this.#source[at]!;
      if (char === '\\') at += 1;
      else if (char === '\n' && quote.length === 1) break;
      else if (this.#source.startsWith(quote, at)) {
        this.#at = at + quote.length;
        return;
      }
    }
    this.#at = Math.min(at, this.#source.length);
    if (quote.length === 3) this.#isOpen = true;
    else this.#cutString ??= start;
  }

  #finishLine(): void {
    if (this.#start < 0) return;
    this.#lines.push({
      start: this.#start,
      end: this.#end,
      indent: this.#indent,
      opensBlock: this.#last === ':',
      semicolons: this.#semicolons,
    });
    this.#start = -1;
    this.#semicolons = [];
    this.#last = '';
  }
}

function matchAt(pattern: RegExp, source: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0].length ?? 0;
}

/** Columns of white space. */
export function indentOf(space: string): number {
  let column = 0;
  for (const char of space) column = char === '\t' ? (Math.floor(column / 8) + 1) * 8 : column + 1;
  return column;
}
