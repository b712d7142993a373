/** Statements with blocks: if, while, for, try, with. */
import type { Context } from './context.ts';
import { values } from './lists.ts';
import { assignList, forgetName, storeName } from './targets.ts';
import { childrenOf, type Node } from './tree.ts';

export function ifStatement(cx: Context, node: Node): string {
  const children = childrenOf(node);
  let code = '';
  for (let at = 0; at < children.length; ) {
    const word = children[at]!;
    if (word.name === 'else') {
      code += ` else { ${cx.block(children[at + 1]!)} }`;
      at += 2;
      continue;
    }
    const [test, body] = [children[at + 1]!, children[at + 2]];
    if (body === undefined) return cx.fail(word, 'the condition is missing');
    const head = word.name === 'elif' ? ' else ' : '';
    code += `${head}if (py.true(${cx.mark(test)}${cx.expression(test)})) { ${cx.block(body)} }`;
    at += 3;
  }
  return code;
}

/** The body of a loop, in which `break` leaves `exit`. */
function loopBody(cx: Context, exit: string, body: Node): string {
  cx.loops.push({ exit });
  try {
    return cx.block(body);
  } finally {
    cx.loops.pop();
  }
}

function elseOf(cx: Context, children: readonly Node[]): string {
  const at = children.findIndex(({ name }) => name === 'else');
  return at < 0 ? '' : ` ${cx.block(children[at + 1]!)}`;
}

export function whileStatement(cx: Context, node: Node): string {
  const children = childrenOf(node);
  const exit = cx.label();
  const test = cx.expression(children[1]!);
  const body = loopBody(cx, exit, children[2]!);
  return `${exit}: { while (py.true(${test})) { py.tick(); ${body} }${elseOf(cx, children)} }`;
}

export function forStatement(cx: Context, node: Node): string {
  const children = childrenOf(node);
  if (children[0]?.name === 'async')
    cx.fail(node, 'async is not supported: calls block by themselves');
  const within = children.findIndex(({ name }) => name === 'in');
  const body = children.findIndex(({ name }) => name === 'Body');
  const list = values(cx, children.slice(within + 1, body), node);
  const exit = cx.label();
  const item = cx.temporary();
  const store = assignList(cx, children.slice(1, within), item, node);
  const code = loopBody(cx, exit, children[body]!);
  const rest = elseOf(cx, children.slice(body + 1));
  return `${exit}: { for (${item} of py.iter(${list})) { py.tick(); ${store} ${code} }${rest} }`;
}

interface Handler {
  readonly word: Node;
  readonly type: Node | undefined;
  readonly name: Node | undefined;
  readonly body: Node;
}

interface Try {
  readonly body: Node;
  readonly handlers: readonly Handler[];
  readonly otherwise: Node | undefined;
  readonly last: Node | undefined;
}

export function tryStatement(cx: Context, node: Node): string {
  const { body, handlers, otherwise, last } = partsOf(cx, node);
  if (handlers.length === 0 && last === undefined) cx.fail(node, "expected 'except' or 'finally'");
  const done = otherwise === undefined ? '' : cx.temporary();
  let code = cx.block(body);
  if (otherwise !== undefined) code = `${done} = false; try { ${code} ${done} = true; }`;
  else code = `try { ${code} }`;
  if (handlers.length > 0) code += ` ${handlerChain(cx, handlers)}`;
  if (otherwise !== undefined) code += ` if (${done}) { ${cx.block(otherwise)} }`;
  if (last === undefined) return code;
  const guarded = handlers.length > 0 ? `try { ${code} }` : code;
  return `${guarded} finally { ${cx.block(last)} }`;
}

function handlerChain(cx: Context, handlers: readonly Handler[]): string {
  const caught = cx.label();
  const parts = handlers.map(({ type, name, body }, at) => {
    if (type === undefined && at < handlers.length - 1) {
      cx.fail(handlers[at]!.word, "default 'except:' must be last");
    }
    const test =
      type === undefined ? 'true' : `py.matches(${caught}, ${cx.mark(type)}${cx.expression(type)})`;
    return `if (${test}) { ${handlerBody(cx, caught, name, body)} }`;
  });
  // The variable is a parameter of catch, so that a nested handler has its own.
  return `catch (${caught}) { ${caught} = py.caught(${caught}); ${parts.join(' else ')} else throw ${caught}; }`;
}

function handlerBody(cx: Context, caught: string, name: Node | undefined, body: Node): string {
  cx.handlers.push(caught);
  try {
    const code = cx.block(body);
    if (name === undefined) return code;
    const text = cx.nameOf(name);
    return `${storeName(cx, text, caught)}; try { ${code} } finally { ${forgetName(cx, text)} }`;
  } finally {
    cx.handlers.pop();
  }
}

function partsOf(cx: Context, node: Node): Try {
  const children = childrenOf(node);
  const handlers: Handler[] = [];
  let otherwise: Node | undefined;
  let last: Node | undefined;
  for (let at = 2; at < children.length; at += 1) {
    const word = children[at]!;
    if (word.name === 'else') otherwise = children[at + 1];
    else if (word.name === 'finally') last = children[at + 1];
    else if (word.name === 'except') {
      const end = children.findIndex(({ name }, index) => index > at && name === 'Body');
      const [type, as, name] = children.slice(at + 1, end);
      if (type?.name === '*') cx.fail(type, 'except* is not supported; write except');
      if (as !== undefined && name === undefined) cx.fail(as, 'a name is missing');
      handlers.push({ word, type, name, body: children[end]! });
    }
  }
  if (otherwise !== undefined && handlers.length === 0)
    cx.fail(otherwise, "expected 'except' before else");
  return { body: children[1]!, handlers, otherwise, last };
}

/** `with a as b, c:` as nested blocks. */
export function withStatement(cx: Context, node: Node): string {
  const children = childrenOf(node);
  if (children[0]?.name === 'async')
    cx.fail(node, 'async is not supported: calls block by themselves');
  const body = children.at(-1)!;
  return managers(cx, itemsOf(children.slice(1, -1)), body);
}

interface Item {
  readonly value: Node;
  readonly name: Node | undefined;
}

function itemsOf(nodes: readonly Node[]): Item[] {
  const items: Item[] = [];
  for (let at = 0; at < nodes.length; at += 1) {
    const node = nodes[at]!;
    if (node.name === ',') continue;
    if (nodes[at + 1]?.name === 'as') {
      items.push({ value: node, name: nodes[at + 2] });
      at += 2;
    } else items.push({ value: node, name: undefined });
  }
  return items;
}

function managers(cx: Context, items: readonly Item[], body: Node): string {
  const [item, ...rest] = items;
  if (item === undefined) return cx.block(body);
  const [manager, failed] = [cx.temporary(), cx.label()];
  const enter = `${manager} = py.enter(${cx.expression(item.value)});`;
  const store =
    item.name === undefined ? '' : `${storeName(cx, cx.nameOf(item.name), `${manager}.value`)}; `;
  const code = managers(cx, rest, body);
  return (
    `${enter} try { ${store}${code} } ` +
    `catch (${failed}) { if (!${manager}.failed(${failed})) throw ${failed}; } ` +
    `finally { ${manager}.leave(); }`
  );
}
