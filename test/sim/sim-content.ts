/**
 * Content of one simulated file or device: what the page cache shows, what the disk holds, and the
 * changes in between, which a power cut may lose.
 *
 * A power cut may keep any subset of the 512-byte sectors written since the last sync, each in any
 * of its versions: the disk writes sectors whole, but in no promised order. Size changes are
 * journaled by the file system, so they survive as a prefix; a file may be long enough and still
 * miss the data (it then reads as zeros), as on XFS or ext4 with delayed allocation.
 */
import type { Bytes } from '../../src/core/units.ts';
import { PagedBytes } from './paged-bytes.ts';
import type { SimRandom } from './sim-random.ts';

export const SECTOR: Bytes = 512;
/** Unsynced bytes kept apart; older ones are written back, as a kernel does in time. */
const MAX_UNSYNCED: Bytes = 16 * 1024 * 1024;
/** How likely a sector or a change of size survives; drawn once per file and power cut. */
const SURVIVAL = [0, 0.3, 0.7, 0.95, 1] as const;

type Change =
  | { readonly kind: 'write'; readonly position: Bytes; readonly data: Uint8Array }
  | { readonly kind: 'zero'; readonly position: Bytes; readonly length: Bytes }
  | { readonly kind: 'truncate'; readonly size: Bytes };

export class SimContent {
  readonly cached = new PagedBytes();
  readonly #stable = new PagedBytes();
  readonly #pending: Change[] = [];
  /** Changes ever made and ever settled; a sync covers those made before it began. */
  #made = 0;
  #unsyncedBytes: Bytes = 0;

  get changesMade(): number {
    return this.#made;
  }

  get hasUnsynced(): boolean {
    return this.#pending.length > 0;
  }

  write(from: Uint8Array, position: Bytes): void {
    if (from.length > 0) this.#change({ kind: 'write', position, data: new Uint8Array(from) });
  }

  zero(position: Bytes, length: Bytes): void {
    this.#change({ kind: 'zero', position, length });
  }

  truncate(size: Bytes): void {
    this.#change({ kind: 'truncate', size });
  }

  /** Everything that was made up to `changes` is on the disk. */
  settle(changes: number): void {
    for (const change of this.#take(changes)) apply(this.#stable, change);
  }

  /**
   * A failed sync: some sectors reached the disk, the others are forgotten, although the page cache
   * still shows them; a later sync has nothing to write and succeeds.
   */
  forget(changes: number, random: SimRandom): void {
    replay(this.#stable, this.#take(changes), random);
  }

  /** What the disk holds after the power came back. */
  powerCut(random: SimRandom): void {
    replay(this.#stable, this.#take(this.#made), random);
    this.cached.copyFrom(this.#stable);
  }

  /** One bit of the medium changes, unnoticed. */
  rot(position: Bytes, bit: number): void {
    this.settle(this.#made);
    this.#stable.flipBit(position, bit);
    this.cached.flipBit(position, bit);
  }

  #change(change: Change): void {
    apply(this.cached, change);
    this.#pending.push(change);
    this.#made++;
    this.#unsyncedBytes += bytesOf(change);
    if (this.#unsyncedBytes > MAX_UNSYNCED) {
      this.settle(this.#made - Math.floor(this.#pending.length / 2));
    }
  }

  #take(changes: number): Change[] {
    const settled = this.#made - this.#pending.length;
    const taken = this.#pending.splice(0, Math.max(0, changes - settled));
    for (const change of taken) this.#unsyncedBytes -= bytesOf(change);
    return taken;
  }
}

function bytesOf(change: Change): Bytes {
  return change.kind === 'write' ? change.data.length : 0;
}

function apply(bytes: PagedBytes, change: Change): void {
  if (change.kind === 'write') bytes.write(change.data, change.position);
  else if (change.kind === 'zero') bytes.zero(change.position, change.length);
  else bytes.truncate(change.size);
}

/** Applies what a power cut leaves of `changes`. */
function replay(disk: PagedBytes, changes: readonly Change[], random: SimRandom): void {
  const sectorSurvival = random.pick(SURVIVAL);
  const sizeSurvival = random.pick(SURVIVAL);
  const survives = () => random.chance(sectorSurvival);
  const sizeSurvives = () => random.chance(sizeSurvival);
  const lost = new LostRanges();
  let growing = true;
  for (const change of changes) {
    if (change.kind === 'truncate') {
      // What was written to a file after its truncation cannot outlive a truncation that is lost.
      if (!growing || !sizeSurvives()) return;
      disk.truncate(change.size);
    } else if (change.kind === 'zero') {
      if (survives()) disk.zero(change.position, change.length);
      else lost.add(change.position, change.length);
    } else {
      const end = change.position + change.data.length;
      if (end > disk.size && growing) growing = grow(disk, end, random, sizeSurvives);
      writeSurvivors(disk, change.position, change.data, lost, survives);
    }
  }
}

/** Extends the file to `end`, or to a sector before it; false when the growth was cut short. */
function grow(disk: PagedBytes, end: Bytes, random: SimRandom, survives: () => boolean): boolean {
  if (survives()) {
    disk.truncate(end);
    return true;
  }
  const sectors = Math.floor((end - 1) / SECTOR) - Math.ceil(disk.size / SECTOR);
  if (sectors >= 0 && random.chance(0.5)) {
    disk.truncate((Math.ceil(disk.size / SECTOR) + random.between(0, sectors)) * SECTOR);
  }
  return false;
}

function writeSurvivors(
  disk: PagedBytes,
  position: Bytes,
  data: Uint8Array,
  lost: LostRanges,
  survives: () => boolean,
): void {
  const end = Math.min(position + data.length, disk.size);
  for (let at = position; at < end; ) {
    const next = Math.min(end, (Math.floor(at / SECTOR) + 1) * SECTOR);
    const sector = Math.floor(at / SECTOR) * SECTOR;
    // A sector holds one of its versions: once a change is lost, so are the later ones.
    if (!lost.has(sector)) {
      if (survives()) disk.write(data.subarray(at - position, next - position), at);
      else lost.add(sector, SECTOR);
    }
    at = next;
  }
}

/** Ranges of which a change was lost. */
class LostRanges {
  readonly #sectors = new Set<number>();
  readonly #ranges: { readonly start: Bytes; readonly end: Bytes }[] = [];

  add(position: Bytes, length: Bytes): void {
    if (length === SECTOR && position % SECTOR === 0) this.#sectors.add(position);
    else this.#ranges.push({ start: position, end: position + length });
  }

  has(sector: Bytes): boolean {
    if (this.#sectors.has(sector)) return true;
    return this.#ranges.some(({ start, end }) => sector + SECTOR > start && sector < end);
  }
}
