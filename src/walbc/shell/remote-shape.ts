/**
 * The shape of the library's asynchronous classes: which methods, properties and functions there are.
 * The main thread, which has the classes, reads it from them; the worker makes stand-ins of the same
 * shape whose calls block. Nothing is listed by hand, so a method added to the library is in the shell.
 */

export interface RemoteMember {
  readonly name: string;
  readonly kind: 'method' | 'property';
  /** As written in the source: `['sx', 'vol', 'timeoutS = TIMEOUT_SEC']`. */
  readonly params: readonly string[];
}

export interface RemoteClass {
  readonly name: string;
  readonly params: readonly string[];
  readonly members: readonly RemoteMember[];
}

// biome-ignore lint/complexity/noBannedTypes: a class is known here by its constructor only
type Constructor = Function & { readonly prototype: object };

/** Methods and accessors of the class and its ancestors; private and symbol-named ones left out. */
export function shapeOfClass(name: string, cls: Constructor): RemoteClass {
  const members = new Map<string, RemoteMember>();
  for (let at: object = cls.prototype; at !== Object.prototype && at !== null; ) {
    for (const [member, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (member === 'constructor' || members.has(member)) continue;
      const { value } = descriptor;
      const isMethod = typeof value === 'function';
      members.set(member, {
        name: member,
        kind: isMethod ? 'method' : 'property',
        params: isMethod ? parametersOf(value as Constructor) : [],
      });
    }
    at = Object.getPrototypeOf(at) as object;
  }
  return { name, params: parametersOf(cls), members: [...members.values()] };
}

/** Fields that an instance carries itself, as properties. */
export function fieldsOf(instance: object): string[] {
  return Object.keys(instance).filter((name) => !name.startsWith('#'));
}

/** The parameters of a function or of a class's constructor, as written in its source. */
export function parametersOf(fn: Constructor): string[] {
  const source = Function.prototype.toString.call(fn);
  const isClass = source.startsWith('class');
  const at = isClass ? source.search(/\bconstructor\s*\(/) : 0;
  if (at < 0) return [];
  const open = source.indexOf('(', at);
  // A class may have arrow functions in its fields, before the constructor.
  const arrow = isClass ? -1 : source.indexOf('=>');
  if (open < 0 || (arrow >= 0 && arrow < open)) return [];
  return splitParameters(source, open + 1);
}

function splitParameters(source: string, start: number): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = start;
  let quote = '';
  const take = (to: number): void => {
    // Type stripping leaves blanks where the types were.
    const text = source.slice(from, to).replace(/\s+/g, ' ').trim();
    if (text !== '') parts.push(text);
    from = to + 1;
  };
  for (let at = start; at < source.length; at += 1) {
    const char = source[at]!;
    if (quote !== '') {
      if (char === '\\') at += 1;
      else if (char === quote) quote = '';
    } else if (char === "'" || char === '"' || char === '`') quote = char;
    else if (char === ',' && depth === 0) take(at);
    else if ('([{'.includes(char)) depth += 1;
    else if (')]}'.includes(char) && depth > 0) depth -= 1;
    else if (char === ')') {
      take(at);
      return parts;
    }
  }
  return parts;
}
