/** `help(x)` and `dir(x)`: docstrings and names of what the operator points at. */
import { type DocString, findDoc, readDocs, summaryOf } from './docs.ts';
import { parametersOf } from './remote-shape.ts';
import { repr } from './show.ts';
import { DRY_RUN, type Signature, signatureOf } from './signature.ts';

const GENERAL = `walbc: the control of walb backup groups. Calls block and return plain values.

  walbc.status()                        what every server is doing
  walbc.get_vol_list(s0)                volumes of a server
  walbc.full_backup(s0, 'vol')          first backup of a volume
  walbc.snapshot(s0, 'vol', [a0])       a moment to come back to; returns its gid
  walbc.get_restorable(a0, 'vol')       moments an archive can restore
  walbc.restore(a0, 'vol', gid)         as an image of its own

  Calls that lose something ask first; walbc.clear(a0, 'vol', dry_run=True) only says what would be lost.

  help(walbc.restore)  what a call does and needs     dir(walbc)  all calls
  Tab completes names, volumes and gids; Ctrl-C ends a wait; exit, quit() or Ctrl-D leave.
  Results are kept in _. Input is TypeScript, after .python it is Python; print, len, sorted, range, True, False, None and
  keyword arguments are there as in Python.`;

const BUILTINS: Readonly<Record<string, string>> = {
  print: 'print(x, ..., sep=" ", end="\\n"): writes values as text.',
  len: 'len(x): number of elements of a list, text or dictionary.',
  sorted: 'sorted(list, key=f, reverse=False): a new list in order; numbers and gids by value.',
  range: 'range(stop), range(start, stop, step): a list of whole numbers.',
  str: 'str(x): a value as text.',
  int: 'int(x, base=10): a whole number; gids beyond 2^53 stay exact.',
  help: 'help(x): what a call, class or value is.',
  dir: 'dir(x): the names a value has; dir() those of the shell.',
  sleep: 'sleep(seconds): waits; Ctrl-C ends it.',
  step: 'step(title), step(title, function): a step of a runbook, with number and time. True when it is to be done; with a function, its value.',
  ask: 'ask(text): asks the operator; True for yes only.',
  exit: 'exit(code=0): leaves the shell or ends the script.',
};

const DRY_RUN_TEXT = 'dry_run=True does nothing, and says what would be lost.';

export class Help {
  readonly #roots: readonly URL[];
  #docs: DocString[] | undefined;

  constructor(roots: readonly URL[]) {
    this.#roots = roots;
  }

  /** The full text about a value. */
  about(value: unknown): string {
    if (value === undefined) return GENERAL;
    const signature = signatureOf(value);
    if (signature !== undefined) return this.#call(signature);
    if (typeof value === 'function') return this.#function(value.name, value);
    if (typeof value !== 'object' || value === null) return repr(value);
    return this.#object(value);
  }

  /** `restore(ax, vol, gid, timeoutS=86400)  Makes ...`: for the line below the cursor. */
  hint(value: unknown): string | undefined {
    const signature = signatureOf(value);
    if (signature !== undefined) {
      return `${signatureText(signature)}  ${summaryOf(this.#text(signature))}`.trimEnd();
    }
    if (typeof value !== 'function') return undefined;
    const builtin = Object.hasOwn(BUILTINS, value.name) ? BUILTINS[value.name] : undefined;
    return builtin?.replace(/^(.*?\)): /, '$1  ') ?? ownSignature(value);
  }

  #call(signature: Signature): string {
    const own = this.#text(signature) || 'No text about it.';
    const text = signature.params.includes(DRY_RUN) ? `${own}\n\n${DRY_RUN_TEXT}` : own;
    return `${signatureText(signature)}\n\n${indent(text)}`;
  }

  #text(signature: Signature): string {
    return findDoc(this.#all(), signature.className, signature.name);
  }

  // biome-ignore lint/complexity/noBannedTypes: any function the operator may name
  #function(name: string, value: Function): string {
    const text = Object.hasOwn(BUILTINS, name) ? BUILTINS[name]! : findDoc(this.#all(), '', name);
    return text === '' ? repr(value) : text;
  }

  #object(value: object): string {
    const name = value.constructor?.name ?? 'object';
    const text = findDoc(this.#all(), '', name);
    const methods = namesOf(value).flatMap((member) => {
      const method: unknown = methodOf(value, member);
      if (typeof method !== 'function') return [];
      const signature = signatureOf(method) ?? { className: name, name: member, params: [] };
      return [
        `  ${member}${' '.repeat(Math.max(1, 28 - member.length))}${summaryOf(this.#text(signature))}`,
      ];
    });
    return [`${name}: ${repr(value)}`, indent(text), methods.join('\n')]
      .filter((part) => part !== '')
      .join('\n\n');
  }

  #all(): DocString[] {
    this.#docs ??= readDocs(this.#roots);
    return this.#docs;
  }
}

const PYTHON_VALUES: Readonly<Record<string, string>> = {
  null: 'None',
  true: 'True',
  false: 'False',
};

function signatureText({ className, name, params }: Signature): string {
  const owner = className === '' ? '' : `${className}.`;
  const list = params.map((param) =>
    param
      .replace(/^_/, '')
      .replace(/ = (.*)$/, (_, value: string) => `=${PYTHON_VALUES[value] ?? value}`),
  );
  return `${owner}${name}(${list.join(', ')})`;
}

/** Of a function that the operator wrote. */
// biome-ignore lint/complexity/noBannedTypes: any function the operator may name
function ownSignature(fn: Function): string | undefined {
  const isNative = /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(fn));
  return isNative ? undefined : `${fn.name}(${parametersOf(fn).join(', ')})`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}

/** Without running the getters that ask a server. */
function methodOf(value: object, name: string): unknown {
  for (
    let at: object | null = value;
    at !== null;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    const descriptor = Object.getOwnPropertyDescriptor(at, name);
    if (descriptor !== undefined) return descriptor.value;
  }
  return undefined;
}

/** Names of a value that are of interest: its own and those of its class, not those of every object. */
export function namesOf(value: unknown): string[] {
  const names = new Set<string>();
  let at: unknown =
    typeof value === 'object' || typeof value === 'function' ? value : Object(value);
  while (at !== null && at !== Object.prototype && at !== Function.prototype) {
    for (const name of Object.getOwnPropertyNames(at)) {
      if (name !== 'constructor' && !/^\d+$/.test(name)) names.add(name);
    }
    at = Object.getPrototypeOf(at as object);
  }
  return [...names].sort();
}
