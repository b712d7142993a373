/**
 * One volume group, with or without a thin pool in it, shared by the images of all volumes of an
 * archive. Its list of logical volumes is kept in memory, because questions about images are answered
 * at once and `vgs` takes a tenth of a second; every change reads it again afterwards, and before when
 * it is not fresh.
 *
 * Changes run one after another: LVM locks the group anyway, and a decision must hold until it is done.
 *
 * Source: semantics.md D.1.
 */
import {
  type Bytes,
  type Clock,
  type Logger,
  type Millis,
  Mutex,
  WalbError,
} from '../core/index.ts';
import {
  activate,
  describeGroup,
  type LvmCommand,
  type LvmCommands,
  listVolumes,
  lvmFailure,
  removeVolume,
} from './lvm-commands.ts';
import { type ImageName, imageName } from './lvm-names.ts';
import {
  type LogicalVolume,
  parseGroup,
  parseVolumes,
  type VolumeGroupReport,
} from './lvm-report.ts';

/** A command may have changed what the list does not have yet. */
const IN_DOUBT: Millis = Number.NEGATIVE_INFINITY;
/** Commands that follow each other closely see what the one before left. */
const FRESH_MS: Millis = 1000;
/** What an operator changed behind the server's back is noticed by the first question after this. */
const MAX_LIST_AGE_MS: Millis = 10_000;

export interface VolumeGroupPlace {
  readonly group: string;
  /** Empty for plain volumes. */
  readonly pool: string;
  /** Where devices appear; `/dev` but in tests. */
  readonly devices: string;
}

export class LvmVolumeGroup {
  readonly group: string;
  readonly pool: string;
  readonly #devices: string;
  readonly #commands: LvmCommands;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #lock = new Mutex('volume group');
  #volumes: ReadonlyMap<string, LogicalVolume> = new Map();
  #report: VolumeGroupReport | undefined;
  /** When the list was read. */
  #listedAt: Millis = IN_DOUBT;
  #triedAt: Millis = IN_DOUBT;
  #refreshing = false;

  constructor(
    place: VolumeGroupPlace,
    commands: LvmCommands,
    { clock, log }: { readonly clock: Clock; readonly log: Logger },
  ) {
    this.group = place.group;
    this.pool = place.pool;
    this.#devices = place.devices;
    this.#commands = commands;
    this.#clock = clock;
    this.#log = log;
  }

  get isThin(): boolean {
    return this.pool !== '';
  }

  /** Of the image stores in it. */
  get kind(): 'lvm' | 'lvm-thin' {
    return this.isThin ? 'lvm-thin' : 'lvm';
  }

  get extentSize(): Bytes {
    return this.#loaded().extentSize;
  }

  /** Space for new data: of the thin pool, or of the group. */
  freeBytes(): Bytes {
    this.#refreshIfOld();
    const pool = this.#volumes.get(this.pool);
    if (pool === undefined) return this.#loaded().free;
    return Math.floor((pool.size * (100 - (pool.usedPercent ?? 0))) / 100);
  }

  /** Size of the thin pool; 0, not known, of a group without one. */
  totalBytes(): Bytes {
    this.#refreshIfOld();
    return this.#volumes.get(this.pool)?.size ?? 0;
  }

  /**
   * At start-up: reads the group and makes sure that it can be used. Images that the host did not
   * activate are activated. Throws `not-found` or `conflict` saying what to change.
   */
  async load(): Promise<void> {
    using _lock = await this.#lock.lock();
    await this.#list();
    if (this.isThin) this.#checkPool();
    for (const { name, image, pool } of this.#volumes.values()) {
      if (image === undefined || pool === this.pool) continue;
      throw this.#misplaced(name, pool);
    }
    const inactive = [...this.#volumes.values()].filter(
      ({ image, isActive }) => image !== undefined && !isActive,
    );
    for (const { name } of inactive) {
      this.#log.warn({ volume: name }, 'activating an image that the host left inactive');
      await this.run(activate(this.group, name));
    }
    if (inactive.length > 0) await this.#list();
    this.#warnOfBroken();
  }

  devicePath(name: string): string {
    return `${this.#devices}/${this.group}/${name}`;
  }

  /** From memory. */
  find(image: ImageName): LogicalVolume | undefined {
    return this.#volumes.get(imageName(image));
  }

  /** Images of one volume from memory, ascending by gid. */
  imagesOf(volume: string): (LogicalVolume & { readonly image: ImageName })[] {
    this.#refreshIfOld();
    return [...this.#volumes.values()]
      .flatMap((found) => (found.image === undefined ? [] : { ...found, image: found.image }))
      .filter(({ image }) => image.volume === volume)
      .sort((a, b) => (a.image.gid < b.image.gid ? -1 : 1));
  }

  /** Runs `body` alone, on a fresh list; what it did is in the list when this resolves or rejects. */
  async change<T>(body: () => Promise<T>): Promise<T> {
    using _lock = await this.#lock.lock();
    if (this.#clock.monotonic() - this.#listedAt > FRESH_MS) await this.#list();
    let result: T;
    try {
      result = await body();
    } catch (error) {
      // The first error is the one to tell; a list in doubt is read again before it is used.
      await this.relist().catch((second: unknown) => this.#noteListFailure(second));
      throw error;
    }
    await this.relist();
    return result;
  }

  /** Within `change`. Throws what the failure of the command means. */
  async run(command: LvmCommand): Promise<string> {
    if (command.program !== 'vgs') this.#listedAt = IN_DOUBT;
    const result = await this.#commands.run(command);
    this.#log.debug({ command: [command.program, ...command.args].join(' ') }, 'LVM');
    if (result.exitCode !== 0) throw lvmFailure(command, result);
    return result.stdout;
  }

  /** Within `change`: what its commands did until now is in the list. */
  async relist(): Promise<void> {
    if (this.#listedAt === IN_DOUBT) await this.#list();
  }

  /** Within `change`. Fine when there is none. Throws `busy` while somebody uses it. */
  async remove(image: ImageName): Promise<void> {
    const found = this.find(image);
    if (found === undefined) return;
    if (found.pool === '') await this.#requireNoSnapshots(found.name);
    await this.run(removeVolume(this.group, found.name));
  }

  /** lvremove takes snapshots of a plain volume along without a word; they may be an operator's. */
  async #requireNoSnapshots(name: string): Promise<void> {
    await this.#list();
    const snapshots = [...this.#volumes.values()].filter(({ origin }) => origin === name);
    if (snapshots.length === 0) return;
    const names = snapshots.map((snapshot) => snapshot.name).join(', ');
    throw new WalbError(
      'busy',
      `${this.group}/${name} has snapshots that would go with it: ${names}; remove them first`,
      { details: { volume: name, snapshots: names } },
    );
  }

  async #list(): Promise<void> {
    this.#triedAt = this.#clock.monotonic();
    this.#listedAt = IN_DOUBT;
    const listed = await this.run(listVolumes(this.group));
    const volumes = parseVolumes(listed);
    const report = parseGroup(listed) ?? parseGroup(await this.run(describeGroup(this.group)));
    if (report === undefined) {
      throw new WalbError('not-found', `there is no volume group ${this.group}; see \`vgs\``);
    }
    this.#report = report;
    this.#volumes = new Map(volumes.map((volume) => [volume.name, volume]));
    this.#listedAt = this.#clock.monotonic();
  }

  /** Questions are answered from the old list; the next one sees the new. */
  #refreshIfOld(): void {
    // Counted from the last try: a group that is gone stays gone.
    const isOld = this.#clock.monotonic() - this.#triedAt > MAX_LIST_AGE_MS;
    if (!isOld || this.#refreshing || this.#lock.isLocked) return;
    this.#refreshing = true;
    this.#lock
      .run(() => this.#list())
      .catch((error: unknown) => this.#noteListFailure(error))
      .finally(() => {
        this.#refreshing = false;
      });
  }

  #noteListFailure(error: unknown): void {
    this.#log.warn({ err: error, group: this.group }, 'cannot list the volume group');
  }

  #checkPool(): void {
    const where = `${this.group}/${this.pool}`;
    const pool = this.#volumes.get(this.pool);
    if (pool?.isThinPool !== true) {
      const what = pool === undefined ? 'there is no' : 'it is no thin pool:';
      const advice = `\`lvcreate --type thin-pool --size SIZE --name ${this.pool} ${this.group}\` makes one`;
      throw new WalbError('not-found', `${what} ${where} (-tp); ${advice}`);
    }
    if (pool.isBroken) {
      throw new WalbError('io', `thin pool ${where} failed; repair it with \`lvconvert --repair\``);
    }
    if (pool.zeroesNewBlocks) return;
    throw new WalbError(
      'conflict',
      `thin pool ${where} hands out blocks with old bytes in them, and images would show these: run \`lvchange --zero y ${where}\``,
    );
  }

  #misplaced(name: string, pool: string): WalbError {
    const where = pool === '' ? 'a plain volume' : `in thin pool ${pool}`;
    const wanted = this.isThin ? `-tp ${this.pool}` : 'no -tp';
    return new WalbError(
      'conflict',
      `image ${this.group}/${name} is ${where}, but the server was started with ${wanted}: start it with the option that fits`,
      { details: { volume: name, pool } },
    );
  }

  #warnOfBroken(): void {
    for (const { name, image, isBroken } of this.#volumes.values()) {
      if (image === undefined || !isBroken) continue;
      this.#log.warn({ volume: name }, 'a restored image ran out of space and is lost; remove it');
    }
  }

  #loaded(): VolumeGroupReport {
    if (this.#report !== undefined) return this.#report;
    throw new WalbError('internal', `volume group ${this.group} was used before it was loaded`);
  }
}
