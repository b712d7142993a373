/**
 * One shell: the worker thread with the operator's names, and the calls it makes. What sits in front of
 * it (prompt, script, runbook) sends text and gets outcomes.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import { WalbError } from '../../core/index.ts';
import type { Guard } from '../safety/guard.ts';
import { BridgeHost, type BridgeOptions, type RunningCall } from './bridge-host.ts';
import { INTERRUPTED_EXIT } from './describe-error.ts';
import type { MainLibrary } from './main-library.ts';
import {
  type BookEvent,
  type Completions,
  type EvaluateMode,
  type FromWorker,
  INTERRUPT,
  type Language,
  type Outcome,
  SCRIPT,
  ScriptState,
  SHARED_WORDS,
  type ToWorker,
  WAKE,
  type WorkerData,
} from './protocol.ts';
import { decodeError } from './wire.ts';

export interface SessionOutput {
  write(text: string): void;
  /** Resolves when what was written has left the process. */
  drained(): Promise<void>;
  readonly columns: number;
  readonly colors: boolean;
}

export interface SessionOptions {
  readonly library: MainLibrary;
  readonly output: SessionOutput;
  /** Variables that are there from the start. */
  readonly globals: Readonly<Record<string, unknown>>;
  readonly argv?: readonly string[];
  readonly onStart?: (call: RunningCall) => void;
  readonly onEnd?: (call: RunningCall) => void;
  readonly goesOn?: (call: RunningCall) => Promise<string>;
  /** What every call passes: questions, dry runs, the audit log. */
  readonly guard?: Guard;
  /** Steps and questions of a runbook. */
  readonly onBook?: (event: BookEvent) => unknown;
}

/** A thread that has been given code is in it within this. */
const AGAIN_MS = 30;
/** Python's code notices Ctrl-C within this, unless one call of a builtin takes longer. */
const NOTICE_MS = 700;

/** A file of Python is known by its name; everything else is TypeScript unless it is said. */
function languageOf(file: string): Language {
  return file.endsWith('.py') ? 'python' : 'typescript';
}

type Answer = Extract<FromWorker, { readonly type: 'evaluated' | 'completed' | 'set-up' }>;

export class ShellSession {
  readonly #options: SessionOptions;
  readonly #worker: Worker;
  readonly #host: BridgeHost;
  readonly #shared: Int32Array;
  readonly #waiting = new Map<number, PromiseWithResolvers<Answer>>();
  readonly #ready = Promise.withResolvers<void>();
  #nextId = 1;
  /** Why the thread is gone. */
  #failure: WalbError | undefined;
  /** The evaluation under way. */
  #evaluating: number | undefined;
  /** How it is run. */
  #manner: { readonly mode: EvaluateMode; readonly language: Language } | undefined;
  readonly #otherHandlers: NodeJS.SignalsListener[];
  readonly #onSigint = (): void => this.interrupt();

  private constructor(options: SessionOptions) {
    this.#options = options;
    const { port1, port2 } = new MessageChannel();
    const shared = new SharedArrayBuffer(4 * SHARED_WORDS);
    this.#shared = new Int32Array(shared);
    const workerData: WorkerData = {
      libraryUrl: options.library.url.href,
      shared,
      replies: port2,
    };
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
      workerData,
      transferList: [port2],
      name: 'walbc-shell',
    });
    port1.unref();
    this.#host = new BridgeHost(port1, this.#shared, {
      classes: options.library.classes,
      remotes: options.library.remotes,
      ...(options.onStart === undefined ? {} : { onStart: options.onStart }),
      ...(options.onEnd === undefined ? {} : { onEnd: options.onEnd }),
      goesOn: (call) => this.#interrupted(call),
      drain: () => options.output.drained(),
      ...guarding(options.guard),
      ...(options.onBook === undefined ? {} : { onBook: options.onBook }),
    });
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#ended(code));
    // A SIGINT from outside, while no code runs that takes it, must not end what embeds the shell.
    this.#otherHandlers = process.listeners('SIGINT');
    process.removeAllListeners('SIGINT');
    process.on('SIGINT', this.#onSigint);
  }

  /** Starts the worker and defines the names. */
  static async start(options: SessionOptions): Promise<ShellSession> {
    const session = new ShellSession(options);
    try {
      await session.#ready.promise;
      await session.#setUp();
      return session;
    } catch (thrown) {
      await session.close();
      throw thrown;
    }
  }

  /** Runs one input, or a whole script. */
  async evaluate(
    code: string,
    file: string,
    mode: EvaluateMode,
    language: Language = languageOf(file),
  ): Promise<Outcome> {
    const { columns } = this.#options.output;
    this.#options.guard?.beginInput();
    const answer = await this.#ask((id) => {
      this.#evaluating = id;
      this.#manner = { mode, language };
      Atomics.store(this.#shared, INTERRUPT, 0);
      return { type: 'evaluate', id, code, file, mode, language, columns };
    });
    this.#evaluating = undefined;
    this.#rearm();
    // Calls that were cut off between two messages are not waited for by anybody.
    this.#host.forget();
    if (answer.type !== 'evaluated') throw new WalbError('internal', 'wrong answer of the worker');
    return answer.outcome;
  }

  async complete(line: string, language: Language = 'typescript'): Promise<Completions> {
    const answer = await this.#ask((id) => ({ type: 'complete', id, line, language }));
    if (answer.type !== 'completed') throw new WalbError('internal', 'wrong answer of the worker');
    return answer.completions;
  }

  /** Signature and summary of the call that the end of the line is in. */
  async hint(line: string, language: Language = 'typescript'): Promise<string | undefined> {
    const answer = await this.#ask((id) => ({
      type: 'complete',
      id,
      line,
      hintOnly: true,
      language,
    }));
    return answer.type === 'completed' ? answer.completions.hint : undefined;
  }

  /**
   * Ctrl-C: ends what the operator's code is doing. Code that runs or waits for a call gets a SIGINT;
   * where it waits for a promise, that wait ends. Nothing happens when there is no code under way.
   */
  interrupt(): void {
    const id = this.#evaluating;
    if (id === undefined) return;
    if (this.#manner?.language === 'python') this.#tell(id);
    else this.#end(id);
  }

  /** Ends code by a signal, as soon as it is where a signal ends it. */
  #end(id: number): void {
    if (this.#evaluating !== id || this.#signal()) return;
    this.#post({ type: 'interrupt', id });
    // Or it is just about to begin, or to end.
    setTimeout(() => this.#end(id), AGAIN_MS);
  }

  /** Python's code is told, and throws where it is; where it does not listen it is ended. */
  #tell(id: number): void {
    Atomics.store(this.#shared, INTERRUPT, 1);
    Atomics.add(this.#shared, WAKE, 1);
    Atomics.notify(this.#shared, WAKE);
    setTimeout(() => {
      const isHeard = Atomics.load(this.#shared, INTERRUPT) === 0;
      if (isHeard || this.#evaluating !== id) return;
      if (this.#manner?.mode === 'prompt') {
        Atomics.store(this.#shared, INTERRUPT, 0);
        this.#end(id);
      } else this.#giveUp(id);
    }, NOTICE_MS);
  }

  /** A script that does not listen ends here; its thread ends with the session. */
  #giveUp(id: number): void {
    const outcome = {
      status: 'failed',
      exitCode: INTERRUPTED_EXIT,
      text: 'KeyboardInterrupt',
    } as const;
    this.#waiting.get(id)?.resolve({ type: 'evaluated', id, outcome });
    this.#waiting.delete(id);
  }

  /** Sends SIGINT to ourselves if the operator's code is where it takes effect. */
  #signal(): boolean {
    const { inside, signalling, signalled } = ScriptState;
    if (Atomics.compareExchange(this.#shared, SCRIPT, inside, signalling) !== inside) {
      return Atomics.load(this.#shared, SCRIPT) === signalled;
    }
    process.kill(process.pid, 'SIGINT');
    Atomics.store(this.#shared, SCRIPT, signalled);
    Atomics.notify(this.#shared, SCRIPT);
    return true;
  }

  /** The end of an interruptible script takes the handlers of the whole process away. */
  #rearm(): void {
    process.off('SIGINT', this.#onSigint);
    process.on('SIGINT', this.#onSigint);
  }

  async close(): Promise<void> {
    process.off('SIGINT', this.#onSigint);
    for (const handler of this.#otherHandlers.splice(0)) process.on('SIGINT', handler);
    this.#worker.removeAllListeners('exit');
    await this.#worker.terminate();
    this.#host.closeAll((thing) => this.#kindOf(thing)?.close?.(thing));
  }

  async #setUp(): Promise<void> {
    const { library, globals, output, argv = [] } = this.#options;
    const everything = { ...library.functions, ...globals };
    const encoded = Object.fromEntries(
      Object.entries(everything).map(([name, value]) => [name, this.#host.encode(value)]),
    );
    const answer = await this.#ask((id) => ({
      type: 'setup',
      id,
      setup: {
        remotes: Object.values(library.remotes).map(({ shape }) => shape),
        globals: encoded,
        colors: output.colors,
        columns: output.columns,
        argv,
      },
    }));
    if (answer.type === 'set-up' && answer.error !== undefined) throw decodeError(answer.error);
  }

  /** The operator stopped waiting: cancel our side, then find out what the servers go on with. */
  async #interrupted(call: RunningCall): Promise<string> {
    const isObject = typeof call.target === 'object' && call.target !== null;
    this.#options.guard?.interrupt();
    if (isObject) this.#kindOf(call.target)?.interrupt?.(call.target);
    return (await this.#options.goesOn?.(call)) ?? '';
  }

  #kindOf(thing: object): MainLibrary['remotes'][string] | undefined {
    return Object.values(this.#options.library.remotes).find(({ cls }) => thing instanceof cls);
  }

  #receive(message: FromWorker): void {
    if (this.#host.accept(message)) return;
    if (message.type === 'ready') this.#ready.resolve();
    else if (message.type === 'print') this.#options.output.write(message.text);
    else if ('id' in message) {
      this.#waiting.get(message.id)?.resolve(message as Answer);
      this.#waiting.delete(message.id);
    }
  }

  /** `process.exit(code)` of the operator's code ends the thread: that is `exit(code)`. */
  #ended(exitCode: number): void {
    const id = this.#evaluating;
    if (id !== undefined && this.#failure === undefined) {
      this.#waiting.get(id)?.resolve({
        type: 'evaluated',
        id,
        outcome: { status: 'exit', exitCode },
      });
    }
    this.#fail(new WalbError('internal', `the shell's thread ended with code ${exitCode}`));
  }

  #fail(thrown: unknown): void {
    const error = WalbError.from(thrown, "the shell's thread");
    this.#failure ??= error;
    this.#evaluating = undefined;
    this.#ready.reject(error);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  async #ask(message: (id: number) => ToWorker): Promise<Answer> {
    // Nobody would ever answer.
    if (this.#failure !== undefined) throw this.#failure;
    const id = this.#nextId;
    this.#nextId += 1;
    const waiting = Promise.withResolvers<Answer>();
    this.#waiting.set(id, waiting);
    this.#post(message(id));
    return await waiting.promise;
  }
}

function guarding(guard: Guard | undefined): Pick<BridgeOptions, 'guard'> {
  return guard === undefined ? {} : { guard: (call, perform) => guard.run(call, perform) };
}
