/**
 * The layout file: which servers the group has, in YAML.
 *
 *     storage:
 *       - { name: s0, address: 192.0.2.10, port: 10000 }
 *     proxy:
 *       - { name: p0, address: 192.0.2.20, port: 10100 }
 *     archive:
 *       - { name: a0, address: 192.0.2.30, port: 10200 }
 *     tls: { ca: ca.pem, certificate: ctl.pem, privateKey: ctl.key }
 *
 * `binDir`, `dataDir`, `logPath`, `vg` and `tp` make a server one that can be started
 * (ServerStartupParam). Paths of `tls` are relative to the file.
 *
 * It is looked for in `--layout`, WALB_LAYOUT, ./walb.yaml, ~/.config/walb/walb.yaml, in this order.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { WalbError } from '../../core/index.ts';
import type { TlsOptions } from '../../rpc/index.ts';
import { K_ARCHIVE, K_PROXY, K_STORAGE, type ServerKind } from '../constants.ts';
import { ServerLayout } from '../layout.ts';
import { ServerConnectionParam, type ServerParam, ServerStartupParam } from '../servers.ts';

export interface LoadedLayout {
  readonly file: string;
  readonly layout: ServerLayout;
  readonly tls?: TlsOptions;
}

export interface LayoutSearch {
  /** `--layout`. */
  readonly option?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

const SECTIONS = { storage: K_STORAGE, proxy: K_PROXY, archive: K_ARCHIVE } as const;
const SERVER_KEYS = ['name', 'address', 'port', 'binDir', 'dataDir', 'logPath', 'vg', 'tp'];
const TLS_KEYS = ['ca', 'certificate', 'privateKey'] as const;
/** A group has a handful of servers; a bigger file is not a layout. */
const MAX_FILE_BYTES = 1024 * 1024;

type Mapping = Readonly<Record<string, unknown>>;

/** Path of the layout file; undefined when there is none. A file that was named must be there. */
export function findLayoutFile({ option, env, cwd }: LayoutSearch): string | undefined {
  const named = option ?? (env['WALB_LAYOUT'] || undefined);
  if (named !== undefined) {
    const path = resolve(cwd, named);
    if (existsSync(path)) return path;
    const source = option === undefined ? 'WALB_LAYOUT' : '--layout';
    throw new WalbError('not-found', `there is no layout file ${path} (${source})`, {
      details: { file: path },
    });
  }
  const config = env['XDG_CONFIG_HOME'] || resolve(env['HOME'] ?? homedir(), '.config');
  return [resolve(cwd, 'walb.yaml'), resolve(config, 'walb/walb.yaml')].find((path) =>
    existsSync(path),
  );
}

/** Reads a layout file. Throws `invalid-argument` that names the file, the place and what is wrong. */
export async function loadLayout(file: string): Promise<LoadedLayout> {
  const { parse } = await import('yaml');
  const fail = (problem: string): WalbError =>
    new WalbError('invalid-argument', `layout file ${file}: ${problem}`, { details: { file } });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    throw WalbError.from(thrown, `layout file ${file}`);
  }
  if (text.length > MAX_FILE_BYTES) throw fail(`it has ${text.length} bytes; that is no layout`);
  try {
    return layoutOf(parse(text), file);
  } catch (thrown) {
    throw fail(thrown instanceof Error ? thrown.message.trimEnd() : String(thrown));
  }
}

function layoutOf(document: unknown, file: string): LoadedLayout {
  const root = recordAt(document, 'the file', [...Object.keys(SECTIONS), 'tls']);
  const [storage, proxy, archive] = Object.entries(SECTIONS).map(([section, kind]) =>
    serversAt(root[section], section, kind),
  ) as [ServerParam[], ServerParam[], ServerParam[]];
  const layout = new ServerLayout(storage, proxy, archive);
  const tls = root['tls'];
  if (tls === undefined || tls === null) return { file, layout };
  return { file, layout, tls: tlsOf(tls, dirname(file)) };
}

function recordAt(value: unknown, place: string, allowed: readonly string[]): Mapping {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw bad(`${place} must be a mapping with ${allowed.join(', ')}`);
  }
  const unknown = Object.keys(value).filter((key) => !allowed.includes(key));
  if (unknown.length === 0) return value as Mapping;
  throw bad(`${place} has unknown keys ${unknown.join(', ')}; there are: ${allowed.join(', ')}`);
}

function bad(message: string): WalbError {
  return new WalbError('invalid-argument', message);
}

function serversAt(value: unknown, section: string, kind: ServerKind): ServerParam[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw bad(`${section} must be a list of servers`);
  return value.map((entry, index) => {
    const place = `${section} server ${index + 1}`;
    return serverOf(recordAt(entry, place, SERVER_KEYS), place, kind);
  });
}

function serverOf(entry: Mapping, place: string, kind: ServerKind): ServerParam {
  const text = (key: string): string | null => {
    const value = entry[key] ?? null;
    if (value === null || typeof value === 'string') return value;
    throw bad(`${place}: ${key} must be text`);
  };
  const need = (key: string): string => {
    const value = text(key);
    if (value === null || value === '') throw bad(`${place}: ${key} is missing`);
    return value;
  };
  const { port } = entry;
  if (typeof port !== 'number') throw bad(`${place}: port must be a number`);
  const connection = new ServerConnectionParam(need('name'), need('address'), port, kind);
  if (text('binDir') === null && text('dataDir') === null) return connection;
  return new ServerStartupParam(
    connection,
    need('binDir'),
    need('dataDir'),
    text('logPath'),
    text('vg'),
    text('tp'),
  );
}

function tlsOf(value: unknown, folder: string): TlsOptions {
  const entry = recordAt(value, 'tls', TLS_KEYS);
  const paths = TLS_KEYS.map((key) => {
    const path = entry[key];
    if (typeof path === 'string') return [key, path] as const;
    throw bad(`tls: ${key} must be the path of a PEM file`);
  });
  const pems = paths.map(
    ([key, path]) => [key, readFileSync(resolve(folder, path), 'utf8')] as const,
  );
  return Object.fromEntries(pems) as unknown as TlsOptions;
}
