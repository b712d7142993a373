/** Functions of the runtime with Python's parameter lists, and tables of methods made of them. */
import { type Callable, makeFunction, markBuiltin, parseParameters } from './functions.ts';
import { PyDict, tuple } from './values.ts';

/** How leftover arguments are collected: in a tuple and a dict. */
export const collectors = {
  tuple,
  dict: (entries: readonly (readonly [string, unknown])[]): PyDict => new PyDict(entries),
};

/** A function with parameters as Python writes them; what is left out arrives as undefined. */
export function fn(
  name: string,
  parameters: string,
  work: (...args: never[]) => unknown,
  doc?: string,
): Callable {
  const spec = parseParameters(name, parameters);
  const shown =
    parameters === ''
      ? []
      : parameters.split(/,\s*/).filter((part) => part !== '/' && part !== '*');
  return markBuiltin(makeFunction(spec, shown, work as Callable, collectors, doc));
}

/** Methods by name: their parameters without self, and the function that gets self first. */
export type MethodTable<Self> = Readonly<
  Record<string, readonly [parameters: string, work: (self: Self, ...args: never[]) => unknown]>
>;

export type Methods = ReadonlyMap<string, (self: unknown) => Callable>;

/** Each method as a maker of the function bound to its object. */
export function methods<Self>(table: MethodTable<Self>): Methods {
  const made = Object.entries(table).map(([name, [parameters, work]]) => {
    const spec = parseParameters(name, parameters);
    const bind = (self: unknown): Callable =>
      markBuiltin(
        makeFunction(
          spec,
          parameters === '' ? [] : parameters.split(/,\s*/),
          (...args) => work(self as Self, ...(args as never[])),
          collectors,
        ),
      );
    return [name, bind] as const;
  });
  return new Map(made);
}
