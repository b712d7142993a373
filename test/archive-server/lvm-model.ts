/**
 * A model of a volume group for tests: the programs of LVM as far as lvm-commands.ts uses them, with
 * the messages of lvm2 2.03 and logical volumes as sparse files in a directory. Whatever an argument list
 * means to the real programs, it has to mean here: test/rig runs the same suite on the real ones.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { LvmCommand, LvmCommands, LvmResult } from '../../src/archive-server/lvm-commands.ts';

export interface ModelVolume {
  size: number;
  pool: string;
  origin: string;
  isReadOnly: boolean;
  isActive: boolean;
  isPool: boolean;
  isBroken: boolean;
  zeroes: boolean;
  tags: Set<string>;
  /** Who holds it open. */
  use: '' | 'open' | 'mounted';
}

export class LvmModel implements LvmCommands {
  readonly devices: string;
  readonly group: string;
  readonly extentSize: number;
  readonly volumes = new Map<string, ModelVolume>();
  /** Space of the group in extents. */
  extents: number;
  /** Every command that was run. */
  readonly ran: string[] = [];
  /** Called before each command; a thrown error stops it, like a crash. */
  before: (command: LvmCommand) => void = () => {};

  constructor(
    devices: string,
    options: { group?: string; extentSize?: number; extents?: number } = {},
  ) {
    this.devices = devices;
    this.group = options.group ?? 'vg';
    this.extentSize = options.extentSize ?? 64 * 1024;
    this.extents = options.extents ?? 4096;
    fs.mkdirSync(path.join(devices, this.group), { recursive: true });
  }

  device(name: string): string {
    return path.join(this.devices, this.group, name);
  }

  /** What an operator prepares. */
  createPool(name: string, extents = 1024): void {
    this.#add(name, extents * this.extentSize, { isPool: true });
  }

  async run(command: LvmCommand): Promise<LvmResult> {
    this.before(command);
    this.ran.push([command.program, ...command.args].join(' '));
    try {
      return { exitCode: 0, stdout: this.#perform(command), stderr: '' };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { exitCode: 5, stdout: '', stderr: `  ${error.message}\n` };
    }
  }

  #perform({ program, args }: LvmCommand): string {
    const { options, words } = parse(args);
    switch (program) {
      case 'vgs':
        return this.#report(words[0] as string, options);
      case 'lvcreate':
        return this.#create(options, words[0] as string);
      case 'lvremove':
        return this.#remove(this.#named(words[0] as string));
      case 'lvrename':
        return this.#rename(words as [string, string, string]);
      case 'lvresize':
        return this.#resize(this.#named(words[0] as string), options);
      case 'lvchange':
        return this.#change(this.#named(words[0] as string), options);
      case 'blkdiscard':
        return zero(words[0] as string, options);
    }
  }

  #report(group: string, options: Options): string {
    if (group !== this.group) throw new Failure(`Volume group "${group}" not found`);
    const about: Record<string, string> = {
      vg_name: group,
      vg_extent_size: `${this.extentSize}`,
      vg_free: `${this.#freeExtents() * this.extentSize}`,
    };
    const fields = (options.get('-o') as string).split(',');
    if (!fields.includes('lv_name')) return report(fields, [about]);
    const rows = [...this.volumes].map(([name, volume]) => ({
      ...about,
      lv_name: name,
      lv_size: `${volume.size}`,
      lv_attr: attributes(volume),
      lv_active: volume.isActive ? 'active' : '',
      lv_tags: [...volume.tags].join(','),
      pool_lv: volume.pool,
      origin: volume.origin,
      data_percent: volume.isPool ? '12.50' : volume.pool !== '' ? this.#used(name, volume) : '',
      zero: volume.isPool ? (volume.zeroes ? 'zero' : '') : 'unknown',
    }));
    return report(fields, rows);
  }

  #used(name: string, { size }: ModelVolume): string {
    const blocks = fs.statSync(this.device(name), { throwIfNoEntry: false })?.blocks ?? 0;
    return ((100 * 512 * blocks) / size).toFixed(2);
  }

  #create(options: Options, target: string): string {
    const name = options.get('--name') as string;
    if (this.volumes.has(name)) {
      throw new Failure(`Logical Volume "${name}" already exists in volume group "${this.group}"`);
    }
    if (options.has('--snapshot')) return this.#snapshot(name, this.#named(target), options);
    const pool = options.get('--thinpool') ?? '';
    const size = this.#roundUp(bytes(options.get('--virtualsize') ?? options.get('--size')));
    this.#add(name, size, { pool });
    return '';
  }

  #snapshot(name: string, origin: string, options: Options): string {
    const source = this.#get(origin);
    const isReadOnly = options.get('--permission') === 'r';
    if (source.pool !== '') {
      this.#add(name, source.size, { pool: source.pool, origin, isReadOnly });
    } else {
      this.#add(name, Number(options.get('--extents')) * this.extentSize, { origin });
    }
    fs.copyFileSync(this.device(origin), this.device(name));
    return '';
  }

  #remove(name: string): string {
    const volume = this.#get(name);
    if (volume.use === 'mounted') {
      throw new Failure(`Logical volume ${this.group}/${name} contains a filesystem in use.`);
    }
    if (volume.use === 'open') throw new Failure(`Logical volume ${this.group}/${name} in use.`);
    for (const [other, { origin }] of this.volumes) {
      if (origin !== name) continue;
      if (volume.pool === '') this.#remove(other);
      else this.#get(other).origin = '';
    }
    this.volumes.delete(name);
    fs.rmSync(this.device(name), { force: true });
    return '';
  }

  #rename([group, from, to]: [string, string, string]): string {
    if (group !== this.group) throw new Failure(`Volume group "${group}" not found`);
    const volume = this.volumes.get(from);
    if (volume === undefined) {
      throw new Failure(`Existing logical volume "${from}" not found in volume group "${group}"`);
    }
    if (this.volumes.has(to)) {
      throw new Failure(`Logical Volume "${to}" already exists in volume group "${group}"`);
    }
    this.volumes.delete(from);
    this.volumes.set(to, volume);
    for (const other of this.volumes.values()) if (other.origin === from) other.origin = to;
    fs.renameSync(this.device(from), this.device(to));
    return '';
  }

  #resize(name: string, options: Options): string {
    const volume = this.#get(name);
    const size = this.#roundUp(bytes(options.get('--size')));
    if (size === volume.size) throw new Failure('New size matches existing size.');
    const isOrigin = [...this.volumes.values()].some(({ origin }) => origin === name);
    if (volume.pool === '' && isOrigin) {
      throw new Failure(
        'Snapshot origin volumes can be resized only while inactive: try lvchange -an.',
      );
    }
    const before = volume.size;
    this.#take(volume.pool === '' ? size - before : 0);
    volume.size = size;
    fs.truncateSync(this.device(name), size);
    if (volume.pool === '') this.#soil(name, before);
    return '';
  }

  #change(name: string, options: Options): string {
    const volume = this.#get(name);
    const permission = options.get('--permission');
    if (permission !== undefined) {
      const isReadOnly = permission === 'r';
      if (volume.isReadOnly === isReadOnly) {
        const what = isReadOnly ? 'read-only' : 'writable';
        throw new Failure(`Logical volume ${this.group}/${name} is already ${what}.`);
      }
      volume.isReadOnly = isReadOnly;
    }
    const [added, deleted] = [options.get('--addtag'), options.get('--deltag')];
    if (added !== undefined) volume.tags.add(added);
    if (deleted !== undefined) volume.tags.delete(deleted);
    if (options.get('--activate') === 'y') volume.isActive = true;
    return '';
  }

  #add(name: string, size: number, kind: Partial<ModelVolume>): void {
    const volume: ModelVolume = {
      size,
      pool: '',
      origin: '',
      isReadOnly: false,
      isActive: true,
      isPool: false,
      isBroken: false,
      zeroes: true,
      tags: new Set(),
      use: '',
      ...kind,
    };
    this.#take(volume.pool === '' ? size : 0);
    this.volumes.set(name, volume);
    fs.writeFileSync(this.device(name), '');
    fs.truncateSync(this.device(name), size);
    if (volume.pool === '' && !volume.isPool && volume.origin === '') this.#soil(name, 0);
  }

  /** Plain volumes hold what their disk held before. */
  #soil(name: string, from: number): void {
    const fd = fs.openSync(this.device(name), 'r+');
    const { size } = this.#get(name);
    fs.writeSync(fd, Buffer.alloc(size - from, 0xee), 0, size - from, from);
    fs.closeSync(fd);
  }

  #take(size: number): void {
    const wanted = size / this.extentSize;
    const free = this.#freeExtents();
    if (wanted <= free) return;
    throw new Failure(
      `Volume group "${this.group}" has insufficient free space (${free} extents): ${wanted} required.`,
    );
  }

  #freeExtents(): number {
    const plain = [...this.volumes.values()].filter(({ pool }) => pool === '');
    return this.extents - plain.reduce((sum, { size }) => sum + size / this.extentSize, 0);
  }

  #roundUp(size: number): number {
    return Math.ceil(size / this.extentSize) * this.extentSize;
  }

  #named(target: string): string {
    const [group, name] = target.split('/');
    if (group !== this.group || name === undefined || !this.volumes.has(name)) {
      throw new Failure(`Failed to find logical volume "${target}"`);
    }
    return name;
  }

  #get(name: string): ModelVolume {
    const volume = this.volumes.get(name);
    if (volume === undefined) throw new Error(`the model has no volume ${name}`);
    return volume;
  }
}

type Options = ReadonlyMap<string, string>;

class Failure extends Error {}

/** Options that stand alone; all others take the next word. */
const FLAGS = new Set([
  '--yes',
  '--force',
  '--snapshot',
  '--nosuffix',
  '--zeroout',
  '--ignoreactivationskip',
]);
const WITH_VALUE = new Set([
  ...[
    '--reportformat',
    '--units',
    '-o',
    '--type',
    '--thinpool',
    '--virtualsize',
    '--size',
    '--name',
  ],
  ...['--setactivationskip', '--permission', '--extents', '--addtag', '--deltag', '--activate'],
  ...['--offset', '--length'],
]);

function parse(args: readonly string[]): { options: Options; words: string[] } {
  const options = new Map<string, string>();
  const words: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (FLAGS.has(word)) options.set(word, '');
    else if (WITH_VALUE.has(word)) options.set(word, args[++i] as string);
    else if (word.startsWith('-')) throw new Error(`the model does not know ${word}`);
    else words.push(word);
  }
  return { options, words };
}

function bytes(text: string | undefined): number {
  const match = /^([0-9]+)b$/.exec(text ?? '');
  if (match === null) throw new Error(`the model does not know size ${text}`);
  const size = Number(match[1]);
  if (size % 512 !== 0) throw new Failure(`Size is not a multiple of 512. Invalid argument.`);
  return size;
}

function attributes(volume: ModelVolume): string {
  const kind = volume.isPool ? 't' : volume.pool !== '' ? 'V' : volume.origin !== '' ? 's' : '-';
  const state = volume.isBroken ? 'I' : volume.isActive ? 'a' : '-';
  const isOpen = volume.use === '' ? '-' : 'o';
  return `${kind}${volume.isReadOnly ? 'r' : 'w'}i-${state}${isOpen}t---`;
}

function report(fields: readonly string[], rows: Record<string, string>[]): string {
  const list = rows.map((row) =>
    Object.fromEntries(
      fields.map((field) => {
        if (row[field] === undefined) throw new Error(`the model has no field ${field}`);
        return [field, row[field]];
      }),
    ),
  );
  return JSON.stringify({ report: [{ vg: list }] });
}

function zero(device: string, options: Options): string {
  const [offset, length] = [Number(options.get('--offset')), Number(options.get('--length'))];
  const fd = fs.openSync(device, 'r+');
  fs.writeSync(fd, Buffer.alloc(length), 0, length, offset);
  fs.closeSync(fd);
  return '';
}
