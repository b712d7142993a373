/** `open(path, mode)`: text files, read and written whole lines or texts at a time. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { raise } from '../runtime/exceptions.ts';
import { iter } from '../runtime/iteration.ts';
import { fn } from '../runtime/natives.ts';
import { isNone, PyModule } from '../runtime/values.ts';
import { system } from './os.ts';

const MODES: ReadonlySet<string> = new Set(['r', 'w', 'a', 'x', 'rt', 'wt', 'at']);

export const open = fn(
  'open',
  'file, mode=, buffering=, encoding=',
  (path: string, mode?: unknown) => {
    const kind = isNone(mode) ? 'r' : String(mode);
    if (!MODES.has(kind))
      raise('ValueError', `open() takes the modes r, w, a and x, not '${kind}'`);
    return kind.startsWith('r') ? reading(path) : writing(path, kind[0]!);
  },
);

/** An object with `__enter__` and `__exit__`, as `with` wants it. */
function managed(
  path: string,
  close: () => void,
  members: Readonly<Record<string, unknown>>,
): PyModule {
  const file: PyModule = new PyModule(path, {
    name: path,
    ...members,
    close: fn('close', '', close),
    __enter__: fn('__enter__', '', () => file),
    __exit__: fn('__exit__', '*args', close),
  });
  return file;
}

function reading(path: string): PyModule {
  let rest = system(() => readFileSync(path, 'utf8'));
  let isClosed = false;
  const take = (size: number): string => {
    if (isClosed) raise('ValueError', 'I/O operation on closed file.');
    const text = rest.slice(0, size);
    rest = rest.slice(size);
    return text;
  };
  const line = (): string => take((rest.indexOf('\n') + 1 || rest.length) as number);
  const lines = (): string[] => {
    const found: string[] = [];
    for (let next = line(); next !== ''; next = line()) found.push(next);
    return found;
  };
  const close = (): void => {
    isClosed = true;
  };
  return managed(path, close, {
    read: fn('read', 'size=, /', (size?: unknown) =>
      take(isNone(size) ? rest.length : Number(size)),
    ),
    readline: fn('readline', '', line),
    readlines: fn('readlines', '', lines),
    __iter__: lines,
  });
}

function writing(path: string, mode: string): PyModule {
  const handle = system(() => openSync(path, mode === 'x' ? 'wx' : mode));
  let isClosed = false;
  const write = (text: string): number => {
    if (isClosed) raise('ValueError', 'I/O operation on closed file.');
    system(() => writeSync(handle, text));
    return text.length;
  };
  const close = (): void => {
    if (!isClosed) closeSync(handle);
    isClosed = true;
  };
  return managed(path, close, {
    write: fn('write', 'text, /', write),
    writelines: fn('writelines', 'lines, /', (list: unknown) => {
      for (const text of iter(list)) write(String(text));
    }),
    flush: fn('flush', '', () => undefined),
  });
}
