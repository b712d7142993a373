/**
 * The layout file as a module, for layouts that are computed:
 *
 *     import { K_ARCHIVE, ServerConnectionParam, ServerLayout } from 'walb-ts';
 *     export const sLayout = new ServerLayout([], [], [new ServerConnectionParam('a0', 'a', 10200, K_ARCHIVE)]);
 *     export const tls = { ca: 'ca.pem', certificate: 'ctl.pem', privateKey: 'ctl.key' };
 *
 * `walb-ts` is the package whose walbc reads it, wherever the file lies.
 */
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { WalbError } from '../../core/index.ts';
import { ServerLayout } from '../layout.ts';
import { type LoadedLayout, layoutError, loadTls, readLayoutText, TLS_KEYS } from './loaded.ts';

/** Reads `.ts`, `.js` and `.mjs`. Throws `invalid-argument` naming file, line and problem. */
export async function loadModuleLayout(file: string): Promise<LoadedLayout> {
  readLayoutText(file);
  const found = await importModule(file);
  const layout = found['sLayout'] ?? found['default'];
  if (!(layout instanceof ServerLayout)) {
    const names = Object.keys(found).join(', ') || 'nothing';
    throw layoutError(file, `it must export sLayout, a ServerLayout; it exports ${names}`);
  }
  return { file, layout, ...tlsOf(file, found['tls']) };
}

async function importModule(file: string): Promise<Record<string, unknown>> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const own = new URL(`../index.${extension}`, import.meta.url).href;
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'walb-ts' ? { url: own, shortCircuit: true } : next(specifier, context),
  });
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (thrown) {
    throw layoutError(file, problemOf(thrown), lineIn(thrown, file));
  } finally {
    hooks.deregister();
  }
}

function problemOf(thrown: unknown): string {
  if (thrown instanceof WalbError) return thrown.message;
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}

/** The first place of the file in the stack. */
export function lineIn(thrown: unknown, file: string): number | undefined {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
  const at = stack.indexOf(`${file}:`);
  const line = at < 0 ? undefined : /^\d+/.exec(stack.slice(at + file.length + 1))?.[0];
  return line === undefined ? undefined : Number(line);
}

/** The `tls` that a module or a Python file defines. */
export function tlsOf(file: string, tls: unknown): Pick<LoadedLayout, 'tls' | 'tlsFiles'> {
  if (tls === undefined || tls === null) return {};
  const paths = tls as Record<string, unknown>;
  for (const key of TLS_KEYS) {
    if (typeof paths[key] === 'string') continue;
    throw layoutError(file, `tls: ${key} must be the path of a PEM file`);
  }
  return loadTls(file, paths as never, (_, problem) => layoutError(file, problem));
}
