/** Expressions. Each gives one piece of JavaScript that stands wherever a value may. */

import { call } from './calls.ts';
import { comprehension } from './comprehensions.ts';
import type { Context } from './context.ts';
import { lambda } from './functions.ts';
import { elements, tuple, values } from './lists.ts';
import { formatString, number, textLiteral } from './literals.ts';
import { member } from './members.ts';
import { homeOf } from './scope.ts';
import { readName, storeName } from './targets.ts';
import { childrenOf, commaSeparated, type Node } from './tree.ts';

const BINARY: Readonly<Record<string, string>> = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '/': 'div',
  '//': 'floordiv',
  '%': 'mod',
  '**': 'pow',
  '<<': 'shl',
  '>>': 'shr',
  '&': 'bitand',
  '|': 'bitor',
  '^': 'bitxor',
};

const COMPARE: Readonly<Record<string, string>> = {
  '<': 'lt',
  '<=': 'le',
  '>': 'gt',
  '>=': 'ge',
  '==': 'eq',
  '!=': 'ne',
  '<>': 'ne',
  in: 'contains',
  'not in': 'notContains',
  is: 'is',
  'is not': 'isNot',
};

/** The runtime's function for an operator such as `+`. */
export function operatorFunction(cx: Context, operator: Node, text: string): string {
  const name = BINARY[text];
  return name ?? cx.fail(operator, `the operator ${text} is not supported`);
}

export function expression(cx: Context, node: Node): string {
  const translate = EXPRESSIONS[node.name];
  if (translate !== undefined) return translate(cx, node);
  return cx.fail(node, `'${cx.source.textOf(node).split('\n')[0]}' is no expression`);
}

const EXPRESSIONS: Readonly<Record<string, (cx: Context, node: Node) => string>> = {
  VariableName: (cx, node) => readName(cx, cx.nameOf(node)),
  Number: number,
  String: textLiteral,
  FormatString: formatString,
  ContinuedString: (cx, node) =>
    `(${childrenOf(node)
      .map((part) => expression(cx, part))
      .join(' + ')})`,
  None: () => 'undefined',
  Boolean: (cx, node) => (cx.source.textOf(node) === 'True' ? 'true' : 'false'),
  Ellipsis: () => 'py.ellipsis',
  ParenthesizedExpression: parenthesized,
  TupleExpression: (cx, node) => tuple(cx, inner(node)),
  ArrayExpression: (cx, node) => `[${elements(cx, inner(node))}]`,
  SetExpression: (cx, node) => `py.newSet([${elements(cx, inner(node))}])`,
  DictionaryExpression: dictionary,
  ComprehensionExpression: comprehension,
  ArrayComprehensionExpression: comprehension,
  SetComprehensionExpression: comprehension,
  DictionaryComprehensionExpression: comprehension,
  BinaryExpression: binary,
  UnaryExpression: unary,
  ConditionalExpression: conditional,
  LambdaExpression: lambda,
  CallExpression: call,
  MemberExpression: member,
  NamedExpression: named,
  YieldExpression: yielded,
  AwaitExpression: (cx, node) => cx.fail(node, 'await is not supported: calls block by themselves'),
};

/** What is between the brackets. */
function inner(node: Node): Node[] {
  return childrenOf(node).slice(1, -1);
}

function parenthesized(cx: Context, node: Node): string {
  const [first, ...more] = inner(node);
  if (first === undefined) return 'py.tuple([])';
  if (more.length > 0) return cx.fail(first, 'a star needs a list around it');
  return `(${cx.mark(first)}${expression(cx, first)})`;
}

function dictionary(cx: Context, node: Node): string {
  const entries = commaSeparated(inner(node)).map((group) => {
    const [first, second, third] = group;
    if (first?.name === '**' && second !== undefined)
      return `...py.entries(${expression(cx, second)})`;
    if (first === undefined || third === undefined) return cx.fail(node, 'a value is missing');
    return `[${cx.mark(first)}${expression(cx, first)}, ${expression(cx, third)}]`;
  });
  return `py.newDict([${entries.join(', ')}])`;
}

/** Operands and the operator between them, which may be of two words. */
function operandsOf(cx: Context, node: Node): [Node, string, Node] {
  const children = childrenOf(node);
  const [left, right] = [children[0]!, children.at(-1)!];
  const operator = children
    .slice(1, -1)
    .map((child) => cx.source.textOf(child))
    .join(' ');
  return [left, operator, right];
}

function binary(cx: Context, node: Node): string {
  const [left, operator, right] = operandsOf(cx, node);
  if (operator === 'and' || operator === 'or') return logic(cx, node);
  if (operator in COMPARE) return comparison(cx, node);
  const fn = operatorFunction(cx, node, operator);
  return `py.${fn}(${expression(cx, left)}, ${expression(cx, right)})`;
}

/**
 * `and`, `or` and `not` by Python's precedence: in the tree `not a or b` is `not (a or b)`, so it is put
 * together anew from its operands in their order.
 */
function logic(cx: Context, node: Node): string {
  const parts = flattened(cx, node);
  let at = 0;
  const negation = (): string => {
    const part = parts[at]!;
    at += 1;
    return part === 'not' ? `(!py.true(${negation()}))` : expression(cx, part as Node);
  };
  const chain = (word: 'and' | 'or', operand: () => string): string => {
    let code = operand();
    while (parts[at] === word) {
      at += 1;
      const kept = cx.temporary();
      const next = operand();
      code =
        word === 'and'
          ? `(py.true(${kept} = ${code}) ? ${next} : ${kept})`
          : `(py.true(${kept} = ${code}) ? ${kept} : ${next})`;
    }
    return code;
  };
  return chain('or', () => chain('and', negation));
}

type LogicPart = Node | 'and' | 'or' | 'not';

function flattened(cx: Context, node: Node): LogicPart[] {
  if (node.name === 'UnaryExpression' && node.firstChild?.name === 'not') {
    return ['not', ...flattened(cx, childrenOf(node)[1]!)];
  }
  if (node.name !== 'BinaryExpression') return [node];
  const [left, operator, right] = operandsOf(cx, node);
  if (operator !== 'and' && operator !== 'or') return [node];
  return [...flattened(cx, left), operator, ...flattened(cx, right)];
}

/** `a < b <= c` evaluates b once, and c only when it matters. */
function comparison(cx: Context, node: Node): string {
  const links: [string, Node][] = [];
  let first = node;
  while (first.name === 'BinaryExpression') {
    const [left, operator, right] = operandsOf(cx, first);
    if (!(operator in COMPARE)) break;
    links.unshift([COMPARE[operator]!, right]);
    first = left;
  }
  let left = expression(cx, first);
  const tests = links.map(([fn, right], at) => {
    const value = expression(cx, right);
    const isLast = at === links.length - 1;
    const kept = isLast ? '' : cx.temporary();
    const test = `py.${fn}(${left}, ${isLast ? value : `${kept} = ${value}`})`;
    left = kept;
    return test;
  });
  return tests.length === 1 ? tests[0]! : `(${tests.join(' && ')})`;
}

const UNARY: Readonly<Record<string, string>> = { '-': 'neg', '+': 'pos', '~': 'invert' };

function unary(cx: Context, node: Node): string {
  const [operator, operand] = childrenOf(node) as [Node, Node];
  const sign = cx.source.textOf(operator);
  return sign === 'not' ? logic(cx, node) : `py.${UNARY[sign]}(${expression(cx, operand)})`;
}

function conditional(cx: Context, node: Node): string {
  const [yes, , test, , no] = childrenOf(node) as [Node, Node, Node, Node, Node];
  return `(py.true(${expression(cx, test)}) ? ${expression(cx, yes)} : ${expression(cx, no)})`;
}

/** `name := value`, which binds in the function around a comprehension. */
function named(cx: Context, node: Node): string {
  const [target, , value] = childrenOf(node) as [Node, Node, Node];
  if (target.name !== 'VariableName') cx.fail(target, ':= takes a name on its left');
  if (homeOf(cx.scope).kind === 'class') cx.fail(node, ':= is not supported in a class');
  return `(${storeName(cx, cx.nameOf(target), expression(cx, value))})`;
}

export function yielded(cx: Context, node: Node): string {
  if (!cx.mayYield) cx.fail(node, "'yield' outside of a function");
  cx.markGenerator();
  const [, from, ...rest] = childrenOf(node);
  if (from === undefined) return '(yield undefined)';
  if (from.name === 'from') {
    const [list] = rest;
    return list === undefined
      ? cx.fail(node, 'a value is missing')
      : `(yield* py.iter(${expression(cx, list)}))`;
  }
  return `(yield (${values(cx, [from, ...rest], node)}))`;
}
