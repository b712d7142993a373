/** `os` and `os.path`: the small part that configuration files and runbooks use. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, extname, isAbsolute, resolve } from 'node:path';
import { type ExceptionName, exceptionClasses, PythonError } from '../runtime/exceptions.ts';
import { fn } from '../runtime/natives.ts';
import { isNone, PyDict, PyModule, tuple } from '../runtime/values.ts';

const CODES: Readonly<Record<string, ExceptionName>> = {
  ENOENT: 'FileNotFoundError',
  EEXIST: 'FileExistsError',
  EACCES: 'PermissionError',
  EPERM: 'PermissionError',
};

/** Runs a call of the file system; its errors are Python's. */
export function system<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof PythonError) throw thrown;
    const { code = '', message, errno, path } = thrown as NodeJS.ErrnoException;
    // `ENOENT: no such file or directory, open 'x'` in Python's words.
    const reason = /^[A-Z]+: ([^,]+)/.exec(message)?.[1] ?? message;
    const words = reason.charAt(0).toUpperCase() + reason.slice(1);
    const file = path === undefined ? '' : `: '${path}'`;
    const error = new exceptionClasses[CODES[code] ?? 'OSError'](
      errno === undefined ? message : `[Errno ${-errno}] ${words}${file}`,
    );
    throw Object.assign(error, { errno: errno === undefined ? undefined : -errno, filename: path });
  }
}

function join(parts: readonly unknown[]): string {
  return parts.map(String).reduce((path, part) => {
    if (isAbsolute(part) || path === '') return part;
    return path.endsWith('/') ? path + part : `${path}/${part}`;
  });
}

/** As Python has it: what ends with a slash has no last part. */
function split(path: string): [string, string] {
  const at = path.lastIndexOf('/') + 1;
  const head = path.slice(0, at);
  return [/^\/*$/.test(head) ? head : head.replace(/\/+$/, ''), path.slice(at)];
}

const isKind = (path: string, kind: 'isFile' | 'isDirectory'): boolean =>
  existsSync(path) && statSync(path)[kind]();

const path = new PyModule('os.path', {
  abspath: fn('abspath', 'path', (name: string) => resolve(name)),
  realpath: fn('realpath', 'path', (name: string) => resolve(name)),
  basename: fn('basename', 'p', (name: string) => split(name)[1]),
  dirname: fn('dirname', 'p', (name: string) => split(name)[0]),
  split: fn('split', 'p', (name: string) => tuple(split(name))),
  splitext: fn('splitext', 'p', (name: string) => {
    const end = extname(basename(name)).length;
    return tuple([name.slice(0, name.length - end), name.slice(name.length - end)]);
  }),
  join: fn('join', 'a, *p', (first: string, parts: unknown[]) => join([first, ...parts])),
  exists: fn('exists', 'path', (name: string) => existsSync(name)),
  isfile: fn('isfile', 'path', (name: string) => isKind(name, 'isFile')),
  isdir: fn('isdir', 'path', (name: string) => isKind(name, 'isDirectory')),
  isabs: fn('isabs', 's', (name: string) => isAbsolute(name)),
  getsize: fn('getsize', 'filename', (name: string) => system(() => statSync(name).size)),
  expanduser: fn('expanduser', 'path', (name: string) =>
    name.replace(/^~(?=\/|$)/, process.env['HOME'] ?? '~'),
  ),
  sep: '/',
});

export function osModule(): PyModule {
  return new PyModule('os', {
    path,
    sep: '/',
    linesep: '\n',
    name: 'posix',
    environ: new PyDict(Object.entries(process.env)),
    getcwd: fn('getcwd', '', () => process.cwd()),
    getenv: fn(
      'getenv',
      'key, default=',
      (name: string, missing?: unknown) => process.env[name] ?? missing,
    ),
    getpid: fn('getpid', '', () => process.pid),
    listdir: fn('listdir', 'path=', (name?: unknown) =>
      system(() => readdirSync(isNone(name) ? '.' : String(name))),
    ),
    mkdir: fn('mkdir', 'path, mode=', (name: string) => system(() => mkdirSync(name))),
    makedirs: fn(
      'makedirs',
      'name, mode=, exist_ok=',
      (name: string, _mode: unknown, ok?: unknown) =>
        system(() => {
          if (ok !== true && existsSync(name))
            throw new exceptionClasses.FileExistsError(`the folder exists: ${name}`);
          mkdirSync(name, { recursive: true });
        }),
    ),
    remove: fn('remove', 'path', (name: string) => system(() => rmSync(name))),
    unlink: fn('unlink', 'path', (name: string) => system(() => rmSync(name))),
    rename: fn('rename', 'src, dst', (from: string, to: string) =>
      system(() => renameSync(from, to)),
    ),
    uname: fn('uname', '', () => tuple([process.platform, hostname()])),
  });
}

export const osPath = path;
