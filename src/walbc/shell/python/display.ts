/** What the prompt prints for a result in Python mode: tables as elsewhere, everything else as repr. */
import { display, type ShowOptions } from '../table.ts';
import { repr } from './runtime/repr.ts';
import { isRecord, PyTuple } from './runtime/values.ts';

/** Longer lists scroll away what the operator wants to see. */
const MAX_ELEMENTS = 1000;

export function displayPython(value: unknown, options: ShowOptions): string {
  return display(value, options, (other) => wrapped(other, options.columns));
}

/** On one line where it fits, else an element on each. */
function wrapped(value: unknown, columns: number): string {
  const line = repr(value);
  if (line.length <= columns || typeof value !== 'object' || value === null) return line;
  const inner = (part: unknown): string => indented(wrapped(part, columns - 2));
  if (Array.isArray(value)) {
    const [open, close] = value instanceof PyTuple ? ['(', ')'] : ['[', ']'];
    return block(open, value.map(inner), close);
  }
  if (value instanceof Set) return block('{', Array.from(value, inner), '}');
  if (!(value instanceof Map) && !isRecord(value)) return line;
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return block(
    '{',
    entries.map(([key, part]) => `${repr(key)}: ${inner(part)}`),
    '}',
  );
}

function indented(text: string): string {
  return text.replaceAll('\n', '\n  ');
}

function block(open: string, parts: readonly string[], close: string): string {
  const shown = parts.slice(0, MAX_ELEMENTS);
  const more = parts.length > MAX_ELEMENTS ? [`... ${parts.length - MAX_ELEMENTS} more`] : [];
  return `${open}\n${[...shown, ...more].map((part) => `  ${part}`).join(',\n')}\n${close}`;
}
