/** Calls, with positional, keyword, `*` and `**` arguments. */

import { generatorOf } from './comprehensions.ts';
import { type Context, variable } from './context.ts';
import { quote } from './literals.ts';
import type { Scope } from './scope.ts';
import { childrenOf, commaSeparated, type Node } from './tree.ts';

export interface Arguments {
  readonly positional: string;
  /** '' when there are none. */
  readonly keywords: string;
}

/** Translates what is between the brackets. */
export function argumentsOf(cx: Context, list: Node): Arguments {
  const positional: string[] = [];
  const keywords: string[] = [];
  const seen = new Set<string>();
  const groups = argumentGroups(childrenOf(list).slice(1, -1));
  for (const group of groups) {
    const [first, second, third] = group as [Node, Node?, Node?];
    if (first.name === '**' && second !== undefined) {
      keywords.push(`...py.keywordsOf(${cx.expression(second)})`);
    } else if (first.name === '*' && second !== undefined) {
      positional.push(`...py.iter(${cx.mark(second)}${cx.expression(second)})`);
    } else if (second?.name === 'AssignOp' && third !== undefined) {
      if (cx.source.textOf(second) !== '=') cx.fail(second, 'put brackets around :=');
      const name = cx.nameOf(first);
      if (seen.has(name)) cx.fail(first, `keyword argument repeated: ${name}`);
      seen.add(name);
      keywords.push(`[${quote(name)}, ${cx.mark(third)}${cx.expression(third)}]`);
    } else {
      if (keywords.length > 0) cx.fail(first, 'positional argument follows keyword argument');
      positional.push(cx.mark(first) + argument(cx, group, groups.length));
    }
  }
  return {
    positional: `[${positional.join(', ')}]`,
    keywords: keywords.length === 0 ? '' : `[${keywords.join(', ')}]`,
  };
}

/** The nodes of each argument. The commas of `dict((k, v) for k, v in pairs)` separate none. */
function argumentGroups(nodes: readonly Node[]): Node[][] {
  const loop = nodes.findIndex(({ name }) => name === 'for');
  if (loop < 0 || nodes.slice(0, loop).some(({ name }) => name === ',')) {
    return commaSeparated(nodes);
  }
  const within = nodes.findIndex(({ name }) => name === 'in');
  const [rest = [], ...others] = commaSeparated(nodes.slice(within));
  return [[...nodes.slice(0, within), ...rest], ...others];
}

function argument(cx: Context, group: readonly Node[], count: number): string {
  const [first] = group as [Node];
  if (group.length === 1) return cx.expression(first);
  if (count > 1) cx.fail(first, 'a generator among other arguments needs brackets of its own');
  return generatorOf(cx, group);
}

export function call(cx: Context, node: Node): string {
  const [callee, list] = childrenOf(node) as [Node, Node];
  const { positional, keywords } = argumentsOf(cx, list);
  const more = keywords === '' ? '' : `, ${keywords}`;
  const isSuper = callee.name === 'VariableName' && cx.source.textOf(callee) === 'super';
  if (isSuper && childrenOf(list).length === 2) return superOf(cx);
  const parts = callee.name === 'MemberExpression' ? childrenOf(callee) : [];
  const property = parts[2];
  if (property?.name === 'PropertyName') {
    const owner = cx.expression(parts[0]!);
    return `py.method(${owner}, ${quote(cx.nameOf(property))}, ${positional}${more})`;
  }
  return `py.call(${cx.expression(callee)}, ${positional}${more})`;
}

/** `super()` in a method: what the base of its class has, for the first parameter. */
function superOf(cx: Context): string {
  let scope: Scope | undefined = cx.scope;
  while (scope !== undefined && scope.kind !== 'function') scope = scope.parent;
  const self = scope?.self;
  let home = scope;
  while (home !== undefined && home.kind !== 'class') home = home.parent;
  if (self === undefined || home === undefined) return 'py.noSuper()';
  return `py.superOf(ns, ${variable(self)})`;
}
