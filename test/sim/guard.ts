/**
 * Catches our own sources when they go around the Env during a simulation: the real clock, real
 * timers and real chance would make a run depend on more than its seed.
 *
 * Only calls from `src/` throw; the test runner in the same process keeps its clocks.
 */
import { WalbError } from '../../src/core/errors.ts';

const OUR_SOURCES = /\/src\/(?!.*node_modules)/;
/** Frames between the caller and the guard. */
const GUARD_FRAMES = 3;

type AnyFunction = (...args: never[]) => unknown;

interface Place {
  readonly owner: object;
  readonly name: string;
}

const PLACES: readonly Place[] = [
  { owner: globalThis, name: 'setTimeout' },
  { owner: globalThis, name: 'setInterval' },
  { owner: globalThis, name: 'setImmediate' },
  { owner: Date, name: 'now' },
  { owner: Math, name: 'random' },
  { owner: AbortSignal, name: 'timeout' },
  { owner: performance, name: 'now' },
];

/** Returns what takes the guard off again. */
export function guardGlobals(): () => void {
  const undo = PLACES.map(({ owner, name }) => guard(owner as Record<string, AnyFunction>, name));
  return () => {
    for (const restore of undo) restore();
  };
}

function guard(owner: Record<string, AnyFunction>, name: string): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(owner, name);
  const original = owner[name]!;
  const guarded = function (this: unknown, ...args: never[]): unknown {
    const caller = new Error().stack?.split('\n')[GUARD_FRAMES - 1] ?? '';
    if (OUR_SOURCES.test(caller)) {
      throw new WalbError(
        'internal',
        `${name} in simulated code; use Env instead (${caller.trim()})`,
      );
    }
    return original.apply(this, args);
  };
  Object.defineProperty(owner, name, {
    value: Object.assign(guarded, original),
    configurable: true,
    writable: true,
    enumerable: descriptor?.enumerable ?? false,
  });
  return () => {
    if (descriptor === undefined) delete owner[name];
    else Object.defineProperty(owner, name, descriptor);
  };
}
