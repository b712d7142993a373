/** After a misspelt name: the ones that it may have been. */

/** Edits that a slip of the fingers makes; a longer way is not looked at. */
const MAX_DISTANCE = 2;
/** Letters per edit that is allowed: short names are near to too many others. */
const LETTERS_PER_EDIT = 5;
const MAX_SHOWN = 3;
const METHOD = /^([\p{L}_$][\p{L}\p{N}_$]*)\.([\p{L}_$][\p{L}\p{N}_$]*) is not a function$/u;
const NAME = /^([\p{L}_$][\p{L}\p{N}_$]*) is not defined$/u;

/** For `walbc.restor is not a function` and `slayout is not defined`: a line `Did you mean ...?`, or ''. */
export function suggestion(thrown: unknown): string {
  if (!(thrown instanceof TypeError || thrown instanceof ReferenceError)) return '';
  const method = METHOD.exec(thrown.message);
  if (method !== null) {
    const owner: unknown = Reflect.get(globalThis, method[1]!);
    return asked(nearest(method[2]!, membersOf(owner)), `${method[1]}.`);
  }
  const name = NAME.exec(thrown.message);
  return name === null ? '' : asked(nearest(name[1]!, Object.getOwnPropertyNames(globalThis)), '');
}

function asked(names: readonly string[], before: string): string {
  if (names.length === 0) return '';
  return `\nDid you mean ${names.map((name) => `${before}${name}`).join(', or ')}?`;
}

function membersOf(owner: unknown): string[] {
  const names: string[] = [];
  const isObject = typeof owner === 'object' && owner !== null;
  for (let at: object | null = isObject ? owner : null; at !== null && at !== Object.prototype; ) {
    names.push(...Object.getOwnPropertyNames(at));
    at = Object.getPrototypeOf(at) as object | null;
  }
  return names;
}

/** The nearest names, nearest first. */
export function nearest(wanted: string, names: readonly string[]): string[] {
  return [...new Set(names)]
    .map((name) => ({ name, distance: distanceOf(wanted.toLowerCase(), name.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.min(MAX_DISTANCE, wanted.length / LETTERS_PER_EDIT))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, MAX_SHOWN)
    .map(({ name }) => name);
}

/** Insertions, removals and replacements from `a` to `b` (Levenshtein). */
function distanceOf(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MAX_DISTANCE) return MAX_DISTANCE + 1;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, replaced));
    }
    row = next;
  }
  return row[b.length]!;
}
