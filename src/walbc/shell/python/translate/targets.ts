/** What stands left of `=`, after `for`, `as` and `del`. Gives statements. */
import { type Context, variable } from './context.ts';
import { quote } from './literals.ts';
import { placeOf } from './members.ts';
import { homeOf } from './scope.ts';
import { childrenOf, commaSeparated, type Node } from './tree.ts';

/** An expression that binds the name. */
export function storeName(cx: Context, name: string, value: string): string {
  const scope = homeOf(cx.scope);
  if (scope.kind === 'class' && scope.locals.has(name)) {
    return `py.setClassName(ns, ${quote(name)}, ${value})`;
  }
  return cx.resolve(name) === 'local'
    ? `${variable(name)} = ${value}`
    : `py.setName(${quote(name)}, ${value})`;
}

/** Stores `value` (an expression that is evaluated once) in a target. */
export function assign(cx: Context, target: Node, value: string): string {
  switch (target.name) {
    case 'VariableName':
      return `${storeName(cx, cx.nameOf(target), value)};`;
    case 'MemberExpression': {
      const { owner, kind, key } = placeOf(cx, target);
      const fn = kind === 'attribute' ? 'setAttribute' : 'setItem';
      return `py.${fn}(${owner}, ${key}, ${value});`;
    }
    case 'ParenthesizedExpression':
      return assign(cx, childrenOf(target)[1]!, value);
    case 'TupleExpression':
    case 'ArrayExpression':
      return unpack(cx, childrenOf(target).slice(1, -1), value, target);
    default:
      return cx.fail(target, `cannot assign to ${describe(target)}`);
  }
}

const KINDS: Readonly<Record<string, string>> = {
  CallExpression: 'a function call',
  Boolean: 'True or False',
  None: 'None',
  BinaryExpression: 'an expression; maybe == instead of =',
  ConditionalExpression: 'a conditional expression',
};

function describe(node: Node): string {
  return KINDS[node.name] ?? (/String|Number/.test(node.name) ? 'a literal' : 'this');
}

/** `a, b = value`; a single target without comma takes the value as it is. */
export function assignList(cx: Context, nodes: readonly Node[], value: string, at: Node): string {
  const [first] = nodes;
  if (first === undefined) return cx.fail(at, 'a target is missing');
  if (nodes.length === 1 && first.name !== '*') return assign(cx, first, value);
  return unpack(cx, nodes, value, at);
}

function unpack(cx: Context, nodes: readonly Node[], value: string, at: Node): string {
  const groups = commaSeparated(nodes);
  const starred = groups.findIndex(([first]) => first?.name === '*');
  if (groups.filter(([first]) => first?.name === '*').length > 1) {
    cx.fail(at, 'two starred targets in one assignment');
  }
  if (starred >= 0 && !nodes.some(({ name }) => name === ',') && at.name !== 'ArrayExpression') {
    cx.fail(at, 'a starred target needs a list or tuple around it');
  }
  const parts = cx.temporary();
  const stores = groups.map((group, index) => {
    const target = group.at(-1);
    return target === undefined
      ? cx.fail(at, 'a target is missing')
      : assign(cx, target, `${parts}[${index}]`);
  });
  return `${parts} = py.unpack(${value}, ${groups.length}, ${starred}); ${stores.join(' ')}`;
}

/** `target op= value`: what the target stands for is evaluated once. */
export function update(cx: Context, target: Node, fn: string, value: string): string {
  if (target.name === 'VariableName') {
    const name = cx.nameOf(target);
    const read = readName(cx, name);
    return `${storeName(cx, name, `py.inplace(${quote(fn)}, ${read}, ${value})`)};`;
  }
  if (target.name === 'ParenthesizedExpression')
    return update(cx, childrenOf(target)[1]!, fn, value);
  if (target.name !== 'MemberExpression')
    return cx.fail(target, `cannot update ${describe(target)}`);
  const { owner, kind, key } = placeOf(cx, target);
  const [owned, keyed] = [cx.temporary(), cx.temporary()];
  const [get, set] = kind === 'attribute' ? ['attribute', 'setAttribute'] : ['item', 'setItem'];
  const next = `py.inplace(${quote(fn)}, py.${get}(${owned}, ${keyed}), ${value})`;
  return `${owned} = ${owner}; ${keyed} = ${key}; py.${set}(${owned}, ${keyed}, ${next});`;
}

/** The value of a name. */
export function readName(cx: Context, name: string): string {
  const text = quote(name);
  switch (cx.resolve(name)) {
    case 'class':
      return `py.className(ns, ${text})`;
    case 'local':
      return `(${variable(name)} === py.unbound ? py.missing(${text}) : ${variable(name)})`;
    default:
      return `py.name(${text})`;
  }
}

export function remove(cx: Context, target: Node): string {
  switch (target.name) {
    case 'VariableName':
      return removeName(cx, cx.nameOf(target));
    case 'MemberExpression': {
      const { owner, kind, key } = placeOf(cx, target);
      return `py.${kind === 'attribute' ? 'deleteAttribute' : 'deleteItem'}(${owner}, ${key});`;
    }
    case 'ParenthesizedExpression':
    case 'TupleExpression':
    case 'ArrayExpression':
      return commaSeparated(childrenOf(target).slice(1, -1))
        .map(([part]) => remove(cx, part!))
        .join(' ');
    default:
      return cx.fail(target, `cannot delete ${describe(target)}`);
  }
}

function removeName(cx: Context, name: string): string {
  const text = quote(name);
  switch (cx.resolve(name)) {
    case 'class':
      return `py.deleteClassName(ns, ${text});`;
    case 'local':
      return `if (${variable(name)} === py.unbound) py.missing(${text}); ${variable(name)} = py.unbound;`;
    default:
      return `py.deleteName(${text});`;
  }
}

/** After `except E as name:` the name is gone, whether it was deleted already or not. */
export function forgetName(cx: Context, name: string): string {
  return cx.resolve(name) === 'local'
    ? `${variable(name)} = py.unbound;`
    : `py.forgetName(${quote(name)});`;
}
