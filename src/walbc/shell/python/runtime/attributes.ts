/** `a.b`: methods by the kind of the value, fields and methods of the library's objects. */

import { dictMethods, viewMethods } from '../methods/mappings.ts';
import {
  datetimeFields,
  datetimeMethods,
  floatMethods,
  intMethods,
  iteratorMethods,
  timedeltaMethods,
} from '../methods/scalars.ts';
import { listMethods, rangeMethods, tupleMethods } from '../methods/sequences.ts';
import { frozenSetMethods, setMethods } from '../methods/sets.ts';
import { textMethods } from '../methods/text.ts';
import { Timedelta } from '../modules/timedelta.ts';
import { apply, invoke, type KeywordList, toForeign } from './calling.ts';
import { hasAccessor, PyProperty, receiverOf } from './descriptors.ts';
import { isExceptionClass, PythonError, raise } from './exceptions.ts';
import { defineAttributes } from './format-method.ts';
import {
  bound,
  type Callable,
  docOf,
  isCallable,
  isNative,
  markNative,
  parametersOf,
} from './functions.ts';
import { inheritedMethod } from './inherited.ts';
import { isOwnClass, isOwnInstance, PySuper, specialMethod } from './instances.ts';
import { fn, type Methods } from './natives.ts';
import { isFloat, isInt } from './numbers.ts';
import { isType, typeInfo, typeName } from './types.ts';
import {
  isNone,
  isRecord,
  PyIterator,
  PyModule,
  PyRange,
  PySet,
  PyTuple,
  PyView,
  tuple,
} from './values.ts';

const NO_METHODS: Methods = new Map();

/** The table of methods that values of this kind have. */
function methodsOf(value: unknown): Methods {
  if (typeof value === 'string') return textMethods;
  if (isInt(value)) return intMethods;
  if (isFloat(value)) return floatMethods;
  if (typeof value !== 'object' || value === null || isOwnInstance(value)) return NO_METHODS;
  if (value instanceof PyTuple) return tupleMethods;
  if (Array.isArray(value)) return listMethods;
  if (value instanceof Map || isRecord(value)) return dictMethods;
  if (value instanceof PySet && value.frozen) return frozenSetMethods;
  if (value instanceof Set) return setMethods;
  if (value instanceof Date) return datetimeMethods;
  return otherMethods(value);
}

function otherMethods(value: object): Methods {
  if (value instanceof Timedelta) return timedeltaMethods;
  if (value instanceof PyIterator) return iteratorMethods;
  if (value instanceof PyRange) return rangeMethods;
  return value instanceof PyView ? viewMethods : NO_METHODS;
}

/** Methods of a type by its name, for `str.upper` and `dict.get`. */
const TYPE_METHODS: Readonly<Record<string, Methods>> = {
  str: textMethods,
  int: intMethods,
  float: floatMethods,
  list: listMethods,
  tuple: tupleMethods,
  dict: dictMethods,
  set: setMethods,
  frozenset: frozenSetMethods,
};

const ABSENT = Symbol('absent');

export function attribute(owner: unknown, name: string): unknown {
  const value = lookUp(owner, name);
  return value === ABSENT ? missing(owner, name) : value;
}

export function attributeOr(owner: unknown, name: string, otherwise: unknown): unknown {
  const value = lookUp(owner, name);
  return value === ABSENT ? otherwise : value;
}

export function hasAttribute(owner: unknown, name: string): boolean {
  return lookUp(owner, name) !== ABSENT;
}

defineAttributes(attribute);

function missing(owner: unknown, name: string): never {
  if (owner instanceof PyModule)
    raise('AttributeError', `module '${owner.name}' has no attribute '${name}'`);
  const what = isType(owner) ? `type object '${nameOf(owner)}'` : `'${typeName(owner)}' object`;
  return raise('AttributeError', `${what} has no attribute '${name}'`);
}

function nameOf(value: unknown): string {
  return typeInfo(value)?.name ?? (value as { name?: string }).name ?? '';
}

function lookUp(owner: unknown, name: string): unknown {
  const method = methodsOf(owner).get(name);
  if (method !== undefined) return method(owner);
  if (owner instanceof PyProperty && name === 'setter')
    return fn('setter', 'fset, /', (set: Callable) => new PyProperty(owner.get, set));
  if (owner instanceof PyModule)
    return Object.hasOwn(owner.members, name) ? owner.members[name] : ABSENT;
  if (owner instanceof PySuper) return ofSuper(owner, name);
  if (isNone(owner)) return ABSENT;
  if (owner instanceof Date && Object.hasOwn(datetimeFields, name))
    return datetimeFields[name]!(owner);
  if (owner instanceof Timedelta && Object.hasOwn(owner.parts, name)) {
    return owner.parts[name as 'days'];
  }
  const special = specialAttribute(owner, name);
  if (special !== ABSENT) return special;
  if (typeof owner === 'function') return ofFunction(owner, name);
  return typeof owner === 'object' && !isForeignToPython(owner) ? ofObject(owner, name) : ABSENT;
}

/** Values with a table of methods have nothing else. */
function isForeignToPython(owner: object): boolean {
  return methodsOf(owner) !== NO_METHODS && !isRecord(owner);
}

function specialAttribute(owner: unknown, name: string): unknown {
  switch (name) {
    case '__class__':
      return classOf(owner);
    case '__name__':
      return typeof owner === 'function' ? nameOf(owner) : ABSENT;
    case '__doc__':
      if (isOwnClass(owner)) return (owner.prototype as Record<string, unknown>)['__doc__'];
      return typeof owner === 'function' ? docOf(owner) : ABSENT;
    case '__dict__':
      return isOwnInstance(owner) ? { ...(owner as object) } : ABSENT;
    case '__cause__':
      return owner instanceof Error ? owner.cause : ABSENT;
    case 'args':
      if (owner instanceof PythonError) return tuple(owner.args);
      return owner instanceof Error ? tuple([owner.message]) : ABSENT;
    default:
      return ABSENT;
  }
}

/** `type(x)` for what has a class of its own; the runtime knows the others (builtins.ts). */
export let classOf: (value: unknown) => unknown = () => undefined;

export function defineClassOf(find: (value: unknown) => unknown): void {
  classOf = find;
}

function ofFunction(owner: object, name: string): unknown {
  const type = typeInfo(owner)?.name ?? '';
  if (Object.hasOwn(owner, name) && name.startsWith('fromkeys'))
    return (owner as Record<string, unknown>)[name];
  const method = TYPE_METHODS[type]?.get(name);
  if (method !== undefined) return unboundMethod(method);
  const statics = staticMembers.get(owner);
  if (statics !== undefined && Object.hasOwn(statics, name)) return statics[name];
  if (isOwnClass(owner)) {
    const member = (owner.prototype as Record<string, unknown>)[name];
    if (member !== undefined && !Object.hasOwn(Object.prototype, name)) {
      return isCallable(member) && receiverOf(member) === 'class'
        ? boundToSelf(member, owner)
        : member;
    }
  }
  if (isOwnClass(owner) || isExceptionClass(owner)) return inheritedMethod(name) ?? ABSENT;
  const isHidden = /^(?:prototype|caller|arguments|length|name|bind|call|apply)$/.test(name);
  return !isHidden && !isNative(owner) && name in owner ? ofObject(owner, name) : ABSENT;
}

/** A member of the base as `super()` gives it. */
function ofSuper({ base, self }: PySuper, name: string): unknown {
  const isThere = name in base && !Object.hasOwn(Object.prototype, name);
  const value: unknown = isThere ? Reflect.get(base, name, self) : inheritedMethod(name);
  if (value === undefined && !isThere) return ABSENT;
  if (!isCallable(value)) return value;
  if (receiverOf(value) === 'class') {
    return boundToSelf(value, isOwnClass(self) ? self : (self as object).constructor);
  }
  return parametersOf(value) === undefined ? value : boundToSelf(value, self);
}

/** `datetime.now` and the like: what a type has besides its methods. */
const staticMembers = new WeakMap<object, Readonly<Record<string, unknown>>>();

export function defineStatics(type: object, members: Readonly<Record<string, unknown>>): void {
  staticMembers.set(type, members);
}

export function staticsOf(type: object): Readonly<Record<string, unknown>> | undefined {
  return staticMembers.get(type);
}

/** `str.upper` as a function that gets its text as first argument. */
function unboundMethod(method: (self: unknown) => unknown): unknown {
  return (self: unknown, ...args: readonly unknown[]) => invoke(method(self), args);
}

function ofObject(owner: object, name: string): unknown {
  if (Object.hasOwn(Object.prototype, name) || !(name in owner)) {
    const own = specialMethod(owner, '__getattr__');
    return own === undefined ? ABSENT : own(name);
  }
  const value: unknown = (owner as Record<string, unknown>)[name];
  if (!isCallable(value) || isType(value) || Object.hasOwn(owner, name)) return value;
  const receiver = receiverOf(value);
  if (receiver !== undefined) {
    return receiver === 'class' ? boundToSelf(value, owner.constructor) : value;
  }
  return isOwnInstance(owner) && parametersOf(value) !== undefined
    ? boundToSelf(value, owner)
    : bound(value, owner);
}

function boundToSelf(method: (...args: readonly unknown[]) => unknown, owner: unknown): unknown {
  const made = (...args: readonly unknown[]): unknown => method(owner, ...args);
  // Keyword arguments are the last of `args`; the method itself puts them where they belong.
  return markNative(Object.defineProperty(made, 'name', { value: method.name }));
}

/** `owner.name(...)` without a function in between. */
export function callMethod(
  owner: unknown,
  name: string,
  args: readonly unknown[],
  keywords?: KeywordList,
): unknown {
  const isPlain = keywords === undefined && isLibraryObject(owner);
  const method: unknown = isPlain ? (owner as Record<string, unknown>)[name] : undefined;
  const isDirect = isCallable(method) && !isType(method) && !Object.hasOwn(Object.prototype, name);
  return isDirect ? apply(method, owner, args) : invoke(attribute(owner, name), args, keywords);
}

function isLibraryObject(owner: unknown): boolean {
  if (typeof owner !== 'object' || owner === null) return false;
  return !isOwnInstance(owner) && !(owner instanceof PyModule) && methodsOf(owner) === NO_METHODS;
}

export function setAttribute(owner: unknown, name: string, value: unknown): void {
  const own = specialMethod(owner, '__setattr__');
  if (own !== undefined) own(name, value);
  else if (isOwnInstance(owner) && hasAccessor(owner as object, name))
    (owner as Record<string, unknown>)[name] = value;
  else if (isOwnClass(owner))
    Object.defineProperty(owner.prototype, name, { value, writable: true, configurable: true });
  else if (owner instanceof Error || isOwnInstance(owner)) {
    Object.defineProperty(owner, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: true,
    });
  } else if (isLibraryObject(owner) || isRecord(owner))
    (owner as Record<string, unknown>)[name] = toForeign(value);
  else raise('AttributeError', `'${typeName(owner)}' object has no attribute '${name}'`);
}

export function deleteAttribute(owner: unknown, name: string): void {
  const isThere = typeof owner === 'object' && owner !== null && Object.hasOwn(owner, name);
  if (!isThere) missing(owner, name);
  delete (owner as Record<string, unknown>)[name];
}

/** The names `dir(x)` gives for what is Python's own; undefined for objects of the library. */
export function namesOf(value: unknown): string[] | undefined {
  if (value instanceof PyModule) return Object.keys(value.members).sort();
  const names = [...methodsOf(value).keys()];
  if (value instanceof Date) names.push(...Object.keys(datetimeFields));
  if (value instanceof Timedelta) names.push('days', 'seconds', 'microseconds');
  if (isRecord(value)) names.push(...Object.keys(value));
  return names.length === 0 ? undefined : names.sort();
}
