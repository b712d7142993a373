/** Comprehensions and generator expressions: functions of their own around nested loops. */
import { type Context, variable } from './context.ts';
import { addTargets, newScope, type Scope } from './scope.ts';
import { assignList } from './targets.ts';
import { childrenOf, type Node } from './tree.ts';

interface Clause {
  readonly kind: 'for' | 'if';
  readonly node: Node;
  /** Of `for`: the targets, with commas. */
  readonly targets: readonly Node[];
  /** What is iterated over, or tested. */
  readonly value: Node;
}

type Kind = 'list' | 'set' | 'dict' | 'generator';

const KINDS: Readonly<Record<string, Kind>> = {
  ArrayComprehensionExpression: 'list',
  SetComprehensionExpression: 'set',
  DictionaryComprehensionExpression: 'dict',
  ComprehensionExpression: 'generator',
};

export function comprehension(cx: Context, node: Node): string {
  return build(cx, KINDS[node.name]!, childrenOf(node).slice(1, -1));
}

/** The generator in `sum(x for x in y)`. */
export function generatorOf(cx: Context, nodes: readonly Node[]): string {
  return build(cx, 'generator', nodes);
}

function build(cx: Context, kind: Kind, nodes: readonly Node[]): string {
  const start = nodes.findIndex(({ name }) => name === 'for' || name === 'async');
  const element = nodes.slice(0, start);
  const clauses = clausesOf(cx, nodes.slice(start));
  const [first] = clauses;
  if (first === undefined || element.length === 0) return cx.fail(nodes[0]!, 'a value is missing');
  if (element[0]!.name === '*' || element[0]!.name === '**') {
    cx.fail(element[0]!, 'iterable unpacking cannot be used in comprehension');
  }
  // The first list belongs to the surroundings; so do its errors.
  const source = cx.expression(first.value);
  const scope = newScope('comprehension', cx.scope);
  for (const { targets } of clauses) {
    for (const target of targets) addTargets(target, scope, cx.source);
  }
  const { code, declare } = cx.within(scope, () =>
    loops(cx, clauses, () => emit(cx, kind, element)),
  );
  const head = `${declare}${declareLocals(scope)}`;
  return wrap(kind, head, code, `py.iter(${source})`);
}

function wrap(kind: Kind, head: string, code: string, source: string): string {
  if (kind === 'generator') {
    return `py.generator((function* $$genexpr(it) { ${head}${code} })(${source}), "generator")`;
  }
  const name = `$$${kind}comp`;
  const made = { list: '[]', set: 'py.newSet([])', dict: 'py.newDict([])' }[kind];
  return `(function ${name}(it) { const out = ${made}; ${head}${code} return out; })(${source})`;
}

function declareLocals(scope: Scope): string {
  const names = [...scope.locals].map((name) => `${variable(name)} = py.unbound`);
  return names.length === 0 ? '' : `let ${names.join(', ')}; `;
}

function emit(cx: Context, kind: Kind, element: readonly Node[]): string {
  const [first, , third] = element as [Node, Node?, Node?];
  const value = cx.expression(first);
  switch (kind) {
    case 'list':
      return `out.push(${value});`;
    case 'set':
      return `out.add(${value});`;
    case 'dict':
      return `out.set(${value}, ${cx.expression(third!)});`;
    case 'generator':
      return `yield (${value});`;
  }
}

function loops(cx: Context, clauses: readonly Clause[], body: () => string, at = 0): string {
  const clause = clauses[at];
  if (clause === undefined) return body();
  if (clause.kind === 'if') {
    const test = cx.expression(clause.value);
    return `if (py.true(${test})) { ${loops(cx, clauses, body, at + 1)} }`;
  }
  const source = at === 0 ? 'it' : `py.iter(${cx.expression(clause.value)})`;
  const item = cx.temporary();
  const store = assignList(cx, clause.targets, item, clause.node);
  return `for (${item} of ${source}) { py.tick(); ${store} ${loops(cx, clauses, body, at + 1)} }`;
}

function clausesOf(cx: Context, nodes: readonly Node[]): Clause[] {
  const clauses: Clause[] = [];
  for (let at = 0; at < nodes.length; ) {
    const node = nodes[at]!;
    if (node.name === 'if') {
      clauses.push({ kind: 'if', node, targets: [], value: nodes[at + 1]! });
      at += 2;
    } else if (node.name === 'for') {
      const end = nodes.findIndex(({ name }, index) => index > at && name === 'in');
      clauses.push({
        kind: 'for',
        node,
        targets: nodes.slice(at + 1, end),
        value: nodes[end + 1]!,
      });
      at = end + 2;
    } else return cx.fail(node, 'async is not supported: calls block by themselves');
  }
  return clauses;
}
