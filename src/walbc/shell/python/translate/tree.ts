/** The syntax tree of @lezer/python, with the text it is about. */
import { parser } from '@lezer/python';
import { PythonSyntaxError } from '../syntax-error.ts';

type Tree = ReturnType<typeof parser.parse>;
export type Node = Tree['topNode'];

/** No text anybody writes is nested deeper; the stack of the translator has an end. */
const MAX_DEPTH = 400;

export class Source {
  readonly text: string;
  readonly file: string;
  readonly #lineStarts: number[];

  constructor(text: string, file: string) {
    this.text = text;
    this.file = file;
    this.#lineStarts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  }

  parse(): Node {
    const root = parser.parse(this.text).topNode;
    this.#findErrors(root);
    return root;
  }

  textOf(node: Node): string {
    return this.text.slice(node.from, node.to);
  }

  /** Line of an offset, from 1. */
  lineOf(offset: number): number {
    let [low, high] = [0, this.#lineStarts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#lineStarts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  }

  fail(at: Node | number, message: string): never {
    const offset = typeof at === 'number' ? at : at.from;
    throw new PythonSyntaxError(message, this.file, this.text, offset);
  }

  #findErrors(root: Node): void {
    let depth = 0;
    root.cursor().iterate(
      (ref) => {
        depth += 1;
        if (depth > MAX_DEPTH) this.fail(ref.from, 'this is nested too deep');
        if (ref.type.isError && !this.#isWholeFloat(ref.node) && !this.#isBareYield(ref.node))
          this.#failAt(ref.node);
      },
      () => {
        depth -= 1;
      },
    );
  }

  /** `1.` is a number that the grammar takes for a member without name. */
  #isWholeFloat(node: Node): boolean {
    const parent = node.parent;
    return (
      parent?.name === 'MemberExpression' &&
      parent.firstChild?.name === 'Number' &&
      /^\d[\d_]*\.$/.test(this.textOf(parent))
    );
  }

  /** `(yield)`: the grammar wants a value that Python does not. */
  #isBareYield(node: Node): boolean {
    const { parent } = node;
    return (
      parent?.name === 'YieldExpression' &&
      /^yield[ \t]*(?:[)\];,#\r\n]|$)/.test(this.text.slice(parent.from))
    );
  }

  /** What the grammar does not take and Python does, by name. */
  #hintAt(node: Node): string | undefined {
    const { name = '' } = node.parent ?? {};
    if (name === 'FormatReplacement' && this.text.startsWith(':=', node.from)) {
      return "a format that begins with '=' is not supported here; write format(x, '=...')";
    }
    return /Comprehension/.test(name) && this.textOf(node) === '*'
      ? 'a starred target in a comprehension is not supported; take the parts from the whole item'
      : undefined;
  }

  #failAt(node: Node): never {
    const hint = this.#hintAt(node);
    if (hint !== undefined) return this.fail(node, hint);
    const rest = this.text.slice(node.from).trimStart();
    const word = /^[\p{L}\p{N}_]+|^\S/u.exec(rest)?.[0];
    const offset = this.text.length - rest.length;
    const what = word === undefined ? 'the text ends too early' : `invalid syntax at '${word}'`;
    return this.fail(Math.max(node.from, Math.min(offset, this.text.length)), what);
  }
}

export function childrenOf(node: Node): Node[] {
  const children: Node[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name !== 'Comment' && !child.type.isError) children.push(child);
  }
  return children;
}

/** Children split at the separator: `a, b = c` at `AssignOp`. */
export function splitAt(nodes: readonly Node[], separator: string): Node[][] {
  const groups: Node[][] = [[]];
  for (const node of nodes) {
    if (node.name === separator) groups.push([]);
    else groups.at(-1)!.push(node);
  }
  return groups;
}

/** Groups between commas; none after a trailing one. */
export function commaSeparated(nodes: readonly Node[]): Node[][] {
  const groups = splitAt(nodes, ',');
  return groups.at(-1)!.length === 0 ? groups.slice(0, -1) : groups;
}
