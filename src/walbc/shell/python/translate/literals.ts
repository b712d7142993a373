/** Numbers and texts of Python as literals of JavaScript. */
import type { Context } from './context.ts';
import { childrenOf, type Node } from './tree.ts';

export function number(cx: Context, node: Node): string {
  const text = cx.source.textOf(node);
  const plain = text.replaceAll('_', '').toLowerCase();
  if (/_(?:_|$|\.|e)|\._|[a-z]_$/i.test(text)) cx.fail(node, 'invalid decimal literal');
  if (plain.endsWith('j')) cx.fail(node, 'complex numbers are not supported');
  if (/^0[xob]/.test(plain)) return integer(BigInt(plain));
  if (/^\d+$/.test(plain)) {
    if (/^0+[1-9]/.test(plain)) {
      cx.fail(
        node,
        `leading zeros are not permitted; an octal number is written 0o${plain.replace(/^0+/, '')}`,
      );
    }
    return integer(BigInt(plain));
  }
  return float(Number(plain));
}

function integer(value: bigint): string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? String(value) : `${value}n`;
}

function float(value: number): string {
  if (Number.isFinite(value)) return Number.isInteger(value) ? `py.float(${value})` : String(value);
  return 'Infinity';
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\n': '',
};

const ESCAPE =
  /\\(?:([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([\\'"abfnrtv\n])|([xuUN])|\r\n)/g;

interface Quoted {
  readonly prefix: string;
  readonly bodyStart: number;
  readonly bodyEnd: number;
}

function quoted(cx: Context, node: Node): Quoted {
  const text = cx.source.textOf(node);
  const [, prefix = '', quote = ''] = /^([a-zA-Z]*)('''|"""|'|")/.exec(text) ?? [];
  const lower = prefix.toLowerCase();
  if (lower.includes('b')) {
    cx.fail(node, "bytes (b'...') are not supported; texts are written '...'");
  }
  const bodyStart = node.from + prefix.length + quote.length;
  return { prefix: lower, bodyStart, bodyEnd: node.to - quote.length };
}

function unescaped(cx: Context, text: string, at: number): string {
  return text.replace(ESCAPE, (all: string, ...groups: (string | undefined)[]) => {
    const [octal, hex, short, long, simple, unknown] = groups;
    if (unknown === 'N') cx.fail(at, 'names of characters (\\N{...}) are not supported');
    if (unknown !== undefined) cx.fail(at, `the escape \\${unknown} is cut off`);
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
    const code = hex ?? short ?? long;
    if (code === undefined) return simple === undefined ? '' : (SIMPLE_ESCAPES[simple] ?? all);
    const point = Number.parseInt(code, 16);
    if (point > 0x10ffff) cx.fail(at, `\\U${code} is no character`);
    return String.fromCodePoint(point);
  });
}

/** A literal of JavaScript; what `alignLines` marks lines with is escaped. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ue000\ue001]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

export function textLiteral(cx: Context, node: Node): string {
  const { prefix, bodyStart, bodyEnd } = quoted(cx, node);
  const body = cx.source.text.slice(bodyStart, bodyEnd).replaceAll('\r\n', '\n');
  return quote(prefix.includes('r') ? body : unescaped(cx, body, node.from));
}

export function formatString(cx: Context, node: Node): string {
  const { prefix, bodyStart, bodyEnd } = quoted(cx, node);
  const parts = pieces(cx, node, bodyStart, bodyEnd, prefix.includes('r'));
  return `(${['""', ...parts].join(' + ')})`;
}

/** Literal text and replacements between two offsets. */
function pieces(cx: Context, node: Node, from: number, to: number, isRaw: boolean): string[] {
  const parts: string[] = [];
  const literal = (start: number, end: number): void => {
    const raw = cx.source.text.slice(start, end).replaceAll('\r\n', '\n');
    if (/(^|[^}])}(}})*([^}]|$)/.test(raw)) cx.fail(start, "f-string: single '}' is not allowed");
    const text = raw.replaceAll('{{', '{').replaceAll('}}', '}');
    if (text !== '') parts.push(quote(isRaw ? text : unescaped(cx, text, start)));
  };
  let at = from;
  for (const child of childrenOf(node)) {
    if (child.name !== 'FormatReplacement') continue;
    literal(at, child.from);
    parts.push(...replacement(cx, child));
    at = child.to;
  }
  literal(at, to);
  return parts;
}

const NOT_VALUES = new Set(['{', '}', 'FormatSelfDoc', 'FormatConversion', 'FormatSpec']);

function replacement(cx: Context, node: Node): string[] {
  const children = childrenOf(node);
  const values = children.filter(({ name }) => !NOT_VALUES.has(name));
  const [value] = values;
  if (value === undefined) return cx.fail(node, 'f-string: an expression is missing');
  if (values.length > 1) cx.fail(node, 'f-string: a tuple needs brackets of its own');
  const find = (name: string): Node | undefined => children.find((child) => child.name === name);
  const [selfDoc, conversion, spec] = [
    find('FormatSelfDoc'),
    find('FormatConversion'),
    find('FormatSpec'),
  ];
  const kind = conversion === undefined ? '' : cx.source.textOf(conversion).slice(1);
  const format =
    spec === undefined ? '""' : pieces(cx, spec, spec.from + 1, spec.to, false).join(' + ') || '""';
  const converted = selfDoc !== undefined && kind === '' && spec === undefined ? 'r' : kind;
  const text = `py.formatted(${cx.expression(value)}, ${quote(converted)}, ${format})`;
  if (selfDoc === undefined) return [text];
  const end = (conversion ?? spec)?.from ?? node.to - 1;
  return [quote(cx.source.text.slice(node.from + 1, end)), text];
}
