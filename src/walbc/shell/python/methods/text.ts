/** Methods of str. */
import { raise } from '../runtime/exceptions.ts';
import { formatMethod } from '../runtime/format-method.ts';
import { item } from '../runtime/items.ts';
import { iter } from '../runtime/iteration.ts';
import { type MethodTable, methods } from '../runtime/natives.ts';
import { typeName } from '../runtime/types.ts';
import { isNone, type PyDict, PySlice, PyTuple } from '../runtime/values.ts';
import { SPLITTING } from './text-split.ts';

const TABLE: MethodTable<string> = {
  capitalize: ['', (self) => self.slice(0, 1).toUpperCase() + self.slice(1).toLowerCase()],
  casefold: ['', (self) => self.toLowerCase().replaceAll('ß', 'ss')],
  lower: ['', (self) => self.toLowerCase()],
  upper: ['', (self) => self.toUpperCase()],
  swapcase: [
    '',
    (self) =>
      self.replace(/\p{L}/gu, (char) =>
        char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase(),
      ),
  ],
  title: [
    '',
    (self) =>
      self.replace(
        /\p{L}+/gu,
        (word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase(),
      ),
  ],
  center: [
    'width, fillchar= , /',
    (self, width: unknown, fill?: unknown) => center(self, count(width), fillOf(fill)),
  ],
  ljust: [
    'width, fillchar= , /',
    (self, width: unknown, fill?: unknown) => self + room(self, count(width), fillOf(fill)),
  ],
  rjust: [
    'width, fillchar= , /',
    (self, width: unknown, fill?: unknown) => room(self, count(width), fillOf(fill)) + self,
  ],
  zfill: ['width, /', (self, width: unknown) => zfill(self, count(width))],
  count: [
    'sub, start=, end=, /',
    (self, sub: string, start?: unknown, end?: unknown) =>
      occurrences(part(self, start, end), text(sub)),
  ],
  find: [
    'sub, start=, end=, /',
    (self, sub: string, start?: unknown, end?: unknown) => find(self, sub, start, end, 'indexOf'),
  ],
  rfind: [
    'sub, start=, end=, /',
    (self, sub: string, start?: unknown, end?: unknown) =>
      find(self, sub, start, end, 'lastIndexOf'),
  ],
  index: [
    'sub, start=, end=, /',
    (self, sub: string, start?: unknown, end?: unknown) =>
      found(find(self, sub, start, end, 'indexOf')),
  ],
  rindex: [
    'sub, start=, end=, /',
    (self, sub: string, start?: unknown, end?: unknown) =>
      found(find(self, sub, start, end, 'lastIndexOf')),
  ],
  startswith: [
    'prefix, start=, end=, /',
    (self, prefix: unknown, start?: unknown, end?: unknown) =>
      any(prefix, 'startswith', (one) => part(self, start, end).startsWith(one)),
  ],
  endswith: [
    'suffix, start=, end=, /',
    (self, suffix: unknown, start?: unknown, end?: unknown) =>
      any(suffix, 'endswith', (one) => part(self, start, end).endsWith(one)),
  ],
  removeprefix: [
    'prefix, /',
    (self, prefix: string) => (self.startsWith(prefix) ? self.slice(prefix.length) : self),
  ],
  removesuffix: [
    'suffix, /',
    (self, suffix: string) =>
      suffix !== '' && self.endsWith(suffix) ? self.slice(0, -suffix.length) : self,
  ],
  replace: [
    'old, new, count=, /',
    (self, old: unknown, next: unknown, limit?: unknown) =>
      replace(self, text(old), text(next), isNone(limit) ? -1 : count(limit)),
  ],
  join: ['iterable, /', (self, list: unknown) => join(self, list)],
  format: [
    '*args, **kwargs',
    (self, args: unknown[], kwargs: PyDict) =>
      formatMethod(self, args, (name) => item(kwargs, name)),
  ],
  format_map: [
    'mapping, /',
    (self, mapping: unknown) => formatMethod(self, [], (name) => item(mapping, name)),
  ],
  expandtabs: [
    'tabsize=',
    (self, size?: unknown) => expandTabs(self, isNone(size) ? 8 : count(size)),
  ],
  isalnum: ['', (self) => /^[\p{L}\p{N}]+$/u.test(self)],
  isalpha: ['', (self) => /^\p{L}+$/u.test(self)],
  isascii: ['', (self) => !/[^\0-\x7f]/.test(self)],
  isdecimal: ['', (self) => /^\p{Nd}+$/u.test(self)],
  isdigit: ['', (self) => /^[\p{Nd}\u00b2\u00b3\u00b9\u2070-\u2079\u2080-\u2089]+$/u.test(self)],
  isnumeric: ['', (self) => /^\p{N}+$/u.test(self)],
  isidentifier: ['', (self) => /^[\p{XID_Start}_]\p{XID_Continue}*$/u.test(self)],
  islower: ['', (self) => /\p{Ll}/u.test(self) && self === self.toLowerCase()],
  isupper: ['', (self) => /\p{Lu}/u.test(self) && self === self.toUpperCase()],
  istitle: ['', (self) => /\p{L}/u.test(self) && !/\p{L}\p{Lu}|(?<!\p{L})\p{Ll}/u.test(self)],
  isprintable: ['', (self) => !/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(self)],
  isspace: ['', (self) => /^\s+$/.test(self)],
  encode: [
    'encoding=, errors=',
    () => raise('NotImplementedError', 'bytes are not supported; texts are str'),
  ],
  ...SPLITTING,
};

export const textMethods = methods(TABLE);

function count(value: unknown): number {
  const isNumber =
    typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';
  if (!isNumber)
    return raise('TypeError', `'${typeName(value)}' object cannot be interpreted as an integer`);
  return Number(value);
}

function text(value: unknown): string {
  return typeof value === 'string'
    ? value
    : raise('TypeError', `must be str, not ${typeName(value)}`);
}

function fillOf(value: unknown): string {
  if (isNone(value)) return ' ';
  if (typeof value === 'string' && Array.from(value).length === 1) return value;
  return raise('TypeError', 'The fill character must be exactly one character long');
}

function room(self: string, width: number, fill: string): string {
  return fill.repeat(Math.max(0, width - Array.from(self).length));
}

/** As CPython does it: the odd one goes left or right by the parity of the width. */
function center(self: string, width: number, fill: string): string {
  const missing = Math.max(0, width - Array.from(self).length);
  const left = Math.floor(missing / 2) + (missing & width & 1);
  return fill.repeat(left) + self + fill.repeat(missing - left);
}

function zfill(self: string, width: number): string {
  const sign = /^[+-]/.exec(self)?.[0] ?? '';
  return sign + room(self, width, '0') + self.slice(sign.length);
}

function part(self: string, start: unknown, end: unknown): string {
  if (isNone(start) && isNone(end)) return self;
  return item(self, new PySlice(start, end, undefined)) as string;
}

function occurrences(self: string, sub: string): number {
  if (sub === '') return Array.from(self).length + 1;
  return self.split(sub).length - 1;
}

function find(
  self: string,
  sub: unknown,
  start: unknown,
  end: unknown,
  how: 'indexOf' | 'lastIndexOf',
): number {
  const within = part(self, start, end);
  const at = within[how](text(sub));
  if (at < 0) return -1;
  const size = self.length;
  const given = isNone(start) ? 0 : count(start);
  const from = given < 0 ? Math.max(0, given + size) : Math.min(given, size);
  if (given > size) return -1;
  return from + Array.from(within.slice(0, at)).length;
}

function found(at: number): number {
  return at < 0 ? raise('ValueError', 'substring not found') : at;
}

function any(affix: unknown, name: string, test: (one: string) => boolean): boolean {
  if (affix instanceof PyTuple) return affix.some((one) => test(text(one)));
  if (typeof affix === 'string') return test(affix);
  return raise(
    'TypeError',
    `${name} first arg must be str or a tuple of str, not ${typeName(affix)}`,
  );
}

function replace(self: string, old: string, next: string, limit: number): string {
  if (limit < 0)
    return old === ''
      ? between(self, next, Number.POSITIVE_INFINITY)
      : self.replaceAll(old, () => next);
  if (old === '') return between(self, next, limit);
  const parts = self.split(old);
  const head = parts.slice(0, limit + 1).join(next);
  return [head, ...parts.slice(limit + 1)].join(old);
}

/** An empty text is found before each character and at the end. */
function between(self: string, next: string, limit: number): string {
  const chars = Array.from(self);
  const made = chars.map((char, at) => (at < limit ? next + char : char)).join('');
  return chars.length < limit ? made + next : made;
}

function join(self: string, list: unknown): string {
  const parts = [...iter(list)].map((one, at) =>
    typeof one === 'string'
      ? one
      : raise('TypeError', `sequence item ${at}: expected str instance, ${typeName(one)} found`),
  );
  return parts.join(self);
}

function expandTabs(self: string, size: number): string {
  let column = 0;
  return self.replace(/[\s\S]/gu, (char) => {
    if (char === '\n' || char === '\r') column = -1;
    const spaces = char === '\t' ? (size > 0 ? size - (column % size) : 0) : 0;
    column += char === '\t' ? spaces : 1;
    return char === '\t' ? ' '.repeat(spaces) : char;
  });
}
