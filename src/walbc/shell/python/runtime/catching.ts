/** What `raise` throws and which errors an `except` takes. */
import { SystemExit } from '../../builtins.ts';
import { KeyboardInterrupt } from '../../interruptible.ts';
import { invoke } from './calling.ts';
import {
  classOfForeign,
  exceptionClasses,
  isExceptionClass,
  isStackOverflow,
  PythonError,
  raise,
} from './exceptions.ts';
import { isCallable } from './functions.ts';
import { isType } from './types.ts';
import { isNone } from './values.ts';

/** Thrown once already: its stack tells where. */
const thrown = new WeakSet<object>();

export function throwValue(value: unknown, cause?: unknown): never {
  const error = isType(value) ? invoke(value, []) : value;
  if (!(error instanceof Error))
    return raise('TypeError', 'exceptions must derive from BaseException');
  if (!isNone(cause)) error.cause = isType(cause) ? invoke(cause, []) : cause;
  // Where it is raised counts, not where it was made.
  if (!thrown.has(error) && error instanceof PythonError) Error.captureStackTrace(error);
  thrown.add(error);
  throw error;
}

let last: unknown;

/** What the last `except` was given; undefined before the first. */
export function lastCaught(): unknown {
  return last;
}

/** What a handler gets: an error of Node's as Python's where there is one. */
export function caught(value: unknown): unknown {
  last = value;
  if (typeof value === 'object' && value !== null) thrown.add(value);
  if (isStackOverflow(value)) {
    return new exceptionClasses.RecursionError('maximum recursion depth exceeded');
  }
  return value;
}

/** Whether `except type:` takes this error. */
export function matches(error: unknown, type: unknown): boolean {
  if (Array.isArray(type)) return type.some((one) => matches(error, one));
  if (isExceptionClass(type)) return matchesPython(error, type);
  if (isCallable(type) && isType(type) && type.prototype !== undefined)
    return error instanceof type;
  if (isCallable(type) && typeof type.prototype === 'object') return error instanceof type;
  return raise(
    'TypeError',
    'catching classes that do not inherit from BaseException is not allowed',
  );
}

function matchesPython(error: unknown, type: typeof PythonError): boolean {
  if (error instanceof type) return true;
  if (error instanceof PythonError || type === PythonError) return type === PythonError;
  if (error instanceof KeyboardInterrupt || error instanceof SystemExit) return false;
  if (!(error instanceof Error)) return type === exceptionClasses.Exception;
  const cls = classOfForeign(error);
  return cls === type || cls.prototype instanceof type;
}
