/** The devices defined on this machine: one folder each, see definition.ts. */
import {
  makeDirectoryDurably,
  readFileIfExists,
  removeDurably,
  writeFileDurably,
} from '../../core/durable.ts';
import { type Env, WalbError } from '../../core/index.ts';
import {
  type DeviceDefinition,
  type DevicePaths,
  decodeDefinition,
  deviceNameOf,
  devicePaths,
  encodeDefinition,
} from './definition.ts';

export class DeviceDirectory {
  readonly path: string;
  readonly #env: Pick<Env, 'files' | 'random'>;

  constructor(env: Pick<Env, 'files' | 'random'>, path: string) {
    this.#env = env;
    this.path = path;
  }

  paths(name: string): DevicePaths {
    return devicePaths(this.path, name);
  }

  /** Names of all defined devices, sorted. */
  names(): string[] {
    const { files } = this.#env;
    return files.list(this.path).filter((name) => {
      if (deviceNameOf(name) !== name) return false;
      return files.info(`${this.path}/${name}/device.json`) !== undefined;
    });
  }

  find(name: string): DeviceDefinition | undefined {
    const { definition } = this.paths(name);
    const bytes = readFileIfExists(this.#env.files, definition);
    return bytes === undefined ? undefined : decodeDefinition(bytes, name, definition);
  }

  /** Throws `not-found` and says where it looked. */
  get(name: string): DeviceDefinition {
    const found = this.find(name);
    if (found !== undefined) return found;
    throw new WalbError(
      'not-found',
      `no device '${name}' in ${this.path}: 'walb wdev list' shows what there is`,
      { details: { device: name, directory: this.path } },
    );
  }

  /** The folder is on disk before the definition that makes the device exist. */
  async add(definition: DeviceDefinition): Promise<void> {
    if (this.find(definition.name) !== undefined) {
      throw new WalbError('already-exists', `device '${definition.name}' exists already`, {
        details: { device: definition.name, directory: this.path },
      });
    }
    const paths = this.paths(definition.name);
    await makeDirectoryDurably(this.#env.files, paths.folder);
    await writeFileDurably(this.#env, paths.definition, encodeDefinition(definition));
  }

  /** The definition goes first: from then on nothing starts the device, whatever else is left. */
  async remove(name: string, options: { readonly withData: boolean }): Promise<void> {
    const definition = this.get(name);
    const paths = this.paths(name);
    const { files } = this.#env;
    await removeDurably(files, paths.definition);
    const own = [paths.nbdSocket, paths.controlSocket, paths.serveLog];
    const locks = [`${definition.log}.lock`, `${definition.data}.lock`];
    const data = options.withData ? [...fileOnly(files, [definition.log, definition.data])] : [];
    for (const path of [...own, ...locks, ...data]) files.remove(path);
    if (files.list(paths.folder).length === 0) files.removeTree(paths.folder);
    await files.syncDirectory(this.path);
  }
}

/** A block device node is never removed. */
function fileOnly(files: Env['files'], paths: readonly string[]): string[] {
  return paths.filter((path) => files.info(path)?.kind === 'file');
}
