/** Classes and functions of the library as Python has them: no `new`, and keyword arguments. */
import { acceptingKeywords, toPositional } from './keywords.ts';
import { parametersOf } from './remote-shape.ts';
import { nameSignature } from './signature.ts';
import type { ValueClass } from './wire.ts';

/** A class that works without `new`, as in Python, and with keyword arguments. */
export function callableClass(name: string, cls: ValueClass, params: readonly string[]): unknown {
  const signature = { className: '', name, params };
  const construct = (_: unknown, args: unknown[]): object =>
    Reflect.construct(cls as unknown as new () => object, [...toPositional(args, signature)]);
  const proxy = new Proxy(cls, {
    construct,
    apply: (_, __, args: unknown[]) => construct(_, args),
  });
  return nameSignature(proxy, signature);
}

/** Functions of the library take keyword arguments too; classes and values are left as they are. */
export function keyedFunction(name: string, value: unknown): unknown {
  if (typeof value !== 'function' || /^class\b/.test(String(value))) return value;
  const signature = { className: '', name, params: parametersOf(value) };
  return nameSignature(acceptingKeywords(value as () => unknown, signature), signature);
}
