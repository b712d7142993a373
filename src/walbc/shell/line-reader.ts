/** One short line from a terminal in raw mode: the answer to a question. */

/** An answer is a word; whatever leans on the keyboard is not kept. */
const MAX_LINE = 80;

const CTRL_C = '\x03';
const CTRL_D = '\x04';
const ERASERS = ['\x7f', '\b'];

export class LineReader {
  /** What was typed before Return; undefined when the question was left. */
  readonly line: Promise<string | undefined>;
  readonly #show: (text: string) => void;
  readonly #done: (line: string | undefined) => void;
  #typed = '';
  #isDone = false;

  /** `show` prints what is typed. */
  constructor(show: (text: string) => void) {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.line = promise;
    this.#done = resolve;
    this.#show = show;
  }

  /** Keys as the terminal sends them. */
  take(keys: string): void {
    for (const key of keys) this.#takeKey(key);
  }

  #takeKey(key: string): void {
    if (key === '\r' || key === '\n') this.#end(this.#typed, '\r\n');
    else if (key === CTRL_C) this.#end(undefined, '^C\r\n');
    else if (key === CTRL_D) this.#end(undefined, '\r\n');
    else if (ERASERS.includes(key)) this.#erase();
    else if (key >= ' ' && this.#typed.length < MAX_LINE) {
      this.#typed += key;
      this.#show(key);
    }
  }

  /** The question is not wanted any more. */
  leave(): void {
    this.#end(undefined, '\r\n');
  }

  #erase(): void {
    if (this.#typed === '') return;
    this.#typed = this.#typed.slice(0, -1);
    this.#show('\b \b');
  }

  #end(line: string | undefined, text: string): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#show(text);
    this.#done(line);
  }
}
