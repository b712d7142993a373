/**
 * The worker's stand-ins for what lives on the calling thread: classes whose methods block and return
 * plain values. They are made from the shape of the real classes, so `dir(walbc)`, completion and
 * `instanceof` see real methods.
 */
import { WalbError } from '../../core/index.ts';
import type { BridgeCaller, CallOptions } from './bridge-caller.ts';
import { argumentsFor } from './keywords.ts';
import type { Request } from './protocol.ts';
import type { RemoteClass, RemoteMember } from './remote-shape.ts';
import { nameSignature } from './signature.ts';
import {
  encode,
  type ValueClass,
  type ValueClasses,
  type WireHandle,
  type WireSide,
} from './wire.ts';

const handleKey = Symbol('walbc.handle');

interface Remote {
  [handleKey]: WireHandle;
}

export class StandIns implements WireSide {
  readonly classes: ValueClasses;
  readonly #caller: BridgeCaller;
  readonly #remotes = new Map<string, ValueClass>();
  readonly #alive = new Map<number, WeakRef<object>>();
  readonly #released: FinalizationRegistry<number>;
  /** While completing at the prompt, calls get little time. */
  #callOptions: CallOptions = {};

  constructor(caller: BridgeCaller, classes: ValueClasses, release: (handle: number) => void) {
    this.#caller = caller;
    this.classes = classes;
    this.#released = new FinalizationRegistry((id) => {
      // A second stand-in may have been made for the same thing meanwhile.
      if (this.#alive.get(id)?.deref() !== undefined) return;
      this.#alive.delete(id);
      release(id);
    });
  }

  /** Makes the class. */
  define(shape: RemoteClass): ValueClass {
    const signature = { className: '', name: shape.name, params: shape.params };
    const create = (args: readonly unknown[]): object =>
      this.#create(shape.name, argumentsFor(args, signature));
    const cls = {
      [shape.name]: class {
        constructor(...args: unknown[]) {
          // biome-ignore lint/correctness/noConstructorReturn: the instance is made from the answer of the other thread
          return create(args);
        }
      },
    }[shape.name] as unknown as ValueClass;
    for (const member of shape.members) this.#defineMember(cls.prototype as object, shape, member);
    nameSignature(cls, signature);
    this.#remotes.set(shape.name, cls);
    return cls;
  }

  /** Runs `work` with a limit for every call it makes. */
  withLimit<T>(limitMs: number, work: () => T): T {
    this.#callOptions = { limitMs };
    try {
      return work();
    } finally {
      this.#callOptions = {};
    }
  }

  handleOf(value: object): WireHandle | undefined {
    return Object.hasOwn(value, handleKey) ? (value as Remote)[handleKey] : undefined;
  }

  resolve(handle: WireHandle): object {
    const known = this.#alive.get(handle.id)?.deref();
    if (known !== undefined) return known;
    const standIn =
      handle.kind === 'function' ? this.#functionOf(handle) : this.#instanceOf(handle);
    Object.defineProperty(standIn, handleKey, { value: handle, enumerable: false });
    this.#alive.set(handle.id, new WeakRef(standIn));
    this.#released.register(standIn, handle.id);
    return standIn;
  }

  /** Makes the request and gives its decoded answer. */
  request(request: Request): unknown {
    return this.#caller.call(request, this, this.#callOptions);
  }

  #create(name: string, args: readonly unknown[]): object {
    return this.request({ kind: 'create', class: name, args: this.#encodeAll(args) }) as object;
  }

  #functionOf(handle: WireHandle): object {
    const signature = { className: '', name: handle.name, params: handle.fields };
    const call = (...args: unknown[]): unknown => {
      const positional = this.#encodeAll(argumentsFor(args, signature));
      return this.request({ kind: 'function', target: handle, args: positional });
    };
    return nameSignature(Object.defineProperty(call, 'name', { value: handle.name }), signature);
  }

  #instanceOf(handle: WireHandle): object {
    const cls = this.#remotes.get(handle.kind);
    if (cls === undefined) throw new WalbError('internal', `no remote class ${handle.kind}`);
    const instance = Object.create(cls.prototype as object) as object;
    for (const field of handle.fields) this.#defineProperty(instance, field, true);
    return instance;
  }

  #defineMember(prototype: object, shape: RemoteClass, member: RemoteMember): void {
    if (member.kind === 'property') {
      this.#defineProperty(prototype, member.name, false);
      return;
    }
    const host = this;
    const signature = { className: shape.name, name: member.name, params: member.params };
    const method = {
      [member.name](this: object, ...args: unknown[]): unknown {
        const target = host.#targetOf(this, shape.name, member.name);
        const positional = host.#encodeAll(argumentsFor(args, signature));
        return host.request({ kind: 'method', target, member: member.name, args: positional });
      },
    }[member.name]!;
    nameSignature(method, signature);
    Object.defineProperty(prototype, member.name, {
      value: method,
      enumerable: false,
      writable: true,
      configurable: true,
    });
  }

  #defineProperty(owner: object, name: string, enumerable: boolean): void {
    const host = this;
    Object.defineProperty(owner, name, {
      enumerable,
      configurable: true,
      get(this: object) {
        const target = host.handleOf(this);
        return target === undefined
          ? undefined
          : host.request({ kind: 'get', target, member: name });
      },
      set(this: object, value: unknown) {
        const target = host.#targetOf(this, 'object', name);
        host.request({ kind: 'set', target, member: name, value: encode(value, host) });
      },
    });
  }

  #targetOf(receiver: unknown, className: string, member: string): WireHandle {
    const isObject = typeof receiver === 'object' && receiver !== null;
    const handle = isObject ? this.handleOf(receiver) : undefined;
    if (handle !== undefined) return handle;
    throw new WalbError(
      'invalid-argument',
      `${member} must be called on a ${className}, as in walbc.${member}(...)`,
    );
  }

  #encodeAll(args: readonly unknown[]): unknown[] {
    // A place left out between keywords is sent as nothing given.
    return Array.from(args, (arg) => encode(arg, this));
  }
}
