/** Simple statements, and the table of all of them. */
import {
  forStatement,
  ifStatement,
  tryStatement,
  whileStatement,
  withStatement,
} from './blocks.ts';
import type { Context } from './context.ts';
import { expression, operatorFunction, yielded } from './expressions.ts';
import { classStatement, decoratedStatement, functionStatement } from './functions.ts';
import { values } from './lists.ts';
import { quote } from './literals.ts';
import { importedNames } from './scope.ts';
import { assignList, remove, storeName, update } from './targets.ts';
import { childrenOf, commaSeparated, type Node, splitAt } from './tree.ts';

type Translate = (cx: Context, node: Node) => string;

const STATEMENTS: Readonly<Record<string, Translate>> = {
  StatementGroup: (cx, node) =>
    childrenOf(node)
      .filter(({ name }) => name !== ';')
      .map((child) => statement(cx, child))
      .join(' '),
  ExpressionStatement: expressionStatement,
  AssignStatement: assignStatement,
  UpdateStatement: updateStatement,
  DeleteStatement: (cx, node) =>
    commaSeparated(childrenOf(node).slice(1))
      .map(([target]) => remove(cx, target!))
      .join(' '),
  PassStatement: () => ';',
  BreakStatement: breakStatement,
  ContinueStatement: continueStatement,
  ReturnStatement: returnStatement,
  YieldStatement: (cx, node) => `${yielded(cx, node)};`,
  RaiseStatement: raiseStatement,
  AssertStatement: assertStatement,
  ImportStatement: importStatement,
  ScopeStatement: scopeStatement,
  IfStatement: ifStatement,
  WhileStatement: whileStatement,
  ForStatement: forStatement,
  TryStatement: tryStatement,
  WithStatement: withStatement,
  FunctionDefinition: functionStatement,
  ClassDefinition: classStatement,
  DecoratedStatement: decoratedStatement,
};

/** What Python has and the shell has not, and what to write instead. */
const REFUSED: Readonly<Record<string, string>> = {
  MatchStatement: 'match is not supported; write if and elif',
  TypeDefinition: 'type aliases are not supported; they mean nothing at run time',
};

export function statement(cx: Context, node: Node): string {
  const translate = STATEMENTS[node.name];
  if (translate !== undefined) return cx.mark(node) + translate(cx, node);
  return cx.fail(node, REFUSED[node.name] ?? `${node.name} is not supported`);
}

export function statements(cx: Context, nodes: readonly Node[]): string {
  return nodes.map((node) => statement(cx, node)).join(' ');
}

/** The statements of a body. */
export function block(cx: Context, body: Node): string {
  const nodes = childrenOf(body).filter(({ name }) => name !== ':');
  if (nodes.length === 0) cx.fail(body, 'expected an indented block');
  return statements(cx, nodes);
}

function expressionStatement(cx: Context, node: Node): string {
  const value = values(cx, childrenOf(node), node);
  const isTop = cx.scope.kind === 'module';
  if (isTop && cx.mode === 'prompt') return `py.echo(${value});`;
  const isLast = node.parent?.name === 'Script' || node.parent?.name === 'StatementGroup';
  if (isTop && cx.mode === 'command' && isLast) return `py.result(${value});`;
  return `${value};`;
}

function assignStatement(cx: Context, node: Node): string {
  const children = childrenOf(node);
  const annotation = children.find(({ name }) => name === 'TypeDef');
  const groups = splitAt(
    children.filter((child) => child !== annotation),
    'AssignOp',
  );
  const source = groups.at(-1)!;
  if (groups.length === 1) {
    return annotation === undefined ? cx.fail(node, 'a value is missing') : ';';
  }
  const value =
    source[0]?.name === 'YieldExpression' ? expression(cx, source[0]) : values(cx, source, node);
  const targets = groups.slice(0, -1);
  if (targets.length === 1) return assignList(cx, targets[0]!, value, node);
  const kept = cx.temporary();
  return `${kept} = ${value}; ${targets.map((target) => assignList(cx, target, kept, node)).join(' ')}`;
}

function updateStatement(cx: Context, node: Node): string {
  const children = childrenOf(node);
  const at = children.findIndex(({ name }) => name === 'UpdateOp');
  const [target] = children;
  if (at !== 1 || target === undefined) cx.fail(node, 'an update takes one target');
  const operator = children[at]!;
  const fn = operatorFunction(cx, operator, cx.source.textOf(operator).slice(0, -1));
  const rest = children.slice(at + 1);
  const isYield = rest[0]?.name === 'YieldExpression';
  return update(cx, target!, fn, isYield ? expression(cx, rest[0]!) : values(cx, rest, node));
}

function breakStatement(cx: Context, node: Node): string {
  const loop = cx.loops.at(-1);
  return loop === undefined ? cx.fail(node, "'break' outside loop") : `break ${loop.exit};`;
}

function continueStatement(cx: Context, node: Node): string {
  return cx.loops.length === 0 ? cx.fail(node, "'continue' not properly in loop") : 'continue;';
}

function returnStatement(cx: Context, node: Node): string {
  if (cx.scope.kind !== 'function') cx.fail(node, "'return' outside function");
  const rest = childrenOf(node).slice(1);
  return rest.length === 0 ? 'return;' : `return (${values(cx, rest, node)});`;
}

function raiseStatement(cx: Context, node: Node): string {
  const [, value, word, ...more] = childrenOf(node);
  if (value === undefined) {
    const handler = cx.handlers.at(-1);
    return handler === undefined ? 'py.raiseAgain();' : `throw ${handler};`;
  }
  if (word?.name === 'from')
    return `py.raise(${expression(cx, value)}, ${expression(cx, more[0]!)});`;
  if (word === undefined) return `py.raise(${expression(cx, value)});`;
  if (more.length > 1) cx.fail(more[1]!, 'raise with a traceback is not supported');
  return `py.raise(py.call(${expression(cx, value)}, [${expression(cx, more[0]!)}]));`;
}

function assertStatement(cx: Context, node: Node): string {
  const [test, message] = commaSeparated(childrenOf(node).slice(1));
  const text = message === undefined ? '' : expression(cx, message[0]!);
  return `if (!py.true(${expression(cx, test![0]!)})) py.assertionFailed(${text});`;
}

function importStatement(cx: Context, node: Node): string {
  const stores = importedNames(node, cx.source).map(({ module, member, local }) => {
    if (member === '*') return `py.importAll(${quote(module)});`;
    // `import os.path` binds os; `import os.path as p` what is named.
    const isWhole = member === undefined && local === module.split('.')[0];
    const value =
      member === undefined
        ? `py.importModule(${quote(module)}, ${isWhole})`
        : `py.importMember(${quote(module)}, ${quote(member)})`;
    return `${storeName(cx, local, value)};`;
  });
  return stores.join(' ') || ';';
}

function scopeStatement(cx: Context, node: Node): string {
  if (childrenOf(node)[0]?.name === 'nonlocal' && cx.scope.kind === 'module') {
    cx.fail(node, 'nonlocal declaration not allowed at module level');
  }
  return ';';
}
