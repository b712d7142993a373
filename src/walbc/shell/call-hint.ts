/**
 * While a call is typed: its signature and what it does, below the line, as soon as `(` or `,` is
 * typed. It goes when the call is closed, the line is left or edited otherwise.
 *
 * The two lines are drawn under the cursor by relative moves, as Node's own previews are, so nothing of
 * them is left when the screen scrolls. They are shown only with the cursor at the end of a line that
 * does not wrap.
 */
import type { EventEmitter } from 'node:events';

/** Of Node's line editor, what is needed here. */
export interface EditedLine {
  readonly line: string;
  readonly cursor: number;
  getCursorPos(): { readonly rows: number; readonly cols: number };
}

export interface CallHintOptions {
  /** Emits `keypress`; the editor listens to it already. */
  readonly keys: EventEmitter;
  readonly editor: EditedLine;
  readonly output: NodeJS.WritableStream & { readonly columns?: number };
  /** Signature and summary of the innermost call that the line ends in. */
  readonly ask: (line: string) => Promise<CallHintText | undefined>;
}

export interface CallHintText {
  readonly signature: string;
  /** First sentence of its docstring; may be empty. */
  readonly summary: string;
}

interface Key {
  readonly name?: string;
  readonly ctrl?: boolean;
  readonly meta?: boolean;
}

const DEFAULT_COLUMNS = 80;
const ASKS = new Set(['(', ',']);
const DIM = ['\x1b[2m', '\x1b[22m'] as const;

export class CallHint {
  readonly #options: CallHintOptions;
  #isShown = false;
  /** Counts what makes an answer that is still to come useless. */
  #generation = 0;
  /** In a search of the history keys do not go to the line. */
  #isSearching = false;

  constructor(options: CallHintOptions) {
    this.#options = options;
    // Before the editor moves the cursor, and after it has the line.
    options.keys.prependListener('keypress', this.#before);
    options.keys.on('keypress', this.#after);
  }

  detach(): void {
    this.#options.keys.off('keypress', this.#before);
    this.#options.keys.off('keypress', this.#after);
  }

  readonly #before = (text: string | undefined, key: Key): void => {
    const { editor } = this.#options;
    const isEnd = editor.cursor === editor.line.length;
    const fits = editor.getCursorPos().cols + 2 < this.#columns;
    if (!isPlain(text, key) || !isEnd || !fits) {
      this.#generation += 1;
      this.#erase();
    }
    if (key.ctrl === true && (key.name === 'r' || key.name === 's')) this.#isSearching = true;
    else if (!isPlain(text, key)) this.#isSearching = false;
  };

  readonly #after = (text: string | undefined): void => {
    if (text === ')') this.#erase();
    else if (text !== undefined && ASKS.has(text) && !this.#isSearching) void this.#show();
  };

  get #columns(): number {
    return this.#options.output.columns || DEFAULT_COLUMNS;
  }

  async #show(): Promise<void> {
    const { editor, ask } = this.#options;
    const asked = editor.line;
    const generation = this.#generation;
    const found = await ask(asked).catch(() => undefined);
    // Tab, Enter and the like have written below the line, or left it.
    if (generation !== this.#generation) return;
    // What was typed meanwhile may be more of the argument, or the end of it all.
    const more = editor.line.startsWith(asked) ? editor.line.slice(asked.length) : undefined;
    if (more === undefined || editor.line === '' || /[(),]/.test(more)) return;
    if (editor.cursor !== editor.line.length || editor.getCursorPos().rows > 0) return;
    this.#erase();
    if (found !== undefined) this.#draw(found);
  }

  #draw({ signature, summary }: CallHintText): void {
    const { output } = this.#options;
    const lines = [signature, ...(summary === '' ? [] : [summary])].map((line) =>
      line.length < this.#columns ? line : `${line.slice(0, this.#columns - 2)}…`,
    );
    const text = lines.map((line) => `\r\n${DIM[0]}${line}${DIM[1]}\x1b[K`).join('');
    output.write(`${text}\x1b[${lines.length}A${this.#toColumn()}`);
    this.#isShown = true;
  }

  #erase(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#options.output.write(`\x1b[B\r\x1b[J\x1b[A${this.#toColumn()}`);
  }

  #toColumn(): string {
    return `\x1b[${this.#options.editor.getCursorPos().cols + 1}G`;
  }
}

/** A character that goes into the line. */
function isPlain(text: string | undefined, key: Key): boolean {
  return text !== undefined && key.ctrl !== true && key.meta !== true && /^[^\p{Cc}]+$/u.test(text);
}
