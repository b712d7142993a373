/**
 * A tokenizer for what is typed at the prompt: enough of JavaScript's and TypeScript's lexical rules
 * to know where strings, comments and brackets are. It never throws; what is cut off is reported.
 */

export interface Token {
  readonly kind: 'word' | 'number' | 'string' | 'regex' | 'punctuation';
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Brackets open around the token. */
  readonly depth: number;
  /** A line break comes before it. */
  readonly startsLine: boolean;
}

export interface Tokens {
  readonly tokens: readonly Token[];
  /** Comments in Python's form, which JavaScript does not know. */
  readonly hashComments: readonly { readonly start: number; readonly end: number }[];
  /** Brackets, a template, or a comment are still open at the end. */
  readonly isOpen: boolean;
}

const WORD = /[\p{L}\p{N}_$\u200c\u200d]+/uy;
const NUMBER = /0[xXbBoO][\da-fA-F_]+n?|(?:\d[\d_]*)?\.?\d[\d_]*(?:[eE][+-]?\d+)?n?/y;
const OPERATOR =
  /=>|===?|!==?|<=|>=|&&=?|\|\|=?|\?\?=?|\?\.|\*\*=?|\+\+|--|\+=|-=|\*=|\/=|%=|\.\.\.|[\s\S]/uy;
const CLOSES: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };
/** After these words a slash begins a regular expression. */
const BEFORE_REGEX = new Set(['return', 'typeof', 'case', 'in', 'of', 'delete', 'void', 'throw']);

export function tokenize(source: string): Tokens {
  return new Scanner(source).scan();
}

class Scanner {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  readonly #hashComments: { start: number; end: number }[] = [];
  readonly #brackets: string[] = [];
  #at = 0;
  #isCut = false;
  #startsLine = true;

  constructor(source: string) {
    this.#source = source;
  }

  scan(): Tokens {
    while (this.#at < this.#source.length) this.#step();
    return {
      tokens: this.#tokens,
      hashComments: this.#hashComments,
      isOpen: this.#isCut || this.#brackets.length > 0,
    };
  }

  #step(): void {
    const char = this.#source[this.#at]!;
    const next = this.#source[this.#at + 1];
    if (/\s/.test(char)) {
      if (char === '\n') this.#startsLine = true;
      this.#at += 1;
    } else if (char === '/' && next === '/') this.#skipLine();
    else if (char === '/' && next === '*') this.#skipComment();
    else if (char === '#' && (next === undefined || /[\s!#-]/.test(next))) this.#hashComment();
    else if (char === "'" || char === '"') this.#push('string', this.#quoted(char));
    else if (char === '`') this.#push('string', this.#template());
    else if (char === '/' && this.#mayBeRegex()) this.#push('regex', this.#regex());
    else if (/\d/.test(char) || (char === '.' && /\d/.test(next ?? '')))
      this.#match('number', NUMBER);
    else if (/[\p{L}_$]/u.test(char)) this.#match('word', WORD);
    else this.#punctuation();
  }

  #push(kind: Token['kind'], end: number): void {
    const text = this.#source.slice(this.#at, end);
    this.#tokens.push({
      kind,
      start: this.#at,
      end,
      text,
      depth: this.#brackets.length,
      startsLine: this.#startsLine,
    });
    this.#startsLine = false;
    this.#at = end;
  }

  #match(kind: Token['kind'], pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    const length = pattern.exec(this.#source)?.[0].length ?? 1;
    this.#push(kind, this.#at + length);
  }

  #punctuation(): void {
    const char = this.#source[this.#at]!;
    const opened = CLOSES[char];
    if (opened !== undefined) {
      if (this.#brackets.at(-1) === opened) this.#brackets.pop();
      this.#push('punctuation', this.#at + 1);
    } else if ('([{'.includes(char)) {
      this.#push('punctuation', this.#at + 1);
      this.#brackets.push(char);
    } else this.#match('punctuation', OPERATOR);
  }

  #mayBeRegex(): boolean {
    const last = this.#tokens.at(-1);
    if (last === undefined) return true;
    if (last.kind === 'punctuation') return !')]}'.includes(last.text);
    return last.kind === 'word' && BEFORE_REGEX.has(last.text);
  }

  #skipLine(): void {
    const end = this.#source.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#source.length : end;
  }

  #hashComment(): void {
    const start = this.#at;
    this.#skipLine();
    this.#hashComments.push({ start, end: this.#at });
  }

  #skipComment(): void {
    const end = this.#source.indexOf('*/', this.#at + 2);
    this.#isCut ||= end < 0;
    this.#at = end < 0 ? this.#source.length : end + 2;
  }

  /** Index after the closing quote; a line end closes a string that is cut off. */
  #quoted(quote: string): number {
    for (let at = this.#at + 1; at < this.#source.length; at += 1) {
      const char = this.#source[at];
      if (char === '\\') at += 1;
      else if (char === quote) return at + 1;
      else if (char === '\n') return at;
    }
    return this.#source.length;
  }

  #regex(): number {
    let inClass = false;
    for (let at = this.#at + 1; at < this.#source.length; at += 1) {
      const char = this.#source[at];
      if (char === '\n') return at;
      if (char === '\\') at += 1;
      else if (char === '[') inClass = true;
      else if (char === ']') inClass = false;
      else if (char === '/' && !inClass) {
        WORD.lastIndex = at + 1;
        return at + 1 + (WORD.exec(this.#source)?.[0].length ?? 0);
      }
    }
    return this.#source.length;
  }

  /** Index after the closing backquote. What is inside `${}` is skipped, strings and templates too. */
  #template(): number {
    let at = this.#at + 1;
    const open: string[] = ['`'];
    for (; at < this.#source.length; at += 1) {
      const char = this.#source[at]!;
      const inText = open.at(-1) === '`';
      if (char === '\\') at += 1;
      else if (char === '`') {
        if (inText) open.pop();
        else open.push('`');
        if (open.length === 0) return at + 1;
      } else if (inText && char === '$' && this.#source[at + 1] === '{') {
        open.push('{');
        at += 1;
      } else if (!inText && char === '{') open.push('{');
      else if (!inText && char === '}') open.pop();
    }
    this.#isCut = true;
    return this.#source.length;
  }
}
