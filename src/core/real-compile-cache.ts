/**
 * Compiled code kept between runs, so that a one-shot command does not compile some hundred files
 * again: it halves the time to start.
 *
 * What is in the cache is run, so it lies below the home of the user who runs, never in a shared /tmp,
 * and only where nobody else can write. Under sudo HOME may be that of another user: then there is no
 * cache. NODE_COMPILE_CACHE names another folder, NODE_DISABLE_COMPILE_CACHE=1 turns it off.
 */
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { isAbsolute, join } from 'node:path';

type Environment = Record<string, string | undefined>;

/** Group and others. */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Turns the cache on for what is loaded from now on, also in worker threads and in programs of ours
 * that are started: they read `env`, which is process.env. Does nothing where it would not be safe.
 */
export function useCompileCache(env: Environment): void {
  // Node has seen to it already.
  if (env['NODE_COMPILE_CACHE'] !== undefined) return;
  const folder = cacheFolder(env);
  if (folder === undefined) return;
  const { directory } = enableCompileCache(folder);
  if (directory !== undefined) env['NODE_COMPILE_CACHE'] = folder;
}

/** The folder, made when it is not there; undefined where it can not be ours alone. */
export function cacheFolder(env: Environment): string | undefined {
  const [home, named] = [env['HOME'], env['XDG_CACHE_HOME'] || undefined];
  const base = named ?? (home === undefined ? undefined : join(home, '.cache'));
  if (base === undefined || !isAbsolute(base)) return undefined;
  const made = [
    ...(named === undefined ? [base] : []),
    join(base, 'walb'),
    join(base, 'walb/node'),
  ];
  try {
    if (!isOursAlone(named ?? (home as string))) return undefined;
    // One by one: a recursive mkdir never returns on file systems such as /proc.
    made.forEach(makeFolder);
    return made.every(isOursAlone) ? made.at(-1) : undefined;
  } catch {
    // No home, a read-only one, a file in the way: it works without.
    return undefined;
  }
}

function makeFolder(path: string): void {
  if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
}

function isOursAlone(path: string): boolean {
  const { uid, mode } = lstatSync(path);
  return uid === process.getuid?.() && (mode & WRITABLE_BY_OTHERS) === 0;
}
