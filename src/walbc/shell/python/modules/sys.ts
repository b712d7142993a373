/** `sys`: arguments, leaving, standard output and error. */
import { SystemExit } from '../../builtins.ts';
import { fn } from '../runtime/natives.ts';
import { isInt } from '../runtime/numbers.ts';
import { str } from '../runtime/repr.ts';
import { isNone, PyModule } from '../runtime/values.ts';

export interface Streams {
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
}

/** `print(x, file=...)` and `write` go here. */
export function stream(name: string, write: (text: string) => void): PyModule {
  return new PyModule(name, {
    write: fn('write', 'text, /', (text: string) => {
      write(text);
      return text.length;
    }),
    flush: fn('flush', '', () => undefined),
  });
}

/** Python's notion of an exit code: None is 0, a text is printed and is 1. */
export function leave(code: unknown, writeError: (text: string) => void): never {
  if (isNone(code)) throw new SystemExit(0);
  if (isInt(code)) throw new SystemExit(Number(code) & 0xff);
  writeError(`${str(code)}\n`);
  throw new SystemExit(1);
}

/** Arguments as Python has them: the name of the script first. */
export function sysModule({ write, writeError }: Streams, argv: () => readonly string[]): PyModule {
  const members = {
    exit: fn('exit', 'status=, /', (code?: unknown) => leave(code, writeError)),
    stdout: stream('sys.stdout', write),
    stderr: stream('sys.stderr', writeError),
    // Scripts add the folder of walblib to it; here modules are built in.
    path: [],
    maxsize: Number.MAX_SAFE_INTEGER,
    platform: process.platform,
    version: 'walbc python mode',
  };
  return new PyModule(
    'sys',
    Object.defineProperty(members, 'argv', { enumerable: true, get: argv }),
  );
}
