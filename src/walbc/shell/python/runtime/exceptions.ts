/** Python's exceptions. What the library and Node throw is matched by the same `except` (catching.ts). */

/** Name and base of each. */
const HIERARCHY = {
  BaseException: '',
  Exception: 'BaseException',
  ArithmeticError: 'Exception',
  OverflowError: 'ArithmeticError',
  ZeroDivisionError: 'ArithmeticError',
  AssertionError: 'Exception',
  AttributeError: 'Exception',
  EOFError: 'Exception',
  ImportError: 'Exception',
  ModuleNotFoundError: 'ImportError',
  LookupError: 'Exception',
  IndexError: 'LookupError',
  KeyError: 'LookupError',
  MemoryError: 'Exception',
  NameError: 'Exception',
  UnboundLocalError: 'NameError',
  OSError: 'Exception',
  FileExistsError: 'OSError',
  FileNotFoundError: 'OSError',
  PermissionError: 'OSError',
  TimeoutError: 'OSError',
  RuntimeError: 'Exception',
  NotImplementedError: 'RuntimeError',
  RecursionError: 'RuntimeError',
  StopIteration: 'Exception',
  SyntaxError: 'Exception',
  TypeError: 'Exception',
  ValueError: 'Exception',
} as const;

export type ExceptionName = keyof typeof HIERARCHY;

/** The root of Python's exceptions: `BaseException`. */
export class PythonError extends Error {
  /** What it was made with; `str(e)` is made of them. */
  args: readonly unknown[];

  constructor(...args: readonly unknown[]) {
    super(args.length === 1 ? String(args[0]) : args.map(String).join(', '));
    this.name = new.target.name;
    this.args = args;
  }
}

export type ExceptionClass = typeof PythonError;

const made = new Map<string, ExceptionClass>([['BaseException', PythonError]]);

function define(name: ExceptionName): ExceptionClass {
  const known = made.get(name);
  if (known !== undefined) return known;
  const base = define(HIERARCHY[name] as ExceptionName);
  const cls = { [name]: class extends base {} }[name]!;
  made.set(name, cls);
  return cls;
}

Object.defineProperty(PythonError, 'name', { value: 'BaseException' });

/** Every class by its name. */
export const exceptionClasses = Object.fromEntries(
  (Object.keys(HIERARCHY) as ExceptionName[]).map((name) => [name, define(name)]),
) as Readonly<Record<ExceptionName, ExceptionClass>>;

export function isExceptionClass(value: unknown): value is ExceptionClass {
  return (
    typeof value === 'function' && (value === PythonError || value.prototype instanceof PythonError)
  );
}

export function raise(kind: ExceptionName, message: string): never {
  throw new exceptionClasses[kind](message);
}

/** The class an error that Node or the library threw belongs to in Python, by its name. */
export function classOfForeign(error: Error): ExceptionClass {
  if (isStackOverflow(error)) return exceptionClasses.RecursionError;
  return Object.hasOwn(exceptionClasses, error.name)
    ? exceptionClasses[error.name as ExceptionName]
    : exceptionClasses.Exception;
}

export function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && /call stack/.test(error.message);
}
