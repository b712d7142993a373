/**
 * Values of the worker's configuration file, read strictly: every error names the key.
 *
 * Source: worker.md 2 (PERIOD, SIZE, later files override earlier ones key by key).
 */
import { KIB, parseCount, WalbError } from '../../core/index.ts';

const DAY = 24 * 3600;

/** What a YAML file holds before it is checked. */
export type ConfigTree = { readonly [key: string]: ConfigValue };
export type ConfigValue = string | number | boolean | null | readonly ConfigValue[] | ConfigTree;

/** Seconds of a PERIOD: integer, `Nm`, `Nh`, `Nd` or `hh:mm:ss`. Throws `invalid-argument`. */
export function parsePeriod(value: ConfigValue | undefined, key: string): number {
  const text = String(value);
  const simple = /^(\d+)([mhd]?)$/.exec(text);
  if (simple !== null) {
    const unit = { '': 1, m: 60, h: 3600, d: DAY }[simple[2] as '' | 'm' | 'h' | 'd'];
    return Number(simple[1]) * unit;
  }
  const clock = /^(\d+):([0-5]?\d):([0-5]?\d)$/.exec(text);
  if (clock !== null) return Number(clock[1]) * 3600 + Number(clock[2]) * 60 + Number(clock[3]);
  throw bad(key, `'${text}' is no period: seconds, Nm, Nh, Nd or hh:mm:ss`);
}

/** Bytes of a SIZE: integer or `NK`, `NM`, `NG` (powers of 1024). Throws `invalid-argument`. */
export function parseWorkerSize(value: ConfigValue | undefined, key: string): number {
  const match = /^(\d+)([KMG]?)$/.exec(String(value));
  if (match === null) throw bad(key, `'${String(value)}' is no size: bytes, NK, NM or NG`);
  const power = ['', 'K', 'M', 'G'].indexOf(match[2] as string);
  return Number(match[1]) * KIB ** power;
}

/** Trees are joined key by key; anything else replaces what was there. */
export function overlay(below: ConfigTree, above: ConfigTree): ConfigTree {
  const joined: Record<string, ConfigValue> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const present = joined[key];
    joined[key] = isTree(present) && isTree(value) ? overlay(present, value) : value;
  }
  return joined;
}

export function isTree(value: ConfigValue | undefined): value is ConfigTree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function branch(value: ConfigValue | undefined, key: string): ConfigTree {
  if (value === undefined || value === null) return {};
  if (isTree(value)) return value;
  throw bad(key, 'must be a section with keys of its own');
}

export function allowOnly(tree: ConfigTree, keys: readonly string[], where: string): void {
  const unknown = Object.keys(tree).find((key) => !keys.includes(key));
  if (unknown === undefined) return;
  const name = where === '' ? unknown : `${where}.${unknown}`;
  throw bad(name, `is not a known key; known are: ${keys.join(', ')}`);
}

export function need<T>(value: T | undefined, key: string): T {
  if (value === undefined) throw bad(key, 'is missing');
  return value;
}

export function text(value: ConfigValue | undefined, key: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw bad(key, value === undefined ? 'is missing' : 'must be a text');
}

export function port(value: ConfigValue | undefined, key: string): number {
  const number = count(need(value, key), key);
  if (number >= 1 && number <= 65535) return number;
  throw bad(key, `${number} is not a port from 1 to 65535`);
}

export function count(value: ConfigValue | undefined, key: string): number {
  return parseCount(String(value), key);
}

export function positive(value: number, key: string): number {
  if (value > 0) return value;
  throw bad(key, 'must be more than 0');
}

export function bad(key: string, problem: string): WalbError {
  return new WalbError('invalid-argument', `worker configuration: ${key} ${problem}`, {
    details: { key },
  });
}
