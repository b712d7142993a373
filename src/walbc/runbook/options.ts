/** The words after `walbc run`. */
import { WalbError } from '../../core/index.ts';

export const RUN_USAGE = `usage: walbc run [OPTIONS] BOOK [OPTIONS] [ARGS...]

Runs a runbook (.ts, .js, .py). Says each call that changes something before it is made, and keeps a
transcript.

  --layout FILE      the servers of the group; before BOOK
  --dry-run          change nothing: say what would be done and what would be lost; queries go through,
                     calls that change something return None. The book sees it in the variable dry_run
  --confirm          ask before calls that lose something
  --yes              answer every question with yes
  --resume           go on after a run that failed: skip its finished steps. The arguments are those of
                     that run, the book and the layout must not have changed
  --from STEP        begin with this step (its number or title), whatever was done
  --transcript FILE  instead of one in the state folder
  --                 all behind it is for the book

ARGS are in argv. Exit codes: 0; what exit(code) of the book says; that of the error that ended it; 2 for
wrong arguments, 3 for a book or step that is not there, 7 when --resume does not fit, 130 after Ctrl-C.
`;

export interface RunOptions {
  readonly book: string;
  readonly args: readonly string[];
  readonly layout: string | undefined;
  readonly isDryRun: boolean;
  readonly isConfirming: boolean;
  readonly isYes: boolean;
  readonly isResuming: boolean;
  readonly from: string | undefined;
  readonly transcript: string | undefined;
}

const FLAGS = ['--dry-run', '--confirm', '--yes', '--resume'];
const VALUES = ['--from', '--transcript'];

/** Throws `invalid-argument` with what is wrong; undefined when the usage is wanted. */
export function parseRun(words: readonly string[]): RunOptions | undefined {
  const found = new Map<string, string>();
  const left = [...words];
  let book: string | undefined;
  const args: string[] = [];
  while (left.length > 0) {
    const word = left.shift()!;
    if (word === '--') {
      args.push(...left.splice(0));
      break;
    }
    if (takeOption(word, left, found, book === undefined)) continue;
    if (book !== undefined) args.push(word);
    else if (word === '--help' || word === '-h') return undefined;
    else if (word.startsWith('-')) throw misused(`run has no option ${word}`);
    else book = word;
  }
  if (book === undefined) throw misused('run takes the file of a runbook');
  return optionsOf(book, args, found);
}

/** Takes the word, and its value, when it is an option of run. `--layout` is so before the book only. */
function takeOption(
  word: string,
  left: string[],
  found: Map<string, string>,
  isBeforeBook: boolean,
): boolean {
  const [name, inline] = word.startsWith('--') ? splitAt(word) : [word, undefined];
  if (FLAGS.includes(word)) {
    found.set(word, '');
    return true;
  }
  if (!VALUES.includes(name) && !(isBeforeBook && name === '--layout')) return false;
  const value = inline ?? left.shift();
  if (value === undefined || value === '') throw misused(`${name} takes a value`);
  found.set(name, value);
  return true;
}

function splitAt(word: string): [string, string | undefined] {
  const at = word.indexOf('=');
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function optionsOf(book: string, args: string[], found: Map<string, string>): RunOptions {
  if (found.has('--resume') && found.has('--from')) {
    throw misused('--resume and --from exclude each other');
  }
  return {
    book,
    args,
    layout: found.get('--layout'),
    isDryRun: found.has('--dry-run'),
    isConfirming: found.has('--confirm'),
    isYes: found.has('--yes'),
    isResuming: found.has('--resume'),
    from: found.get('--from'),
    transcript: found.get('--transcript'),
  };
}

function misused(problem: string): WalbError {
  return new WalbError('invalid-argument', `${problem}\n${RUN_USAGE}`);
}
