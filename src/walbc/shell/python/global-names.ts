/**
 * Python's names in the shell: the variables of the TypeScript mode, without what Node itself and the
 * other language bring along.
 */
import vm from 'node:vm';
import type { Names } from './runtime/runtime.ts';

export interface GlobalNamesOptions {
  /** The global object. */
  readonly globals: object;
  /** Names that were there before the shell: `Map`, `process`, ... */
  readonly ambient: ReadonlySet<string>;
  /** Values that the shell defined for the TypeScript mode, by name. */
  readonly originals: ReadonlyMap<string, unknown>;
  /** Whether Python has something of its own under this name. */
  readonly isBuiltin: (name: string) => boolean;
}

export class GlobalNames implements Names {
  readonly #options: GlobalNamesOptions;
  /** Variables named as something that Node needs; the TypeScript mode does not see them. */
  readonly #own = new Map<string, unknown>();

  constructor(options: GlobalNamesOptions) {
    this.#options = options;
  }

  readonly get = (name: string): unknown => {
    if (this.#isReserved(name)) return this.#own.get(name);
    const { globals } = this.#options;
    if (!Object.hasOwn(globals, name)) return lexical(name);
    return this.#isHidden(name) ? undefined : (Reflect.get(globals, name) as unknown);
  };

  readonly has = (name: string): boolean => {
    if (this.#isReserved(name)) return this.#own.has(name);
    if (!Object.hasOwn(this.#options.globals, name)) return lexical(name) !== undefined;
    return !this.#isHidden(name);
  };

  readonly set = (name: string, value: unknown): void => {
    if (this.#isReserved(name)) this.#own.set(name, value);
    else Reflect.set(this.#options.globals, name, value);
  };

  readonly delete = (name: string): boolean => {
    if (this.#isReserved(name)) return this.#own.delete(name);
    if (!this.has(name)) return false;
    const { globals, originals, isBuiltin } = this.#options;
    if (isBuiltin(name) && originals.has(name)) {
      // The name is the shell's again, in both languages.
      Reflect.set(globals, name, originals.get(name));
      return true;
    }
    // Variables declared with `var` can not be deleted.
    if (!Reflect.deleteProperty(globals, name)) Reflect.set(globals, name, undefined);
    return true;
  };

  /** All that can be named, the variables of the operator and of the library. */
  all(): string[] {
    const names = Object.getOwnPropertyNames(this.#options.globals).filter(
      (name) => !name.startsWith('__') && !this.#isReserved(name) && !this.#isHidden(name),
    );
    return [...names, ...this.#own.keys()];
  }

  #isReserved(name: string): boolean {
    return this.#options.ambient.has(name) || RESERVED.has(name);
  }

  /** The TypeScript mode's `len` while it is still the shell's. */
  #isHidden(name: string): boolean {
    const { globals, originals, isBuiltin } = this.#options;
    if (!isBuiltin(name) || !originals.has(name)) return false;
    return Object.getOwnPropertyDescriptor(globals, name)?.value === originals.get(name);
  }
}

/** What compiled modules refer to. */
const RESERVED: ReadonlySet<string> = new Set(['exports', 'module', 'require', 'console']);

/** A class of the TypeScript mode, which is no property of the global object. */
function lexical(name: string): unknown {
  if (!/^[\p{ID_Start}_]\p{ID_Continue}*$/u.test(name)) return undefined;
  try {
    return vm.runInThisContext(`typeof ${name} === 'undefined' ? undefined : ${name}`);
  } catch {
    return undefined;
  }
}
