/** The Python mode of the shell: one machine over the shell's global names, in the worker thread. */
import type { CompletionScope } from '../complete.ts';
import { type Help, namesOf as libraryNamesOf } from '../help.ts';
import { checkInterrupt } from '../interruptible.ts';
import type { EvaluateMode } from '../protocol.ts';
import type { ShowOptions } from '../table.ts';
import { displayPython } from './display.ts';
import { GlobalNames } from './global-names.ts';
import { needsMore, nextIndent } from './incomplete.ts';
import { PythonMachine } from './machine.ts';
import { attributeOr, namesOf } from './runtime/attributes.ts';
import { docOf, parametersOf } from './runtime/functions.ts';
import { describePython } from './traceback.ts';

export interface ShellPythonOptions {
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  readonly show: () => ShowOptions;
  readonly sleep: (seconds: number) => void;
  readonly help: Help;
  readonly argv: readonly string[];
  /** Names that Node itself brings along. */
  readonly ambient: ReadonlySet<string>;
  /** What the shell defined for the TypeScript mode, by name. */
  readonly originals: ReadonlyMap<string, unknown>;
}

const KEYWORDS =
  'and assert break class continue def del elif else except finally for from global if import in is lambda not or pass raise return try while with'.split(
    ' ',
  );

export class ShellPython {
  readonly #options: ShellPythonOptions;
  readonly #names: GlobalNames;
  readonly #machine: PythonMachine;
  #file = '';
  #inputs = 0;

  constructor(options: ShellPythonOptions) {
    this.#options = options;
    const { write, writeError, ambient, originals } = options;
    this.#names = new GlobalNames({
      globals: globalThis,
      ambient,
      originals,
      isBuiltin: (name) => Object.hasOwn(this.#machine.builtins, name),
    });
    this.#machine = new PythonMachine({
      names: this.#names,
      write,
      writeError,
      clock: { now: Date.now, sleep: options.sleep },
      argv: () => [this.#file, ...options.argv],
      tick: checkInterrupt,
      echo: (value) => this.echo(value),
      help: (value) => write(`${this.#about(value)}\n`),
      dir: (value) => (value === undefined ? this.#names.all().sort() : publicNames(value)),
    });
  }

  /** Blanks for the next line when the text goes on there; undefined when it is whole. */
  goesOn(code: string): string | undefined {
    return needsMore(code) ? nextIndent(code) : undefined;
  }

  /** Translates a text; what is returned runs it. Throws PythonSyntaxError. */
  prepare(code: string, file: string, mode: EvaluateMode): () => void {
    this.#inputs += 1;
    // Lines of the prompt are told apart in tracebacks.
    this.#file = mode === 'prompt' ? '' : file;
    const run = this.#machine.prepare(
      code,
      mode === 'prompt' ? `<input ${this.#inputs}>` : file,
      mode,
    );
    return () => {
      const value = run();
      if (mode === 'command') this.echo(value);
    };
  }

  /** Prints a result, and keeps it in `_`. */
  echo(value: unknown): void {
    const text = displayPython(value, this.#options.show());
    if (text !== '') this.#options.write(`${text}\n`);
    if (value !== undefined && value !== null) this.#names.set('_', value);
  }

  describe(thrown: unknown, mode: EvaluateMode): string {
    return describePython(thrown, mode === 'prompt');
  }

  /** What Tab looks up. */
  completionScope(): CompletionScope {
    const names = [...this.#names.all(), ...Object.keys(this.#machine.builtins)];
    const globals = Object.fromEntries(
      names.map((name) => [name, this.#names.get(name) ?? this.#machine.builtins[name]]),
    );
    return {
      globals,
      ambient: new Set(Object.keys(this.#machine.builtins)),
      help: this.#options.help,
      keywords: KEYWORDS,
      members: (value) => namesOf(value) ?? libraryNamesOf(value),
      attribute: (value, name) => attributeOr(value, name, undefined),
    };
  }

  #about(value: unknown): string {
    const isOwn = parametersOf(value) !== undefined;
    const doc = docOf(value);
    const text = this.#options.help.about(value);
    return isOwn && doc !== undefined ? `${text.split('\n')[0]}\n\n    ${doc.trim()}` : text;
  }
}

function publicNames(value: unknown): string[] {
  return libraryNamesOf(value).filter((name) => !name.startsWith('_'));
}
