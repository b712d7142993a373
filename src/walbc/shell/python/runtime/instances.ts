/** Classes of the operator's own: single inheritance, methods, and the special methods operators call. */
import { descriptorOf } from './descriptors.ts';
import { raise } from './exceptions.ts';
import { isCallable } from './functions.ts';

/** What a class without a base is made from. */
export class PyObject {}

const classes = new WeakSet<object>();

type Constructor = new (...args: readonly unknown[]) => object;
export type Namespace = Record<string, unknown>;

/** Whether this is a class made by `class` in Python. */
export function isOwnClass(value: unknown): value is Constructor {
  return typeof value === 'function' && classes.has(value);
}

export function isOwnInstance(value: unknown): boolean {
  return typeof value === 'object' && value !== null && isOwnClass(value.constructor);
}

/** The class that a body of definitions makes. */
export function makeClass(
  name: string,
  base: unknown,
  doc: unknown,
  body: (namespace: Namespace) => void,
): unknown {
  const parent = base === undefined ? PyObject : baseOf(base, name);
  const namespace: Namespace = Object.create(null) as Namespace;
  body(namespace);
  const cls = {
    [name]: class extends (parent as Constructor) {
      constructor(...args: readonly unknown[]) {
        super(...(isOwnClass(parent) || parent === PyObject ? [] : args));
        if (new.target === cls) initialize(this, args, name);
      }
    },
  }[name] as Constructor;
  classes.add(cls);
  for (const [member, value] of Object.entries({ __doc__: doc, ...namespace })) {
    Object.defineProperty(cls.prototype, member, descriptorOf(value, member));
  }
  madeFrom.set(namespace, cls);
  return cls;
}

/** The class of each namespace: `super()` in a method knows the namespace it was written in. */
const madeFrom = new WeakMap<Namespace, Constructor>();

/** What `super()` gives: members as the base has them, for this instance (or class). */
export class PySuper {
  /** Undefined above the last class that was written in Python. */
  readonly base: Namespace;
  readonly self: unknown;

  constructor(base: Namespace, self: unknown) {
    this.base = base;
    this.self = self;
  }
}

export function superIn(namespace: Namespace, self: unknown): PySuper {
  return superOf(madeFrom.get(namespace), self);
}

/** `super(cls, self)`. */
export function superOf(cls: unknown, self: unknown): PySuper {
  if (!isOwnClass(cls)) return raise('TypeError', 'super() takes a class and an object of it');
  return new PySuper(Object.getPrototypeOf(cls.prototype) as Namespace, self);
}

function baseOf(base: unknown, name: string): unknown {
  if (isOwnClass(base)) return base;
  const isError = typeof base === 'function' && base.prototype instanceof Error;
  if (isError) return base;
  return raise(
    'TypeError',
    `class ${name}: only classes written in Python and exceptions can be a base`,
  );
}

function initialize(instance: object, args: readonly unknown[], name: string): void {
  const init = (instance as Namespace)['__init__'];
  if (isCallable(init)) Reflect.apply(init, undefined, [instance, ...args]);
  else if (!(instance instanceof Error) && args.length > 0) {
    raise('TypeError', `${name}() takes no arguments`);
  }
  if (instance instanceof Error && args.length > 0 && instance.message === '') {
    instance.message = String(args[0]);
  }
}

/** `__len__` and the like of an instance, bound to it. */
export function specialMethod(
  value: unknown,
  name: string,
): ((...args: readonly unknown[]) => unknown) | undefined {
  if (!isOwnInstance(value)) return undefined;
  const method = (value as Namespace)[name];
  if (!isCallable(method)) return undefined;
  return (...args) => Reflect.apply(method, undefined, [value, ...args]) as unknown;
}
