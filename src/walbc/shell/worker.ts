/**
 * The worker thread: here runs what the operator types. Its global scope holds the names of the
 * library, the servers of the layout and the operator's own variables.
 */
import { Console } from 'node:console';
import { createRequire, isBuiltin } from 'node:module';
import { Writable } from 'node:stream';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { type BookCodec, bookNames } from './book-names.ts';
import { BridgeCaller } from './bridge-caller.ts';
import { sleep } from './builtins.ts';
import { callableClass, keyedFunction } from './callable-class.ts';
import { type CompletionScope, complete, hintAt } from './complete.ts';
import { describeError } from './describe-error.ts';
import { Evaluator } from './evaluate.ts';
import { Help, namesOf } from './help.ts';
import { shareScriptState } from './interruptible.ts';
import { acceptingKeywords, keywordsFor } from './keywords.ts';
import type { WorkerLibrary } from './library-names.ts';
import { printer } from './printer.ts';
import type { FromWorker, Setup, ToWorker, WorkerData } from './protocol.ts';
import type { ShellPython } from './python/shell-python.ts';
import { parametersOf } from './remote-shape.ts';
import { nameSignature } from './signature.ts';
import { KEYWORDS_FUNCTION } from './source.ts';
import { StandIns } from './stand-ins.ts';
import { decode, encodeError, type ValueClass } from './wire.ts';

/** Completion may ask a server; the operator is typing and does not wait for longer. */
const COMPLETION_MS = 700;

const data = workerData as WorkerData;
const port = parentPort as MessagePort;
const post = (message: FromWorker): void => port.postMessage(message);
const { library } = (await import(data.libraryUrl)) as { library: WorkerLibrary };
const shared = new Int32Array(data.shared);
shareScriptState(shared);
const caller = new BridgeCaller(post, data.replies as MessagePort, shared);
const standIns = new StandIns(caller, library.classes, (handle) =>
  post({ type: 'release', handle }),
);
const write = printer(
  (text) => post({ type: 'print', text }),
  () => standIns.request({ kind: 'drain' }),
);
library.printTo?.((line) => write(`${line}\n`));
const look = { columns: 80, colors: false };
const ambient = new Set(Object.getOwnPropertyNames(globalThis));
/** Functions that the shell brings along; all others are the operator's. */
const ofShell = new WeakSet<object>();
const help = new Help(library.docs);
/** What the shell defines for the TypeScript mode, where Python may have its own. */
const ofTypeScript = new Map<string, unknown>();
/** Of the TypeScript mode, which keeps values as they are, until Python is loaded. */
const codec: BookCodec = { pack: (value) => value, unpack: (kept) => kept };
let argv: readonly string[] = [];
let loading: Promise<ShellPython> | undefined;
let loaded: ShellPython | undefined;

/** The Python mode; its modules are loaded only when it is used. */
async function loadPython(): Promise<ShellPython> {
  const { ShellPython } = await import('./python/shell-python.ts');
  Object.assign(codec, await import('./python/kept.ts'));
  loaded = new ShellPython({
    write,
    writeError: (text) => void process.stderr.write(text),
    show: () => look,
    sleep,
    help,
    argv,
    ambient,
    originals: ofTypeScript,
  });
  return loaded;
}

function python(): Promise<ShellPython> {
  loading ??= loadPython();
  return loading;
}

const evaluator = new Evaluator({
  write,
  show: () => look,
  python,
});
const scope: CompletionScope = { globals: globalThis, ambient, help };
/** What `require('walb-ts')` of a runbook gives: the same names, whose calls block. */
const packageNames: Record<string, unknown> = {};

function setUp(setup: Setup): void {
  Object.assign(look, { columns: setup.columns, colors: setup.colors });
  for (const [name, cls] of Object.entries(library.classes)) {
    keyMethods(name, cls);
    define(name, callableClass(name, cls, parametersOf(cls)));
  }
  for (const [name, value] of Object.entries(library.names))
    define(name, keyedFunction(name, value));
  for (const shape of setup.remotes)
    define(shape.name, callableClass(shape.name, standIns.define(shape), shape.params));
  for (const [name, value] of Object.entries(setup.globals)) define(name, decode(value, standIns));
  argv = setup.argv;
  defineShellNames(setup.argv);
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    const value: unknown = Reflect.get(globalThis, name);
    if (!ambient.has(name)) ofTypeScript.set(name, value);
    if (typeof value === 'function' && !ambient.has(name)) ofShell.add(value);
  }
}

function define(name: string, value: unknown): void {
  packageNames[name] = value;
  Reflect.set(globalThis, name, value);
}

/** Methods of value classes take keyword arguments too. */
function keyMethods(className: string, cls: ValueClass): void {
  const prototype = cls.prototype as object;
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    const method: unknown = descriptor.value;
    if (name === 'constructor' || typeof method !== 'function') continue;
    const signature = { className, name, params: parametersOf(method) };
    const value = acceptingKeywords(method as () => unknown, signature);
    Object.defineProperty(prototype, name, {
      ...descriptor,
      value: nameSignature(value, signature),
    });
  }
}

function defineShellNames(argv: readonly string[]): void {
  const require = requireFrom(`${process.cwd()}/`);
  Object.assign(globalThis, {
    // Compiled modules and what is pasted from them refer to these.
    exports: {},
    module: { exports: {} },
    require,
    argv: [...argv],
    ...bookNames((event) => standIns.request({ kind: 'book', event }), library.classes, codec),
    console: new Console(
      new Writable({ write: (chunk, _, done) => done(void write(String(chunk))) }),
    ),
    help: (value?: unknown) => write(`${help.about(value)}\n`),
    dir: (value: unknown = globalThis) =>
      value === globalThis
        ? Object.keys(globalThis).filter((name) => !ambient.has(name) && !name.startsWith('__'))
        : namesOf(value).filter((name) => !name.startsWith('_')),
    printL: (list: Iterable<unknown>) => {
      for (const item of list) write(`${item}\n`);
    },
  });
  for (const [name, value] of Object.entries({
    [KEYWORDS_FUNCTION]: (values: Record<string, unknown>, callee?: unknown, count = 0) =>
      keywordsFor(values, callee, count, (fn) => ofShell.has(fn)),
    __default: (module: { default?: unknown } & object) => module.default ?? module,
  })) {
    Object.defineProperty(globalThis, name, { value, enumerable: false });
  }
}

/** `require` of a runbook: the package itself is the shell's names, everything else is Node's. */
function requireFrom(file: string): NodeJS.Require {
  const original = createRequire(file);
  const require = (name: string): unknown => {
    if (name === 'walb-ts') return packageNames;
    return isBuiltin(name) ? process.getBuiltinModule(name) : (original(name) as unknown);
  };
  return Object.assign(require, original);
}

let evaluating: number | undefined;

port.on('message', async (message: ToWorker) => {
  switch (message.type) {
    case 'setup':
      try {
        setUp(message.setup);
        post({ type: 'set-up', id: message.id });
      } catch (thrown) {
        post({ type: 'set-up', id: message.id, error: encodeError(thrown) });
      }
      break;
    case 'evaluate': {
      look.columns = message.columns;
      const { id, code, file, mode, language } = message;
      if (file.startsWith('/')) Reflect.set(globalThis, 'require', requireFrom(file));
      evaluating = id;
      post({ type: 'evaluated', id, outcome: await evaluator.run(code, file, mode, language) });
      break;
    }
    case 'complete': {
      // Where it can not be loaded the input says so; what is typed must not wait for it.
      if (message.language === 'python') await python().catch(() => {});
      const offer = standIns.withLimit(COMPLETION_MS, () => completeQuietly(message));
      post({ type: 'completed', id: message.id, completions: offer });
      break;
    }
    case 'interrupt':
      if (message.id === evaluating) evaluator.interrupt();
  }
});

function completeQuietly({
  line,
  hintOnly,
  language,
}: Extract<ToWorker, { type: 'complete' }>): ReturnType<typeof complete> {
  try {
    const within = language === 'python' ? (loaded?.completionScope() ?? scope) : scope;
    return hintOnly === true ? hintAt(line, within) : complete(line, within);
  } catch {
    return { matches: [], typed: '' };
  }
}

/** A promise or timer of the operator's code that fails with nobody waiting for it. */
const report = (thrown: unknown): void => write(`${describeError(thrown)}\n`);
process.on('unhandledRejection', report);
process.on('uncaughtException', report);

post({ type: 'ready' });
