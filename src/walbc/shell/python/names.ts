/** Where Python's global names live. */
import type { Names } from './runtime/runtime.ts';

/** Names in a plain object. */
export function namesIn(names: Record<string, unknown>): Names {
  return {
    get: (name) => (Object.hasOwn(names, name) ? names[name] : undefined),
    has: (name) => Object.hasOwn(names, name),
    set: (name, value) => {
      names[name] = value;
    },
    delete: (name) => Object.hasOwn(names, name) && delete names[name],
  };
}
