/**
 * The main thread's end of the bridge: does the calls that the operator's code waits for.
 *
 * One call is under way at a time, for the code that makes it waits. An abandoned call (Ctrl-C) goes
 * on here until its promise settles; what it still brings is dropped.
 */
import type { MessagePort } from 'node:worker_threads';
import { WalbError } from '../../core/index.ts';
import { type BookEvent, type FromWorker, type Reply, type Request, WAKE } from './protocol.ts';
import { fieldsOf, parametersOf } from './remote-shape.ts';
import { decode, encode, encodeError, type ValueClasses, type WireHandle } from './wire.ts';

// biome-ignore lint/complexity/noBannedTypes: classes and functions of the library, called with what the operator typed
export type Callable = Function;

/** What is being waited for, as the progress line and Ctrl-C describe it. */
export interface RunningCall {
  /** Name of the object's class: `Controller`, `Device`, or '' for a function. */
  readonly className: string;
  readonly target: unknown;
  readonly member: string;
  readonly args: readonly unknown[];
}

export interface BridgedClass {
  readonly cls: Callable;
  /** Makes an instance from the operator's arguments. */
  readonly create: (args: readonly unknown[]) => object;
  /** Whether a field of an instance is shown to the operator; all are, unless given. */
  readonly isShown?: (field: string) => boolean;
}

export interface BridgeOptions {
  readonly classes: ValueClasses;
  /** Asynchronous classes: instances stay here, the worker holds stand-ins. */
  readonly remotes: Readonly<Record<string, BridgedClass>>;
  readonly onStart?: (call: RunningCall) => void;
  readonly onEnd?: (call: RunningCall) => void;
  /** What goes on at the servers after the operator stopped waiting; '' when nothing is known to. */
  readonly goesOn?: (call: RunningCall) => Promise<string>;
  /** Does the calls of the operator's code, or says what they would do; without it they are just done. */
  readonly guard?: (
    call: RunningCall,
    perform: (args: readonly unknown[]) => Promise<unknown>,
  ) => Promise<unknown>;
  /** Steps and questions of a runbook. */
  readonly onBook?: (event: BookEvent) => unknown;
  /** Resolves when printed output has left the process. */
  readonly drain?: () => Promise<void>;
}

export class BridgeHost {
  readonly #options: BridgeOptions;
  readonly #replies: MessagePort;
  readonly #shared: Int32Array;
  readonly #things = new Map<number, object>();
  readonly #handles = new WeakMap<object, WireHandle>();
  readonly #running = new Map<number, RunningCall>();
  #nextHandle = 1;

  constructor(replies: MessagePort, shared: Int32Array, options: BridgeOptions) {
    this.#replies = replies;
    this.#shared = shared;
    this.#options = options;
  }

  get classes(): ValueClasses {
    return this.#options.classes;
  }

  /** The code that made calls has ended: whatever was under way is no longer waited for. */
  forget(): void {
    for (const call of this.#running.values()) this.#options.onEnd?.(call);
    this.#running.clear();
  }

  /** The shell ends: gives everything that stayed here to `close`. */
  closeAll(close: (thing: object) => void): void {
    for (const thing of this.#things.values()) close(thing);
    this.#things.clear();
  }

  /** Encodes a value for the worker; controllers, devices and functions become handles. */
  encode(value: unknown): unknown {
    return encode(value, this);
  }

  /** Takes the messages that are about calls; says whether it was one. */
  accept(message: FromWorker): boolean {
    if (message.type === 'call') void this.#call(message.id, message.request);
    else if (message.type === 'abandon') void this.#abandon(message.id, message.quiet);
    else if (message.type === 'release') this.#things.delete(message.handle);
    else return false;
    return true;
  }

  handleOf(value: object): WireHandle | undefined {
    const kind = this.#kindOf(value);
    if (kind === undefined) return undefined;
    let handle = this.#handles.get(value);
    if (handle === undefined || !this.#things.has(handle.id)) {
      const isFunction = typeof value === 'function';
      const name = isFunction ? value.name : kind;
      const isShown = this.#options.remotes[kind]?.isShown ?? (() => true);
      const fields = isFunction ? parametersOf(value) : fieldsOf(value).filter(isShown);
      handle = { $: 'handle', id: this.#nextHandle, kind, name, fields };
      this.#nextHandle += 1;
      this.#handles.set(value, handle);
      this.#things.set(handle.id, value);
    }
    return handle;
  }

  resolve(handle: WireHandle): object {
    const thing = this.#things.get(handle.id);
    if (thing !== undefined) return thing;
    throw new WalbError('internal', `nothing is behind handle ${handle.id} (${handle.kind})`);
  }

  #kindOf(value: object): string | undefined {
    if (typeof value === 'function') return 'function';
    const found = Object.entries(this.#options.remotes).find(([, { cls }]) => value instanceof cls);
    return found?.[0];
  }

  async #call(id: number, request: Request): Promise<void> {
    const call = describe(request, (handle) => this.resolve(handle));
    this.#running.set(id, call);
    this.#options.onStart?.(call);
    let reply: Reply;
    try {
      reply = { id, ok: true, value: this.encode(await this.#perform(request)) };
    } catch (thrown) {
      reply = { id, ok: false, error: encodeError(thrown) };
    }
    // Not there any more: abandoned, and nobody reads the answer.
    if (this.#running.delete(id)) this.#settle(call, reply);
  }

  async #abandon(id: number, quiet: boolean): Promise<void> {
    const call = this.#running.get(id);
    this.#running.delete(id);
    const goesOn = call === undefined || quiet ? '' : await this.#describeRest(call);
    this.#settle(call, { id, goesOn });
  }

  async #describeRest(call: RunningCall): Promise<string> {
    try {
      return (await this.#options.goesOn?.(call)) ?? '';
    } catch {
      return '';
    }
  }

  #settle(call: RunningCall | undefined, reply: Reply): void {
    if (call !== undefined) this.#options.onEnd?.(call);
    this.#replies.postMessage(reply);
    // The answer is in the port before the worker is woken, so it never wakes to an empty port for good.
    Atomics.add(this.#shared, WAKE, 1);
    Atomics.notify(this.#shared, WAKE);
  }

  async #perform(request: Request): Promise<unknown> {
    switch (request.kind) {
      case 'drain':
        return await this.#options.drain?.();
      case 'book':
        return await this.#options.onBook?.(request.event);
      case 'create':
        return this.#create(request.class, this.#decodeAll(request.args));
      case 'function': {
        const fn = this.resolve(request.target) as Callable;
        const call = { className: '', target: fn, member: request.target.name };
        return await this.#guarded({ ...call, args: this.#decodeAll(request.args) }, fn, undefined);
      }
      case 'get':
        return Reflect.get(this.resolve(request.target), request.member);
      case 'set':
        return void Reflect.set(
          this.resolve(request.target),
          request.member,
          decode(request.value, this),
        );
      case 'method': {
        const target = this.resolve(request.target);
        const method: unknown = Reflect.get(target, request.member);
        if (typeof method !== 'function') {
          throw new WalbError('not-found', `there is no method ${request.member}`);
        }
        const call = { className: request.target.kind, target, member: request.member };
        const args = this.#decodeAll(request.args);
        return await this.#guarded({ ...call, args }, method, target);
      }
    }
  }

  async #guarded(call: RunningCall, fn: Callable, receiver: unknown): Promise<unknown> {
    const perform = async (args: readonly unknown[]): Promise<unknown> =>
      (await Reflect.apply(fn, receiver, args)) as unknown;
    const { guard } = this.#options;
    return guard === undefined ? await perform(call.args) : await guard(call, perform);
  }

  #create(name: string, args: unknown[]): unknown {
    const remote = this.#options.remotes[name];
    if (remote === undefined) throw new WalbError('not-found', `there is no class ${name}`);
    return remote.create(args);
  }

  #decodeAll(args: readonly unknown[]): unknown[] {
    return args.map((arg) => decode(arg, this));
  }
}

function describe(request: Request, resolve: (handle: WireHandle) => object): RunningCall {
  if (request.kind === 'drain' || request.kind === 'create' || request.kind === 'book') {
    return { className: '', target: undefined, member: '', args: [] };
  }
  const isFunction = request.kind === 'function';
  return {
    className: isFunction ? '' : request.target.kind,
    target: resolve(request.target),
    member: isFunction ? request.target.name : request.member,
    args: 'args' in request ? request.args : [],
  };
}
