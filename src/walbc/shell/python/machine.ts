/**
 * Python over one set of global names: builtins, modules, running texts. Who embeds it says where output
 * goes, what the clock is and where names live.
 */
import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import { PURE_BUILTINS } from './builtins.ts';
import { datetimeModule } from './modules/datetime.ts';
import { open } from './modules/files.ts';
import { mathModule } from './modules/math.ts';
import { osModule, osPath, system } from './modules/os.ts';
import { reModule } from './modules/re.ts';
import { collectionsModule, jsonModule } from './modules/small.ts';
import { leave, sysModule } from './modules/sys.ts';
import { type Clock, timeModule } from './modules/time.ts';
import { attribute, hasAttribute, namesOf } from './runtime/attributes.ts';
import { invoke } from './runtime/calling.ts';
import { lastCaught } from './runtime/catching.ts';
import { exceptionClasses, raise } from './runtime/exceptions.ts';
import { fn } from './runtime/natives.ts';
import { str } from './runtime/repr.ts';
import { createRuntime, type Names, type Runtime } from './runtime/runtime.ts';
import { isNone, PyDict, PyModule } from './runtime/values.ts';
import { describePython, rememberSource } from './traceback.ts';
import type { TranslateMode } from './translate/context.ts';
import { translatePython } from './translate/translate.ts';

export interface MachineOptions {
  readonly names: Names;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  readonly clock: Clock;
  /** `sys.argv`: the script, then its arguments. */
  readonly argv: () => readonly string[];
  /** An expression at the prompt. */
  readonly echo: (value: unknown) => void;
  /** Called at every round of a loop; throws KeyboardInterrupt after Ctrl-C. */
  readonly tick?: () => void;
  /** `help(x)`; without it there is none. */
  readonly help?: (value: unknown) => void;
  /** Names of an object of the library, for `dir(x)`. */
  readonly dir?: (value: unknown) => readonly string[];
}

/** What the library is imported as; its names are there already. */
const LIBRARY = /^(?:walblib|walb|walb_ts)(?:\.|$)/;
/** Modules of Python that do nothing here. */
const EMPTY_MODULES: ReadonlySet<string> = new Set(['__future__', 'typing']);

/** The stack of an exception reaches from the runtime's functions down to the operator's. */
const STACK_DEPTH = 60;

export class PythonMachine {
  /** Functions, types and modules that are there without an import, by name. */
  readonly builtins: Readonly<Record<string, unknown>>;
  readonly #options: MachineOptions;
  readonly #modules: Readonly<Record<string, PyModule>>;
  readonly #runtime: Runtime;
  #result: unknown;

  constructor(options: MachineOptions) {
    this.#options = options;
    const { clock } = options;
    this.#modules = {
      time: timeModule(clock),
      datetime: datetimeModule(clock.now),
      os: osModule(),
      'os.path': osPath,
      sys: sysModule(options, options.argv),
      math: mathModule(),
      re: reModule(),
      traceback: this.#traceback(),
      json: jsonModule(),
      collections: collectionsModule(),
    };
    // The original's library imports these and gives them on with `from walblib import *`.
    const { time, datetime, os, sys } = this.#modules;
    this.builtins = { ...PURE_BUILTINS, ...this.#functions(), time, datetime, os, sys };
    this.#runtime = createRuntime({
      names: this.#names(),
      importer: {
        module: (name, isWhole) => this.#import(name, isWhole),
        member: (name, member) => this.#importMember(name, member),
        all: (name) => this.#importAll(name),
      },
      echo: options.echo,
      tick: options.tick ?? (() => {}),
      result: (value) => {
        this.#result = value;
      },
    });
  }

  /**
   * Runs a text over the names. Returns the value of its last expression where the mode is 'command'.
   * Throws PythonSyntaxError, and whatever the text throws.
   */
  run(source: string, file: string, mode: TranslateMode = 'script'): unknown {
    return this.prepare(source, file, mode)();
  }

  /** Translates; what is returned runs the text. */
  prepare(source: string, file: string, mode: TranslateMode): () => unknown {
    const code = translatePython(source, file, mode);
    rememberSource(file, source);
    const script = new vm.Script(code, { filename: file });
    return () => {
      const limit = Error.stackTraceLimit;
      Error.stackTraceLimit = STACK_DEPTH;
      this.#result = undefined;
      try {
        const run = script.runInThisContext({ displayErrors: false }) as (runtime: Runtime) => void;
        run(this.#runtime);
        return this.#result;
      } finally {
        Error.stackTraceLimit = limit;
      }
    };
  }

  /** The operator's names, then Python's own. */
  #names(): Names {
    const { names } = this.#options;
    return {
      get: (name) => {
        const value = names.get(name);
        return value === undefined && !names.has(name) && Object.hasOwn(this.builtins, name)
          ? this.builtins[name]
          : value;
      },
      has: (name) => names.has(name) || Object.hasOwn(this.builtins, name),
      set: names.set,
      delete: names.delete,
    };
  }

  #import(name: string, isWhole: boolean): unknown {
    if (LIBRARY.test(name)) return this.#library(name);
    const [top = ''] = name.split('.');
    const module = this.#modules[name];
    if (module === undefined) {
      if (EMPTY_MODULES.has(name)) return new PyModule(name, {});
      return this.#noModule(name);
    }
    return isWhole ? this.#modules[top] : module;
  }

  #noModule(name: string): never {
    const known = Object.keys(this.#modules).filter((known) => !known.includes('.'));
    throw new exceptionClasses.ModuleNotFoundError(
      `No module named '${name}'; there are: ${known.join(', ')}`,
    );
  }

  /** `import walblib`: its members are the names of the shell. */
  #library(name: string): PyModule {
    const { names } = this.#options;
    const members = new Proxy({} as Record<string, unknown>, {
      get: (_, member) => (typeof member === 'string' ? names.get(member) : undefined),
      getOwnPropertyDescriptor: (_, member) =>
        typeof member === 'string' && names.has(member)
          ? { configurable: true, enumerable: true, value: names.get(member) }
          : undefined,
    });
    return new PyModule(name, members);
  }

  #importMember(name: string, member: string): unknown {
    const whole = this.#modules[`${name}.${member}`];
    if (whole !== undefined) return whole;
    if (EMPTY_MODULES.has(name)) return undefined;
    const module = this.#import(name, false);
    if (hasAttribute(module, member)) return attribute(module, member);
    throw new exceptionClasses.ImportError(`cannot import name '${member}' from '${name}'`);
  }

  #importAll(name: string): void {
    if (LIBRARY.test(name)) return;
    const module = this.#import(name, false) as PyModule;
    for (const [member, value] of Object.entries(module.members))
      this.#options.names.set(member, value);
  }

  #functions(): Record<string, unknown> {
    const { write, writeError, help } = this.#options;
    const print = (
      sep: unknown,
      end: unknown,
      file: unknown,
      _flush: unknown,
      values: unknown[],
    ): void => {
      const text =
        values.map(str).join(isNone(sep) ? ' ' : str(sep)) + (isNone(end) ? '\n' : str(end));
      if (isNone(file)) write(text);
      else invoke(attribute(file, 'write'), [text]);
    };
    const about = fn('help', 'request=, /', (value?: unknown) => help?.(value));
    return {
      print: fn(
        'print',
        '*values, sep=, end=, file=, flush=',
        print,
        'print(x, ..., sep=" ", end="\\n", file=sys.stdout)',
      ),
      pprint: fn('pprint', '*values, sep=, end=, file=, flush=', print),
      open,
      execfile: fn(
        'execfile',
        'filename, /',
        (path: string) => void this.run(readText(path), path),
      ),
      exit: fn('exit', 'code=, /', (code?: unknown) => leave(code, writeError)),
      quit: fn('quit', 'code=, /', (code?: unknown) => leave(code, writeError)),
      dir: fn('dir', '*object', (given: unknown[]) => this.#dir(given)),
      globals: fn('globals', '', () => this.#globals()),
      printL: fn('printL', 'list, /', (list: Iterable<unknown>) => {
        for (const item of list) write(`${str(item)}\n`);
      }),
      sleep: attribute(this.#modules['time'], 'sleep'),
      __name__: '__main__',
      ...(help === undefined ? {} : { help: about }),
      ...refusals(),
    };
  }

  /** `traceback`: of the exception that is handled now. */
  #traceback(): PyModule {
    const text = (): string => `${describePython(lastCaught(), false)}\n`;
    return new PyModule('traceback', {
      format_exc: fn('format_exc', '', text),
      print_exc: fn('print_exc', 'limit=, file=', (_limit: unknown, file: unknown) => {
        if (isNone(file)) this.#options.writeError(text());
        else invoke(attribute(file, 'write'), [text()]);
      }),
    });
  }

  #dir(given: readonly unknown[]): unknown {
    const [value] = given;
    const { dir = () => [] } = this.#options;
    return given.length > 0 ? (namesOf(value) ?? dir(value)) : dir(undefined);
  }

  #globals(): PyDict {
    const { dir = () => [], names } = this.#options;
    return new PyDict(dir(undefined).map((name) => [name, names.get(name)] as const));
  }
}

function readText(path: string): string {
  return system(() => readFileSync(path, 'utf8'));
}

/** Functions of Python that are not here, and what there is instead. */
const REFUSED: Readonly<Record<string, string>> = {
  input: 'input() is not supported: give arguments to the runbook (sys.argv)',
  raw_input: 'raw_input() is not supported: give arguments to the runbook (sys.argv)',
  eval: 'eval() is not supported',
  exec: 'exec() is not supported; execfile(path) runs a file',
  bytes: 'bytes are not supported; texts are str',
  bytearray: 'bytes are not supported; texts are str',
  complex: 'complex numbers are not supported',
  locals: 'locals() is not supported; globals() is',
  vars: 'vars() is not supported; dir(x) lists names',
  compile: 'compile() is not supported',
  memoryview: 'bytes are not supported; texts are str',
};

function refusals(): Record<string, unknown> {
  const entries = Object.entries(REFUSED).map(([name, text]) => {
    return [name, fn(name, '*args, **kwargs', () => raise('NotImplementedError', text))] as const;
  });
  return Object.fromEntries(entries);
}
