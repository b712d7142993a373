/** What the translator knows where it is: the scope, temporaries, loops and handlers around. */
import { newScope, type Resolved, resolve, type Scope } from './scope.ts';
import { type Node, Source } from './tree.ts';

/** How the text is run: what its expressions do with their values. */
export type TranslateMode =
  /** Values of expression statements are printed. */
  | 'prompt'
  /** The value of the last expression is the result. */
  | 'command'
  /** Values are dropped. */
  | 'script';

export interface Loop {
  /** What `break` leaves: the block around the loop and its `else`. */
  readonly exit: string;
}

/** One JavaScript function of the output. */
interface Unit {
  readonly scope: Scope;
  readonly temporaries: string[];
  readonly loops: Loop[];
  /** Variables with the exception of each `except` around. */
  readonly handlers: string[];
  isGenerator: boolean;
  readonly mayYield: boolean;
}

/** JavaScript identifiers, which Python's are too; the grammar takes more. */
const IDENTIFIER = /^[\p{XID_Start}_]\p{XID_Continue}*$/u;

/** The two that call each other all over the tree. */
export interface Translators {
  readonly expression: (cx: Context, node: Node) => string;
  /** The statements of a body. */
  readonly block: (cx: Context, body: Node) => string;
}

export class Context {
  readonly source: Source;
  readonly mode: TranslateMode;
  readonly #translators: Translators;
  #unit: Unit;
  #labels = 0;

  constructor(text: string, file: string, mode: TranslateMode, translators: Translators) {
    this.#translators = translators;
    this.source = new Source(text, file);
    this.mode = mode;
    this.#unit = newUnit(newScope('module', undefined), false);
  }

  get scope(): Scope {
    return this.#unit.scope;
  }

  get loops(): Loop[] {
    return this.#unit.loops;
  }

  get handlers(): string[] {
    return this.#unit.handlers;
  }

  get mayYield(): boolean {
    return this.#unit.mayYield;
  }

  /** The function being translated has a `yield` in it. */
  markGenerator(): void {
    this.#unit.isGenerator = true;
  }

  /** A variable of the JavaScript function for a value that is used twice. */
  temporary(): string {
    this.#labels += 1;
    const name = `t${this.#labels}`;
    this.#unit.temporaries.push(name);
    return name;
  }

  label(): string {
    this.#labels += 1;
    return `L${this.#labels}`;
  }

  /** Translates what stands in a function of its own; `declare` are its temporaries. */
  within(
    scope: Scope,
    work: () => string,
    options: { readonly mayYield?: boolean } = {},
  ): { readonly code: string; readonly declare: string; readonly isGenerator: boolean } {
    const outer = this.#unit;
    const unit = newUnit(scope, options.mayYield ?? false);
    this.#unit = unit;
    try {
      const code = work();
      return { code, declare: declaration(unit.temporaries), isGenerator: unit.isGenerator };
    } finally {
      this.#unit = outer;
    }
  }

  /** Temporaries of the outermost function. */
  get declare(): string {
    return declaration(this.#unit.temporaries);
  }

  expression(node: Node): string {
    return this.#translators.expression(this, node);
  }

  block(body: Node): string {
    return this.#translators.block(this, body);
  }

  nameOf(node: Node): string {
    const name = this.source.textOf(node);
    if (!IDENTIFIER.test(name)) this.source.fail(node, `'${name}' is no name`);
    return name;
  }

  resolve(name: string): Resolved {
    return resolve(this.scope, name);
  }

  /** The output moves on to the line of this node. */
  mark(node: Node): string {
    return mark(this.source.lineOf(node.from));
  }

  fail(at: Node | number, message: string): never {
    return this.source.fail(at, message);
  }
}

function newUnit(scope: Scope, mayYield: boolean): Unit {
  return { scope, temporaries: [], loops: [], handlers: [], isGenerator: false, mayYield };
}

function declaration(names: readonly string[]): string {
  return names.length === 0 ? '' : `let ${names.join(', ')}; `;
}

/** A local variable. */
export function variable(name: string): string {
  return `$${name}`;
}

const MARK = /\ue000(\d+)\ue001/g;

function mark(line: number): string {
  return `\ue000${line}\ue001`;
}

/**
 * The output with every marked piece on the line of the source it comes from, so that the stack of an
 * exception tells the operator's lines. String literals hold none of the marks.
 */
export function alignLines(code: string): string {
  let line = 1;
  return code.replace(MARK, (_, wanted: string) => {
    const missing = Math.max(0, Number(wanted) - line);
    line += missing;
    return '\n'.repeat(missing);
  });
}
