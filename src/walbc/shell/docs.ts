/**
 * Docstrings: the comments above classes, methods and functions of the library, read from its own
 * files when somebody asks. Comments are in the sources and in what the package publishes alike, so
 * there is no second copy of them to keep.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface DocString {
  /** The class it belongs to, '' for functions and classes themselves. */
  readonly owner: string;
  readonly name: string;
  readonly text: string;
}

const DOC =
  /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:export\s+)?(?:declare\s+)?((?:abstract\s+|async\s+|static\s+|readonly\s+|protected\s+|private\s+|get\s+|set\s+)*)(class\s+|function\s+|const\s+|interface\s+|type\s+)?([\w$]+)/g;
const CLASS = /^(?:export\s+)?(?:abstract\s+)?class\s+([\w$]+)/gm;

/** Docstrings of all source files in these folders (their subfolders too) and files. */
export function readDocs(roots: readonly URL[]): DocString[] {
  return roots.flatMap((root) => filesBelow(fileURLToPath(root))).flatMap(docsOfFile);
}

function filesBelow(path: string): string[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => /(?<!\.d)\.(ts|js)$/.test(name))
    .map((name) => `${path.replace(/\/$/, '')}/${name}`);
}

function docsOfFile(file: string): DocString[] {
  const source = readFileSync(file, 'utf8');
  const classes = [...source.matchAll(CLASS)].map((match) => ({
    at: match.index,
    name: match[1]!,
  }));
  return [...source.matchAll(DOC)].flatMap((match) => {
    const [, comment = '', modifiers = '', keyword = '', name = ''] = match;
    if (/\b(protected|private)\b/.test(modifiers) || /interface|type/.test(keyword)) return [];
    const isTop = keyword !== '';
    const owner = isTop ? '' : (classes.findLast(({ at }) => at < match.index)?.name ?? '');
    const text = cleanComment(comment);
    return name === 'constructor' ? [{ owner: '', name: owner, text }] : [{ owner, name, text }];
  });
}

/** Without the stars and the indentation of the comment. */
function cleanComment(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim();
}

/** What is known about a name; classes may have a text of their own and one of their constructor. */
export function findDoc(docs: readonly DocString[], owner: string, name: string): string {
  const named = docs.filter((doc) => doc.name === name);
  const exact = named.filter((doc) => doc.owner === owner);
  // The methods of one class may be spread over the layers it is made of.
  const found = exact.length > 0 ? exact : owner === '' ? [] : named.filter((d) => d.owner !== '');
  return [...new Set(found.map((doc) => doc.text))].join('\n\n');
}

/** The first sentence, or as much of it as fits. */
export function summaryOf(text: string): string {
  const paragraph = text.split('\n\n')[0]!.replace(/\s+/g, ' ').trim();
  return /^.*?[.!?](?=\s|$)/.exec(paragraph)?.[0] ?? paragraph;
}
