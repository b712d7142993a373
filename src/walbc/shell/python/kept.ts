/** Python's values as plain ones and back, for what a runbook keeps of its steps between two runs. */
import { isRecord, PyDict, PyFloat, PySet, PyTuple, tuple } from './runtime/values.ts';

const KIND = '#python';

/** Throws RangeError for a list that holds itself. */
export function pack(value: unknown): unknown {
  if (value instanceof PyFloat) return { [KIND]: 'float', value: value.value };
  if (value instanceof PyTuple) return { [KIND]: 'tuple', value: Array.from(value, pack) };
  if (value instanceof PyDict) {
    return { [KIND]: 'dict', value: Array.from(value, (pair) => pair.map(pack)) };
  }
  if (value instanceof PySet && !value.frozen) {
    return { [KIND]: 'set', value: Array.from(value, pack) };
  }
  return Array.isArray(value) ? value.map(pack) : value;
}

export function unpack(kept: unknown): unknown {
  if (Array.isArray(kept)) return kept.map(unpack);
  if (!isRecord(kept) || !Object.hasOwn(kept, KIND)) return kept;
  const { [KIND]: kind, value } = kept as { readonly [KIND]: unknown; readonly value: unknown };
  if (kind === 'float') return new PyFloat(value as number);
  const parts = (value as readonly unknown[]).map(unpack);
  if (kind === 'tuple') return tuple(parts);
  return kind === 'set' ? new PySet(parts) : new PyDict(parts as (readonly [unknown, unknown])[]);
}
