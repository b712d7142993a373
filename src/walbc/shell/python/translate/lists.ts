/** Values with commas between them. */
import type { Context } from './context.ts';
import { commaSeparated, type Node } from './tree.ts';

/** `a, *b, c` as the inside of a list; a single `a` without comma is not for here. */
export function elements(cx: Context, nodes: readonly Node[]): string {
  return commaSeparated(nodes)
    .map((group) => {
      const isStarred = group[0]?.name === '*';
      const value = isStarred ? group[1] : group[0];
      if (value === undefined) return cx.fail(group[0] ?? nodes[0]!, 'a value is missing');
      const text = cx.mark(value) + cx.expression(value);
      return isStarred ? `...py.iter(${text})` : text;
    })
    .join(', ');
}

export function tuple(cx: Context, nodes: readonly Node[]): string {
  return `py.tuple([${elements(cx, nodes)}])`;
}

/** What an assignment, `return` or `for` takes: one value, or several as a tuple. */
export function values(cx: Context, nodes: readonly Node[], at: Node): string {
  const [first, second] = nodes;
  if (first === undefined) return cx.fail(at, 'a value is missing');
  if (second === undefined && first.name !== '*') return cx.expression(first);
  if (!nodes.some(({ name }) => name === ',')) cx.fail(first, 'a star needs a list around it');
  return tuple(cx, nodes);
}
