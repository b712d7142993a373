/**
 * Text typed by the operator as a script of Node. JavaScript is taken as it is; TypeScript has its
 * types stripped by Node; what stripping can not do (enums, namespaces, decorators) goes through
 * ts-node, which is loaded only then.
 */
import { stripTypeScriptTypes } from 'node:module';
import vm from 'node:vm';
import { isIncomplete, pythonHint, toScript } from './source.ts';

export interface Compiled {
  readonly script: vm.Script;
  /** The script's value is a promise of the result: the text uses `await` outside of functions. */
  readonly isAsync: boolean;
}

/** The text goes on in the next line. */
export class IncompleteInput extends Error {
  override readonly name = 'IncompleteInput';
}

export interface CompileOptions {
  readonly file: string;
  /** Asks for more lines (IncompleteInput) instead of failing on text that is cut off. */
  readonly mayContinue: boolean;
  /** Keyword arguments, comments with `#`, declaring again: on unless the text is a module. */
  readonly pythonic: boolean;
}

/** Compiles one input. Throws SyntaxError or IncompleteInput. */
export function compile(code: string, options: CompileOptions): Compiled {
  if (options.mayContinue && isIncomplete(code)) throw new IncompleteInput();
  const source = options.pythonic ? toScript(code, { redeclare: options.mayContinue }) : code;
  const attempts: (() => Compiled)[] = [
    ...(isObjectLiteral(source) ? [() => plain(`(${source}\n)`, options.file)] : []),
    () => plain(source, options.file),
    () => plain(withoutTypes(source), options.file),
    ...(/\bawait\b/.test(source) ? [() => asynchronous(withoutTypes(source), options.file)] : []),
    ...(/\b(enum|namespace|module|import|export|declare|constructor)\b|@/.test(source)
      ? [() => plain(transpile(source, options.file), options.file)]
      : []),
  ];
  return firstThatCompiles(attempts, code, options);
}

function firstThatCompiles(
  attempts: readonly (() => Compiled)[],
  code: string,
  options: CompileOptions,
): Compiled {
  let first: unknown;
  let typed: unknown;
  for (const attempt of attempts) {
    try {
      return attempt();
    } catch (thrown) {
      first ??= thrown;
      if (isOfTypeScript(thrown)) typed ??= thrown;
      if (options.mayContinue && /Unexpected end of input/.test(String(thrown))) {
        throw new IncompleteInput();
      }
    }
  }
  // Where JavaScript stumbles over a type, the parser that knows types tells the real place.
  throw explain(typed === undefined ? first : placed(typed as Error, first, options.file), code);
}

/** An error of the parser of TypeScript; its text begins with `:LINE`. */
function isOfTypeScript(thrown: unknown): boolean {
  return (thrown as { code?: unknown } | null)?.code === 'ERR_INVALID_TYPESCRIPT_SYNTAX';
}

/** As an error of Node's own: the stack begins with the place in the file. */
function placed(error: Error, first: unknown, file: string): unknown {
  const line = /^:(\d+)\n/.exec(error.stack ?? '')?.[1];
  const isSame = (first as Error).stack?.startsWith(`${file}:${line}\n`) ?? false;
  if (line === undefined || isSame) return first;
  const made = new SyntaxError(error.message);
  made.stack = `${file}:${line}\n${made.stack ?? ''}`;
  return made;
}

/** Python where it can not work: say what to write. */
function explain(thrown: unknown, code: string): unknown {
  const hint = pythonHint(code);
  if (!(thrown instanceof SyntaxError) || hint === undefined) return thrown;
  thrown.message += `\nThis looks like Python; here it is written: ${hint}. In Python mode (.python, --python) it works as it is`;
  return thrown;
}

function plain(source: string, filename: string): Compiled {
  const script = new vm.Script(source, {
    filename,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  return { script, isAsync: false };
}

/** `await` at the top: an expression gives its value, statements give nothing. */
function asynchronous(source: string, filename: string): Compiled {
  const body = source.trim().replace(/;$/, '');
  try {
    return { ...plain(`(async () => (${body}\n))()`, filename), isAsync: true };
  } catch {
    return { ...plain(`(async () => { ${source}\n})()`, filename), isAsync: true };
  }
}

/** `{ a: 1 }` at the prompt is an object, not a block with a label. */
function isObjectLiteral(source: string): boolean {
  return /^\s*\{/.test(source) && !/;\s*$/.test(source);
}

function withoutTypes(source: string): string {
  return importsToRequires(stripTypeScriptTypes(source, { mode: 'strip' }));
}

/** `import` of a module by name or path, as the shell runs scripts and not modules. */
function importsToRequires(source: string): string {
  return source
    .replace(/^[ \t]*import\s+(['"][^'"]+['"])/gm, 'require($1)')
    .replace(
      /^[ \t]*import\s+(?:([\w$]+)\s*,?\s*)?(?:\*\s*as\s+([\w$]+)|(\{[^}]*\}))?\s*from\s*(['"][^'"]+['"])/gm,
      (
        _,
        one: string | undefined,
        all: string | undefined,
        some: string | undefined,
        from: string,
      ) =>
        [
          one === undefined ? '' : `var ${one} = __default(require(${from}))`,
          all === undefined ? '' : `var ${all} = require(${from})`,
          some === undefined ? '' : `var ${some.replace(/\bas\b/g, ':')} = require(${from})`,
        ]
          .filter((statement) => statement !== '')
          .join('; '),
    );
}

type TsNode = typeof import('ts-node');
let service: ReturnType<TsNode['create']> | undefined;

/** The full TypeScript compiler, without type checks. Costs most of a second the first time. */
function transpile(source: string, file: string): string {
  service ??= (
    process.getBuiltinModule('node:module').createRequire(import.meta.url)('ts-node') as TsNode
  ).create({
    transpileOnly: true,
    skipProject: true,
    ignore: [],
    compilerOptions: {
      module: 'commonjs',
      target: 'es2022',
      alwaysStrict: false,
      experimentalDecorators: true,
      ignoreDeprecations: '6.0',
      inlineSourceMap: false,
    },
  });
  const output = service.compile(source, file.endsWith('.ts') ? file : `${file}.ts`);
  return output
    .replace(/^"use strict";\n?/, '')
    .replace(/^Object\.defineProperty\(exports, "__esModule".*\n?/m, '')
    .replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
}
