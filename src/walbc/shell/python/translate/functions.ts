/** `def` and `lambda`: parameters, defaults, local names. */
import { argumentsOf } from './calls.ts';
import { type Context, variable } from './context.ts';
import { quote } from './literals.ts';
import { collectNames, newScope, type Scope } from './scope.ts';
import { storeName } from './targets.ts';
import { childrenOf, commaSeparated, type Node } from './tree.ts';

interface Parameter {
  readonly kind: 'plain' | 'star' | 'kwargs' | 'bare-star' | 'slash';
  readonly name: string;
  readonly node: Node;
  readonly initial: Node | undefined;
}

function parametersOf(cx: Context, list: Node): Parameter[] {
  const children = childrenOf(list).filter(({ name }) => name !== '(' && name !== ')');
  return commaSeparated(children).map((group): Parameter => {
    // The grammar leaves the slash out of the tree.
    const node = group[0] ?? list;
    if (group.length === 0) return { kind: 'slash', name: '', node, initial: undefined };
    const named = group.find(({ name }) => name === 'VariableName');
    const equals = group.findIndex(({ name }) => name === 'AssignOp');
    const initial = equals < 0 ? undefined : group[equals + 1];
    const name = named === undefined ? '' : cx.nameOf(named);
    const text = cx.source.textOf(node);
    if (text === '*') {
      return { kind: named === undefined ? 'bare-star' : 'star', name, node, initial };
    }
    if (text === '**') return { kind: 'kwargs', name, node, initial };
    return { kind: 'plain', name, node, initial };
  });
}

function checkParameters(cx: Context, parameters: readonly Parameter[]): void {
  const seen = new Set<string>();
  let hasDefault = false;
  let isAfterStar = false;
  for (const { kind, name, node, initial } of parameters) {
    if (name !== '' && seen.has(name)) cx.fail(node, `duplicate argument '${name}'`);
    seen.add(name);
    if (kind === 'star' || kind === 'bare-star') isAfterStar = true;
    if (kind !== 'plain' || isAfterStar) continue;
    if (hasDefault && initial === undefined) {
      cx.fail(node, 'parameter without a default follows parameter with a default');
    }
    hasDefault = initial !== undefined;
  }
  const kwargs = parameters.findIndex(({ kind }) => kind === 'kwargs');
  if (kwargs >= 0 && kwargs < parameters.length - 1) {
    cx.fail(parameters[kwargs + 1]!.node, 'arguments cannot follow **');
  }
}

/** JavaScript for the parameters as the runtime wants them (runtime/functions.ts). */
function specification(
  cx: Context,
  name: string,
  parameters: readonly Parameter[],
  doc: string,
): string {
  const star = parameters.findIndex(({ kind }) => kind === 'star' || kind === 'bare-star');
  const plain = parameters.filter(({ kind }, at) => kind === 'plain' && (star < 0 || at < star));
  const keywordOnly = parameters.filter(
    ({ kind }, at) => kind === 'plain' && star >= 0 && at > star,
  );
  const slash = parameters.findIndex(({ kind }) => kind === 'slash');
  const pair = ({ name: key, initial }: Parameter): string =>
    initial === undefined
      ? `[${quote(key)}]`
      : `[${quote(key)}, ${cx.expression(initial)}, ${quote(cx.source.textOf(initial))}]`;
  const named = (kind: Parameter['kind']): string => {
    const found = parameters.find((parameter) => parameter.kind === kind);
    return found === undefined ? 'undefined' : quote(found.name);
  };
  const parts = [
    quote(name),
    `[${plain.map(pair).join(', ')}]`,
    `[${keywordOnly.map(pair).join(', ')}]`,
    named('star'),
    named('kwargs'),
    String(Math.max(0, slash)),
    doc,
  ];
  return parts.join(', ');
}

function scopeOf(cx: Context, parameters: readonly Parameter[]): Scope {
  const scope = newScope('function', cx.scope);
  for (const { name } of parameters) if (name !== '') scope.locals.add(name);
  const [first] = parameters;
  if (first?.kind === 'plain') scope.self = first.name;
  return scope;
}

/** Parameters in the order in which the runtime passes them. */
function parameterList(parameters: readonly Parameter[]): string {
  const star = parameters.filter(({ kind }) => kind === 'star');
  const kwargs = parameters.filter(({ kind }) => kind === 'kwargs');
  const plain = parameters.filter(({ kind }) => kind === 'plain');
  return [...plain, ...star, ...kwargs].map(({ name }) => variable(name)).join(', ');
}

export function lambda(cx: Context, node: Node): string {
  const children = childrenOf(node);
  const list = children.find(({ name }) => name === 'ParamList')!;
  const parameters = parametersOf(cx, list);
  checkParameters(cx, parameters);
  const spec = specification(cx, '<lambda>', parameters, 'undefined');
  const scope = scopeOf(cx, parameters);
  const { code, declare } = cx.within(scope, () => cx.expression(children.at(-1)!));
  return `py.def(${spec}, function $$lambda(${parameterList(parameters)}) { ${declare}return (${code}); })`;
}

/** An expression that makes the function. */
export function functionValue(cx: Context, node: Node): string {
  const children = childrenOf(node);
  if (children[0]?.name === 'async') {
    cx.fail(node, "'async def' is not supported: calls block by themselves, so write def");
  }
  const name = cx.nameOf(children.find((child) => child.name === 'VariableName')!);
  const parameters = parametersOf(cx, children.find((child) => child.name === 'ParamList')!);
  checkParameters(cx, parameters);
  const body = children.find((child) => child.name === 'Body')!;
  const spec = specification(cx, name, parameters, docString(cx, body));
  const scope = scopeOf(cx, parameters);
  collectNames(body, scope, cx.source);
  checkScopes(cx, scope, parameters, node);
  const { code, declare, isGenerator } = cx.within(scope, () => cx.block(body), {
    mayYield: true,
  });
  const own = parameters.map((parameter) => parameter.name);
  const locals = [...scope.locals].filter((local) => !own.includes(local));
  const lets = locals.map((local) => `${variable(local)} = py.unbound`);
  const head = `${declare}${lets.length === 0 ? '' : `let ${lets.join(', ')}; `}`;
  const star = isGenerator ? '*' : '';
  const maker = isGenerator ? 'defGenerator' : 'def';
  return `py.${maker}(${spec}, function${star} ${variable(name)}(${parameterList(parameters)}) { py.tick(); ${head}${code} })`;
}

function checkScopes(
  cx: Context,
  scope: Scope,
  parameters: readonly Parameter[],
  node: Node,
): void {
  for (const { name } of parameters) {
    if (scope.globals.has(name)) cx.fail(node, `name '${name}' is parameter and global`);
    if (scope.nonlocals.has(name)) cx.fail(node, `name '${name}' is parameter and nonlocal`);
  }
  for (const name of scope.nonlocals) {
    let at = scope.parent;
    while (at !== undefined && !(at.kind === 'function' && at.locals.has(name))) at = at.parent;
    if (at === undefined) cx.fail(node, `no binding for nonlocal '${name}' found`);
  }
}

/** The first statement of a body when it is a text. */
export function docString(cx: Context, body: Node): string {
  const first = childrenOf(body).find(({ name }) => name !== ':');
  const statement = first?.name === 'StatementGroup' ? first.firstChild : first;
  const value = statement?.name === 'ExpressionStatement' ? statement.firstChild : null;
  return value?.name === 'String' ? cx.expression(value) : 'undefined';
}

export function functionStatement(cx: Context, node: Node): string {
  return define(cx, node, functionValue(cx, node));
}

/** An expression that makes the class from a body that fills a namespace. */
function classValue(cx: Context, node: Node): string {
  const children = childrenOf(node);
  const name = cx.nameOf(children.find((child) => child.name === 'VariableName')!);
  const list = children.find((child) => child.name === 'ArgList');
  const bases = list === undefined ? [] : commaSeparated(childrenOf(list).slice(1, -1));
  if (bases.some((group) => group.length > 1)) {
    cx.fail(list!, 'metaclasses and other arguments of a class are not supported');
  }
  if (bases.length > 1) cx.fail(bases[1]![0]!, 'a class of several bases is not supported');
  const base = bases[0] === undefined ? 'undefined' : cx.expression(bases[0][0]!);
  const body = children.find((child) => child.name === 'Body')!;
  const scope = newScope('class', cx.scope);
  collectNames(body, scope, cx.source);
  const doc = docString(cx, body);
  const { code, declare } = cx.within(scope, () => cx.block(body));
  return `py.class(${quote(name)}, ${base}, ${doc}, function ${variable(name)}(ns) { ${declare}${code} })`;
}

export function classStatement(cx: Context, node: Node): string {
  return define(cx, node, classValue(cx, node));
}

function define(cx: Context, node: Node, value: string): string {
  const name = childrenOf(node).find((child) => child.name === 'VariableName')!;
  return `${storeName(cx, cx.nameOf(name), value)};`;
}

/** `@first @second def f`: first(second(f)), with the decorators evaluated in the order of the text. */
export function decoratedStatement(cx: Context, node: Node): string {
  const children = childrenOf(node);
  const definition = children.at(-1)!;
  const value =
    definition.name === 'ClassDefinition'
      ? classValue(cx, definition)
      : functionValue(cx, definition);
  const decorators = children
    .filter(({ name }) => name === 'Decorator')
    .map((decorator) => {
      const kept = cx.temporary();
      return { kept, code: `${kept} = ${decoratorValue(cx, decorator)}; ` };
    });
  const decorated = decorators.reduceRight(
    (inner, { kept }) => `py.call(${kept}, [${inner}])`,
    value,
  );
  return decorators.map(({ code }) => code).join('') + define(cx, definition, decorated);
}

function decoratorValue(cx: Context, decorator: Node): string {
  const [, first, ...rest] = childrenOf(decorator) as [Node, Node, ...Node[]];
  let value = cx.expression(first);
  for (const part of rest) {
    if (part.name === 'ArgList') {
      const { positional, keywords } = argumentsOf(cx, part);
      value = `py.call(${value}, ${positional}${keywords === '' ? '' : `, ${keywords}`})`;
    } else if (part.name !== '.') {
      value = `py.attribute(${value}, ${quote(cx.nameOf(part))})`;
    }
  }
  return value;
}
