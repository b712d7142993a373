/**
 * Runs what the operator typed, in the worker's global scope, and says how it ended. Ctrl-C works at
 * any moment: see interruptible.ts.
 */
import { pythonNames, SystemExit } from './builtins.ts';
import { type Compiled, compile, IncompleteInput } from './compile.ts';
import { describeError, exitCodeOf } from './describe-error.ts';
import { interruptible, KeyboardInterrupt, polling } from './interruptible.ts';
import { suggestion } from './near-names.ts';
import type { EvaluateMode, Language, Outcome } from './protocol.ts';
import type { ShellPython } from './python/shell-python.ts';
import { isAssignment } from './source.ts';
import { display, type ShowOptions } from './table.ts';

const LEAVE = /^(exit|quit)(\(\s*\))?;?$/;

export interface EvaluatorOptions {
  readonly write: (text: string) => void;
  readonly show: () => ShowOptions;
  /** The Python mode; loaded when it is first used. */
  readonly python: () => Promise<ShellPython>;
}

export class Evaluator {
  readonly #write: (text: string) => void;
  readonly #show: () => ShowOptions;
  readonly #python: () => Promise<ShellPython>;
  /** Ends the wait for a promise of the operator's code. */
  #interruptAsync: (() => void) | undefined;

  constructor({ write, show, python }: EvaluatorOptions) {
    this.#write = write;
    this.#show = show;
    this.#python = python;
    Object.assign(globalThis, pythonNames(write));
  }

  /** Runs one input or one whole script. Never throws. */
  async run(code: string, file: string, mode: EvaluateMode, language: Language): Promise<Outcome> {
    try {
      return await this.#run(code, file, mode, language);
    } catch (thrown) {
      // What was thrown can not even be shown. Whoever waits for the outcome would wait for ever.
      const why = thrown instanceof Error ? thrown.message : typeof thrown;
      return { status: 'failed', exitCode: 1, text: `Error: it can not be shown: ${why}` };
    }
  }

  async #run(code: string, file: string, mode: EvaluateMode, language: Language): Promise<Outcome> {
    if (mode !== 'script' && LEAVE.test(code.trim())) return { status: 'exit', exitCode: 0 };
    if (language === 'python') return await this.#runPython(code, file, mode);
    try {
      const compiled = compile(code, {
        file,
        mayContinue: mode === 'prompt',
        pythonic: !/\.[cm]?[jt]s$/.test(file),
      });
      const value = await this.#valueOf(compiled);
      if (mode !== 'script' && !isAssignment(code)) this.#print(value);
      return { status: 'ok' };
    } catch (thrown) {
      return this.#outcomeOf(thrown, mode === 'prompt' ? undefined : file);
    }
  }

  async #runPython(code: string, file: string, mode: EvaluateMode): Promise<Outcome> {
    const python = await this.#python();
    const indent = mode === 'prompt' ? python.goesOn(code) : undefined;
    if (indent !== undefined) return { status: 'incomplete', indent };
    try {
      const run = python.prepare(code, file, mode);
      if (mode === 'prompt') interruptible(run);
      else polling(run);
      return { status: 'ok' };
    } catch (thrown) {
      if (thrown instanceof SystemExit) return { status: 'exit', exitCode: thrown.exitCode };
      const text = python.describe(thrown, mode);
      return { status: 'failed', exitCode: exitCodeOf(thrown), text };
    }
  }

  /** Ctrl-C while a promise is waited for. */
  interrupt(): void {
    this.#interruptAsync?.();
  }

  async #valueOf({ script, isAsync }: Compiled): Promise<unknown> {
    const value: unknown = interruptible(() => script.runInThisContext({ displayErrors: false }));
    if (!isAsync && !(value instanceof Promise)) return value;
    const interrupted = new Promise<never>((_, reject) => {
      this.#interruptAsync = () => reject(new KeyboardInterrupt(''));
    });
    try {
      return await Promise.race([value, interrupted]);
    } finally {
      this.#interruptAsync = undefined;
    }
  }

  #print(value: unknown): void {
    const text = interruptible(() => display(value, this.#show()));
    if (text !== '') this.#write(`${text}\n`);
    if (value !== undefined && value !== null) Reflect.set(globalThis, '_', value);
  }

  #outcomeOf(error: unknown, file: string | undefined): Outcome {
    if (error instanceof IncompleteInput) return { status: 'incomplete' };
    if (error instanceof SystemExit) return { status: 'exit', exitCode: error.exitCode };
    const text = `${describeError(error, file)}${suggestion(error)}`;
    return { status: 'failed', exitCode: exitCodeOf(error), text };
  }
}
