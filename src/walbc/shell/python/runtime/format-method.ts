/** `'{0.name:>{width}}'.format(...)`. */

import { raise } from './exceptions.ts';
import { formatValue } from './format-spec.ts';
import { item } from './items.ts';
import { repr, str } from './repr.ts';

/** How `{0.name}` is read: attributes.ts, which needs the methods of str, says so. */
let attribute: (owner: unknown, name: string) => unknown = () => undefined;

export function defineAttributes(lookUp: typeof attribute): void {
  attribute = lookUp;
}

/** What the fields are taken from. */
interface Fields {
  readonly positional: readonly unknown[];
  readonly named: (name: string) => unknown;
  /** The next of `{}`; -1 when fields are numbered. */
  next: number | undefined;
}

export function formatMethod(
  text: string,
  positional: readonly unknown[],
  named: (name: string) => unknown,
): string {
  return expand(text, { positional, named, next: undefined }, 0);
}

function expand(text: string, fields: Fields, depth: number): string {
  if (depth > 2) raise('ValueError', 'Max string recursion exceeded');
  let made = '';
  for (let at = 0; at < text.length; ) {
    const char = text[at]!;
    if ((char === '{' || char === '}') && text[at + 1] === char) {
      made += char;
      at += 2;
    } else if (char === '}') {
      raise('ValueError', "Single '}' encountered in format string");
    } else if (char === '{') {
      const end = closing(text, at);
      made += field(text.slice(at + 1, end), fields, depth);
      at = end + 1;
    } else {
      made += char;
      at += 1;
    }
  }
  return made;
}

function closing(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    if (text[at] === '{') depth += 1;
    else if (text[at] === '}') {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return raise(
    'ValueError',
    open === text.length - 1
      ? "Single '{' encountered in format string"
      : "expected '}' before end of string",
  );
}

function field(text: string, fields: Fields, depth: number): string {
  const [, path = '', conversion, spec = ''] =
    /^((?:[^[\]:!]|\[[^\]]*\])*)(?:!([^:]*))?(?::([\s\S]*))?$/.exec(text) ?? [];
  const value = fieldValue(path, fields);
  const converted = convert(value, conversion);
  return formatValue(converted, expand(spec, fields, depth + 1));
}

function convert(value: unknown, conversion: string | undefined): unknown {
  if (conversion === undefined) return value;
  if (conversion === 'r' || conversion === 'a') return repr(value);
  if (conversion === 's') return str(value);
  return raise('ValueError', `Unknown conversion specifier ${conversion}`);
}

function fieldValue(path: string, fields: Fields): unknown {
  const [, head = '', rest = ''] = /^([^.[]*)([\s\S]*)$/.exec(path) ?? [];
  let value = headOf(head, fields);
  for (const [, name, key] of rest.matchAll(/\.([^.[]+)|\[([^\]]*)\]/g)) {
    value =
      name === undefined
        ? item(value, /^\d+$/.test(key!) ? Number(key) : key)
        : attribute(value, name);
  }
  return value;
}

function headOf(head: string, fields: Fields): unknown {
  if (head !== '' && !/^\d+$/.test(head)) return fields.named(head);
  const isAutomatic = head === '';
  if (isAutomatic ? fields.next === -1 : (fields.next ?? -1) >= 0) {
    const [from, to] = isAutomatic
      ? ['manual field specification', 'automatic field numbering']
      : ['automatic field numbering', 'manual field specification'];
    raise('ValueError', `cannot switch from ${from} to ${to}`);
  }
  const at = isAutomatic ? (fields.next ?? 0) : Number(head);
  fields.next = isAutomatic ? at + 1 : -1;
  if (at >= fields.positional.length) {
    raise('IndexError', `Replacement index ${at} out of range for positional args tuple`);
  }
  return fields.positional[at];
}
