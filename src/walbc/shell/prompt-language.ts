/**
 * The two languages at the prompt: `.python` and `.typescript` switch. In Python mode a block is typed
 * as in Python's own prompt: `...` before each further line, indented as the one before suggests, and an
 * empty line at the end.
 */
import type { Key } from 'node:readline';
import type { REPLServer } from 'node:repl';
import type { Language } from './protocol.ts';

const PROMPTS: Readonly<Record<Language, string>> = { typescript: 'walbc> ', python: 'python> ' };
const CONTINUED = '... ';
/** Blanks of a level, as the prompt writes them. */
const INDENT = 4;

export class PromptLanguage {
  #language: Language;
  /** Lines of a Python block so far. */
  #pending = '';
  #server: REPLServer | undefined;

  constructor(language: Language) {
    this.#language = language;
  }

  get language(): Language {
    return this.#language;
  }

  get prompt(): string {
    return PROMPTS[this.#language];
  }

  attach(server: REPLServer): void {
    this.#server = server;
    for (const [language, help] of [
      ['python', 'Input is Python from now on'],
      ['typescript', 'Input is TypeScript from now on'],
    ] as const) {
      server.defineCommand(language, {
        help,
        action: () => {
          this.#language = language;
          this.reset();
          server.displayPrompt();
        },
      });
    }
    this.#outdentByBackspace(server);
    // Ctrl-C drops the block as well; the editor itself drops the line, after this.
    server.prependListener('SIGINT', () => this.reset());
  }

  /** Where a Python line is only blanks so far, Backspace takes a level of them. */
  #outdentByBackspace(server: REPLServer): void {
    const editor = server as REPLServer & { _ttyWrite: (text: string, key?: Key) => void };
    const write = editor._ttyWrite.bind(editor);
    // Without a key it is text that the program writes into the line.
    editor._ttyWrite = (text, key) => {
      const before = server.line.slice(0, server.cursor);
      const isOutdent =
        this.#language === 'python' && key?.name === 'backspace' && /^ +$/.test(before);
      const count = isOutdent && !key.ctrl && !key.meta ? ((before.length - 1) % INDENT) + 1 : 1;
      for (let left = count; left > 0; left -= 1) write(text, key);
    };
  }

  /** The whole text so far, with the line just typed. */
  textWith(line: string): string {
    return this.#pending + line;
  }

  /** Python goes on in the next line. */
  goOn(text: string): void {
    this.#pending = text;
    this.#server?.setPrompt(CONTINUED);
  }

  reset(): void {
    this.#pending = '';
    this.#server?.setPrompt(this.prompt);
  }
}
