/**
 * The layout file in YAML: which servers the group has, and how they are started.
 *
 *     storage:
 *       - { name: s0, address: 192.0.2.10, port: 10000 }
 *     proxy:
 *       - { name: p0, address: 192.0.2.20, port: 10100 }
 *     archive:
 *       - name: a0
 *         address: 192.0.2.30
 *         port: 10200
 *         dataDir: /srv/walb/a0          # this and the following: only to start it from here
 *         ssh: root@192.0.2.30
 *         options: { listen: 192.0.2.30, tls-cert: /etc/walb/a0.pem }
 *     tls: { ca: ca.pem, certificate: ctl.pem, privateKey: ctl.key }
 *
 * Read strictly: a misspelt key stops everything, with its line. Paths of `tls` are relative to the
 * file.
 */
import { isMap, isNode, LineCounter, parseDocument } from 'yaml';
import { WalbError } from '../../core/index.ts';
import type { TlsOptions } from '../../rpc/tls.ts';
import { K_ARCHIVE, K_PROXY, K_STORAGE, type ServerKind } from '../constants.ts';
import { ServerLayout } from '../layout.ts';
import {
  type OptionValue,
  ServerConnectionParam,
  type ServerParam,
  ServerStartupParam,
  type StartOptions,
} from '../servers.ts';
import { type LoadedLayout, layoutError, loadTls, TLS_KEYS, type TlsFiles } from './loaded.ts';

export const SECTIONS = { storage: K_STORAGE, proxy: K_PROXY, archive: K_ARCHIVE } as const;
const CONNECTION_KEYS = ['name', 'address', 'port'];
/** Each of them makes a server one that can be started. */
const START_KEYS = ['binDir', 'dataDir', 'logPath', 'vg', 'tp', 'ssh', 'config', 'options'];
const SERVER_KEYS = [...CONNECTION_KEYS, ...START_KEYS];
/** Decided by the layout itself; said twice they could differ. */
const OWN_OPTIONS = ['p', 'b', 'l', 'id', 'archive', 'proxy', 'vg', 'tp', 'config'];

type Mapping = Readonly<Record<string, unknown>>;
type Path = readonly (string | number)[];

/** Reads the text of `file`. Throws `invalid-argument` that names file, line, and what is wrong. */
export function parseYamlLayout(text: string, file: string): LoadedLayout {
  return new YamlLayout(text, file).load();
}

class YamlLayout {
  readonly #file: string;
  readonly #lines = new LineCounter();
  readonly #document: ReturnType<typeof parseDocument>;

  constructor(text: string, file: string) {
    this.#file = file;
    this.#document = parseDocument(text, { lineCounter: this.#lines });
  }

  load(): LoadedLayout {
    const [syntax] = this.#document.errors;
    if (syntax !== undefined) {
      const [problem = ''] = syntax.message.split('\n');
      throw layoutError(this.#file, problem.replace(/ at line .*$/, ''), syntax.linePos?.[0].line);
    }
    const root = this.#mapping(this.#document.toJS(), [], [...Object.keys(SECTIONS), 'tls']);
    const [storage, proxy, archive] = Object.entries(SECTIONS).map(([section, kind]) =>
      this.#servers(root[section], section, kind),
    ) as [ServerParam[], ServerParam[], ServerParam[]];
    this.#refuseTwins(root);
    const layout = new ServerLayout(storage, proxy, archive);
    const { tls } = root;
    if (tls === undefined || tls === null) return { file: this.#file, layout };
    return { file: this.#file, layout, ...this.#tls(tls) };
  }

  #servers(value: unknown, section: string, kind: ServerKind): ServerParam[] {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw this.#bad([section], `${section} must be a list of servers`);
    return value.map((entry, index) => {
      const path = [section, index];
      return this.#server(this.#mapping(entry, path, SERVER_KEYS), path, kind);
    });
  }

  #server(entry: Mapping, path: Path, kind: ServerKind): ServerParam {
    const { port } = entry;
    if (port === undefined || port === null)
      throw this.#bad(path, `${nameOf(path)}: port is missing`);
    if (typeof port !== 'number') throw this.#bad([...path, 'port'], 'port must be a number');
    return this.#made(path, () => {
      const name = this.#needed(entry, path, 'name');
      const address = this.#needed(entry, path, 'address');
      const connection = new ServerConnectionParam(name, address, port, kind);
      const wantsStart = START_KEYS.some((key) => (entry[key] ?? null) !== null);
      return wantsStart ? this.#startup(connection, entry, path) : connection;
    });
  }

  #startup(connection: ServerConnectionParam, entry: Mapping, path: Path): ServerStartupParam {
    const text = (key: string): string | null => this.#text(entry, path, key);
    for (const key of ['vg', 'tp']) {
      if (connection.kind === K_ARCHIVE || text(key) === null) continue;
      throw this.#bad([...path, key], `${connection.name}: ${key} is for archives`);
    }
    return new ServerStartupParam(
      connection,
      text('binDir') ?? '',
      this.#needed(entry, path, 'dataDir'),
      text('logPath'),
      text('vg'),
      text('tp'),
      this.#startOptions(entry, path),
    );
  }

  #startOptions(entry: Mapping, path: Path): StartOptions | null {
    const [ssh, config] = ['ssh', 'config'].map((key) => this.#text(entry, path, key));
    const start = {
      ...(typeof ssh === 'string' ? { ssh } : {}),
      ...(typeof config === 'string' ? { config } : {}),
      ...this.#options(entry['options'], [...path, 'options']),
    };
    return Object.keys(start).length === 0 ? null : start;
  }

  #options(value: unknown, path: Path): Pick<StartOptions, 'options'> {
    if (value === undefined || value === null) return {};
    const options: Record<string, OptionValue> = {};
    for (const [name, option] of Object.entries(this.#mapping(value, path, undefined))) {
      const place = [...path, name];
      if (OWN_OPTIONS.includes(name)) {
        throw this.#bad(place, `option ${name} follows from the layout; it is not set here`);
      }
      if (!/^[a-z][a-z-]*$/.test(name)) throw this.#bad(place, `${name} is no option of a server`);
      if (typeof option !== 'string' && typeof option !== 'number' && typeof option !== 'boolean') {
        throw this.#bad(place, `option ${name} must be a text, a number, true or false`);
      }
      options[name] = option;
    }
    return { options };
  }

  #tls(value: unknown): Pick<LoadedLayout, 'tls' | 'tlsFiles'> {
    const entry = this.#mapping(value, ['tls'], TLS_KEYS);
    for (const key of TLS_KEYS) {
      if (typeof entry[key] === 'string' && entry[key] !== '') continue;
      throw this.#bad(['tls', key], `tls: ${key} must be the path of a PEM file`);
    }
    return loadTls(this.#file, entry as TlsFiles, (key: keyof TlsOptions, problem) =>
      this.#bad(['tls', key], problem),
    );
  }

  /** With the line of the second one, which `ServerLayout` does not know. */
  #refuseTwins(root: Mapping): void {
    const seen = new Map<unknown, Path>();
    for (const section of Object.keys(SECTIONS)) {
      for (const [index, entry] of ((root[section] ?? []) as Mapping[]).entries()) {
        const path = [section, index];
        const first = seen.get(entry['name']);
        seen.set(entry['name'], path);
        if (first === undefined) continue;
        const name = String(entry['name']);
        throw this.#bad(
          [...path, 'name'],
          `two servers of the layout are called ${name} (the other one in line ${this.#line(first)}); rename one`,
        );
      }
    }
  }

  #mapping(value: unknown, path: Path, allowed: readonly string[] | undefined): Mapping {
    const place = nameOf(path);
    const keys = allowed?.join(', ') ?? 'names and values';
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.#bad(path, `${place} must be a mapping with ${keys}`);
    }
    const unknown = Object.keys(value).filter((key) => allowed?.includes(key) === false);
    const [first] = unknown;
    if (first === undefined) return value as Mapping;
    throw this.#bad(
      [...path, first],
      `${place} has unknown keys ${unknown.join(', ')}; there are: ${keys}`,
    );
  }

  #text(entry: Mapping, path: Path, key: string): string | null {
    const value = entry[key] ?? null;
    if (value === null || typeof value === 'string') return value;
    throw this.#bad([...path, key], `${nameOf(path)}: ${key} must be text`);
  }

  #needed(entry: Mapping, path: Path, key: string): string {
    const value = this.#text(entry, path, key);
    if (value !== null && value !== '') return value;
    throw this.#bad(path, `${nameOf(path)}: ${key} is missing`);
  }

  /** What the classes of the library refuse, with the line of the server. */
  #made<T>(path: Path, make: () => T): T {
    try {
      return make();
    } catch (thrown) {
      const error = WalbError.from(thrown);
      throw error.details['file'] === undefined ? this.#bad(path, error.message) : error;
    }
  }

  #bad(path: Path, problem: string): WalbError {
    return layoutError(this.#file, problem, this.#line(path));
  }

  /** Line of the key or element at the end of the path, or of the nearest thing around it. */
  #line(path: Path): number | undefined {
    for (let length = path.length; length > 0; length -= 1) {
      const offset = this.#offset(path.slice(0, length));
      if (offset !== undefined) return this.#lines.linePos(offset).line;
    }
    return this.#document.contents === null ? undefined : 1;
  }

  #offset(path: Path): number | undefined {
    const parent: unknown = this.#document.getIn(path.slice(0, -1), true);
    const key = path.at(-1);
    const pair = isMap(parent)
      ? parent.items.find(({ key: one }) => String(isNode(one) ? one.toJSON() : one) === key)
      : undefined;
    const node: unknown = pair?.key ?? this.#document.getIn(path, true);
    return isNode(node) ? node.range?.[0] : undefined;
  }
}

/** `storage server 1`, counted as people do. */
function nameOf([section, index, ...rest]: Path): string {
  if (section === undefined) return 'the file';
  if (index === undefined) return String(section);
  return [`${section} server ${Number(index) + 1}`, ...rest].join(' ');
}
