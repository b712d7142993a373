/** Which names are local to what: Python decides it for a whole function, by its assignments. */
import { childrenOf, type Node, type Source } from './tree.ts';

export type ScopeKind = 'module' | 'function' | 'class' | 'comprehension';

export interface Scope {
  readonly kind: ScopeKind;
  readonly parent: Scope | undefined;
  readonly locals: Set<string>;
  readonly globals: Set<string>;
  readonly nonlocals: Set<string>;
  /** The first parameter of a function: what `super()` is about. */
  self?: string;
}

export type Resolved = 'local' | 'global' | 'class';

export function newScope(kind: ScopeKind, parent: Scope | undefined): Scope {
  return { kind, parent, locals: new Set(), globals: new Set(), nonlocals: new Set() };
}

/** Where a name lives that is used in `scope`. */
export function resolve(scope: Scope, name: string): Resolved {
  if (scope.kind === 'class' && scope.locals.has(name)) return 'class';
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    if (at.kind === 'module') break;
    if (at.globals.has(name)) return 'global';
    if (at.kind !== 'class' && at.locals.has(name)) return 'local';
  }
  return 'global';
}

/** The function (or module, or class) a comprehension stands in: there `:=` binds. */
export function homeOf(scope: Scope): Scope {
  let at = scope;
  while (at.kind === 'comprehension' && at.parent !== undefined) at = at.parent;
  return at;
}

const OWN_SCOPES = new Set(['FunctionDefinition', 'ClassDefinition', 'LambdaExpression']);

/** Fills in the names that the statements below `body` bind. */
export function collectNames(body: Node, scope: Scope, source: Source): void {
  visit(body, scope, source);
  for (const name of [...scope.globals, ...scope.nonlocals]) scope.locals.delete(name);
}

function visit(node: Node, scope: Scope, source: Source): void {
  bindNames(node, scope, source);
  for (const child of childrenOf(node)) {
    if (!OWN_SCOPES.has(child.name)) visit(child, scope, source);
    else bindNames(child, scope, source);
  }
}

function bindNames(node: Node, scope: Scope, source: Source): void {
  const add = (target: Node | undefined): void => {
    if (target !== undefined) addTargets(target, scope, source);
  };
  const children = childrenOf(node);
  const before = (name: string): Node[] => {
    const at = children.findLastIndex((child) => child.name === name);
    return at < 0 ? [] : children.slice(0, at);
  };
  switch (node.name) {
    case 'FunctionDefinition':
    case 'ClassDefinition':
      add(children.find((child) => child.name === 'VariableName'));
      break;
    case 'AssignStatement':
      before('AssignOp').forEach(add);
      break;
    case 'UpdateStatement':
      add(children[0]);
      break;
    case 'ForStatement': {
      const end = children.findIndex((child) => child.name === 'in');
      children.slice(1, end).forEach(add);
      break;
    }
    case 'DeleteStatement':
      children.slice(1).forEach(add);
      break;
    case 'NamedExpression':
      add(children[0]);
      break;
    case 'WithStatement':
    case 'TryStatement':
      children.forEach((child, at) => {
        if (child.name === 'as' || (node.name === 'TryStatement' && child.name === ',')) {
          add(children[at + 1]);
        }
      });
      break;
    case 'ImportStatement':
      for (const { local } of importedNames(node, source)) scope.locals.add(local);
      break;
    case 'ScopeStatement': {
      const names = children[0]?.name === 'global' ? scope.globals : scope.nonlocals;
      for (const child of children.slice(1)) {
        if (child.name === 'VariableName') names.add(source.textOf(child));
      }
    }
  }
}

/** Names in a target: of `(a, *b), c[0]` they are a and b. */
export function addTargets(target: Node, scope: Scope, source: Source): void {
  if (target.name === 'VariableName') scope.locals.add(source.textOf(target));
  else if (/^(?:TupleExpression|ArrayExpression|ParenthesizedExpression)$/.test(target.name)) {
    for (const child of childrenOf(target)) addTargets(child, scope, source);
  }
}

export interface Imported {
  /** 'a.b' of `import a.b` and `from a.b import c`. */
  readonly module: string;
  /** `c` of `from a import c`, '*' for all, undefined for the module itself. */
  readonly member: string | undefined;
  readonly local: string;
}

export function importedNames(node: Node, source: Source): Imported[] {
  const text = source.textOf(node).replace(/\\\r?\n|#.*/g, ' ');
  const from = /^from\s+([\p{L}\p{N}_.\s]+?)\s+import\s+([\s\S]*)$/u.exec(text);
  const list = (from?.[2] ?? text.replace(/^import\s+/, '')).replace(/[()]/g, ' ').split(',');
  const parts = list.map((part) => part.trim().split(/\s+as\s+/)).filter(([name]) => name !== '');
  return parts.flatMap(([name = '', alias]): Imported[] => {
    if (from !== null) {
      const module = from[1]!.replace(/\s/g, '');
      return name === '*'
        ? [{ module, member: '*', local: '*' }]
        : [{ module, member: name, local: alias ?? name }];
    }
    const module = name.replace(/\s/g, '');
    return [{ module, member: undefined, local: alias ?? module.split('.')[0]! }];
  });
}
