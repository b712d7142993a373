/** `a.b`, `a[i]` and slices, as values and as places to store to. */
import type { Context } from './context.ts';
import { elements } from './lists.ts';
import { quote } from './literals.ts';
import { childrenOf, commaSeparated, type Node, splitAt } from './tree.ts';

/** The parts of a member expression: what it belongs to, and its name or key. */
export interface Place {
  readonly owner: string;
  readonly kind: 'attribute' | 'item';
  /** JavaScript for the name or key. */
  readonly key: string;
}

export function placeOf(cx: Context, node: Node): Place {
  const [owner, ...rest] = childrenOf(node) as [Node, ...Node[]];
  const property = rest.find(({ name }) => name === 'PropertyName');
  if (property !== undefined) {
    return { owner: cx.expression(owner), kind: 'attribute', key: quote(cx.nameOf(property)) };
  }
  return {
    owner: cx.expression(owner),
    kind: 'item',
    key: subscript(cx, rest.slice(1, -1), node),
  };
}

export function member(cx: Context, node: Node): string {
  const text = cx.source.textOf(node);
  if (/^\d[\d_]*\.$/.test(text)) return `py.float(${text.replace(/[_.]/g, '')})`;
  const { owner, kind, key } = placeOf(cx, node);
  return kind === 'attribute' ? `py.attribute(${owner}, ${key})` : `py.item(${owner}, ${key})`;
}

function subscript(cx: Context, nodes: readonly Node[], at: Node): string {
  const isSlice = nodes.some(({ name }) => name === ':');
  const groups = commaSeparated(nodes);
  if (isSlice) {
    if (nodes.some(({ name }) => name === ','))
      cx.fail(at, 'a slice of several dimensions is not supported');
    const parts = splitAt(nodes, ':').map(([part]) =>
      part === undefined ? 'undefined' : cx.expression(part),
    );
    return `py.slice(${parts.join(', ')})`;
  }
  const [first] = groups[0] ?? [];
  if (first === undefined) return cx.fail(at, 'the index is missing');
  return nodes.length === 1 ? cx.expression(first) : `py.tuple([${elements(cx, nodes)}])`;
}
