/** `@property`, `@staticmethod`, `@classmethod`: what a class makes of the functions marked with them. */
import { raise } from './exceptions.ts';
import { type Callable, isCallable, markNative } from './functions.ts';

/** `property(fget, fset)`; a class turns it into an accessor. */
export class PyProperty {
  readonly get: Callable | undefined;
  readonly set: Callable | undefined;

  constructor(get: Callable | undefined, set: Callable | undefined) {
    this.get = get;
    this.set = set;
  }
}

/** What a method gets before its arguments: the instance unless it is marked. */
export type Receiver = 'nothing' | 'class';

const receivers = new WeakMap<object, Receiver>();

/** A function as `staticmethod` or `classmethod` give it. */
export function marked(fn: unknown, receiver: Receiver): Callable {
  if (!isCallable(fn)) return raise('TypeError', 'a function is needed here');
  const made: Callable = (...args) => fn(...args);
  Object.defineProperty(made, 'name', { value: fn.name });
  receivers.set(made, receiver);
  return markNative(made);
}

export function receiverOf(method: object): Receiver | undefined {
  return receivers.get(method);
}

/** How a member of a class body is kept on the prototype. */
export function descriptorOf(value: unknown, name: string): PropertyDescriptor {
  if (!(value instanceof PyProperty)) {
    return { value, writable: true, configurable: true, enumerable: false };
  }
  const { get, set } = value;
  return {
    configurable: true,
    enumerable: false,
    get(this: object) {
      return get === undefined
        ? raise('AttributeError', `property '${name}' has no getter`)
        : get(this);
    },
    set(this: object, assigned: unknown) {
      if (set === undefined) raise('AttributeError', `property '${name}' has no setter`);
      else set(this, assigned);
    },
  };
}

/** The accessor an instance has from its class under this name. */
export function hasAccessor(owner: object, name: string): boolean {
  for (
    let at: object | null = Object.getPrototypeOf(owner);
    at !== null;
    at = Object.getPrototypeOf(at)
  ) {
    const found = Object.getOwnPropertyDescriptor(at, name);
    if (found !== undefined) return found.set !== undefined;
  }
  return false;
}
