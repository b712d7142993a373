/** Methods of str that cut it into parts, or cut something off. */
import { raise } from '../runtime/exceptions.ts';
import type { MethodTable } from '../runtime/natives.ts';
import { typeName } from '../runtime/types.ts';
import { isNone, tuple } from '../runtime/values.ts';

export const SPLITTING: MethodTable<string> = {
  split: ['sep=, maxsplit=', (self, sep?: unknown, max?: unknown) => split(self, sep, limit(max))],
  rsplit: [
    'sep=, maxsplit=',
    (self, sep?: unknown, max?: unknown) => rsplit(self, sep, limit(max)),
  ],
  splitlines: ['keepends=', (self, keep?: unknown) => lines(self, keep === true)],
  partition: ['sep, /', (self, sep: string) => partition(self, sep, self.indexOf(separator(sep)))],
  rpartition: ['sep, /', (self, sep: string) => rpartition(self, separator(sep))],
  strip: ['chars=, /', (self, chars?: unknown) => strip(self, chars, true, true)],
  lstrip: ['chars=, /', (self, chars?: unknown) => strip(self, chars, true, false)],
  rstrip: ['chars=, /', (self, chars?: unknown) => strip(self, chars, false, true)],
};

function limit(value: unknown): number {
  return isNone(value) || Number(value) < 0 ? Number.POSITIVE_INFINITY : Number(value);
}

function separator(value: unknown): string {
  if (typeof value !== 'string')
    return raise('TypeError', `must be str or None, not ${typeName(value)}`);
  return value === '' ? raise('ValueError', 'empty separator') : value;
}

function split(self: string, sep: unknown, max: number): string[] {
  if (isNone(sep)) return words(self, max);
  const parts = self.split(separator(sep));
  if (parts.length <= max + 1) return parts;
  return [...parts.slice(0, max), parts.slice(max).join(sep as string)];
}

/** At white space, of which there is none at the ends. */
function words(self: string, max: number): string[] {
  const parts: string[] = [];
  let rest = self.trimStart();
  while (rest !== '' && parts.length < max) {
    const end = rest.search(/\s/);
    parts.push(end < 0 ? rest : rest.slice(0, end));
    rest = end < 0 ? '' : rest.slice(end).trimStart();
  }
  return rest === '' ? parts : [...parts, rest];
}

function rsplit(self: string, sep: unknown, max: number): string[] {
  if (isNone(sep)) return rwords(self, max);
  const parts = self.split(separator(sep));
  if (parts.length <= max + 1) return parts;
  const cut = parts.length - max;
  return [parts.slice(0, cut).join(sep as string), ...parts.slice(cut)];
}

function rwords(self: string, max: number): string[] {
  const parts: string[] = [];
  let rest = self.trimEnd();
  while (rest !== '' && parts.length < max) {
    const word = /\S+$/.exec(rest)![0];
    parts.unshift(word);
    rest = rest.slice(0, rest.length - word.length).trimEnd();
  }
  return rest === '' ? parts : [rest, ...parts];
}

const LINE = /[^\n\r\v\f\u0085\p{Zl}\p{Zp}]*(?:\r\n|[\n\r\v\f\u0085\p{Zl}\p{Zp}]|$)/gu;
const LINE_END = /(?:\r\n|[\n\r\v\f\u0085\p{Zl}\p{Zp}])$/u;

function lines(self: string, keep: boolean): string[] {
  const all = (self.match(LINE) ?? []).filter((line) => line !== '');
  return keep ? all : all.map((line) => line.replace(LINE_END, ''));
}

function partition(self: string, sep: string, at: number): unknown {
  return at < 0
    ? tuple([self, '', ''])
    : tuple([self.slice(0, at), sep, self.slice(at + sep.length)]);
}

function rpartition(self: string, sep: string): unknown {
  const at = self.lastIndexOf(sep);
  return at < 0 ? tuple(['', '', self]) : partition(self, sep, at);
}

function strip(self: string, chars: unknown, left: boolean, right: boolean): string {
  if (!isNone(chars) && typeof chars !== 'string') {
    return raise('TypeError', `strip arg must be None or str, not ${typeName(chars)}`);
  }
  const isGone = isNone(chars)
    ? (char: string): boolean => /\s/.test(char)
    : (char: string): boolean => chars.includes(char);
  const all = Array.from(self);
  let [start, end] = [0, all.length];
  while (left && start < end && isGone(all[start]!)) start += 1;
  while (right && end > start && isGone(all[end - 1]!)) end -= 1;
  return all.slice(start, end).join('');
}
