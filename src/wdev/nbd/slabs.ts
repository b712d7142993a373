/**
 * Reference-counted buffers for payloads and replies, reused so that a 1 MiB request costs no
 * allocation. A slab goes back to its pool when the last holder releases it.
 */
import { type Bytes, KIB, MIB, WalbError } from '../../core/index.ts';
import { MAX_PAYLOAD } from './protocol.ts';

/** Slab for small requests and replies: more than a socket buffer of Linux (208 KiB) at once. */
export const SMALL_SLAB: Bytes = 256 * KIB;
/** Room for reply headers beside a payload whose size is a power of two. */
const HEADER_ROOM: Bytes = 4 * KIB;
/** Unused slabs kept for the next request: one of the largest, or many small ones. */
const MAX_KEPT: Bytes = 48 * MIB;

export class Slab {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #pool: SlabPool;
  #holders = 1;

  constructor(pool: SlabPool, size: Bytes) {
    // Not Buffer.alloc: the bytes are always written before they are read.
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, size);
    this.#pool = pool;
  }

  get size(): Bytes {
    return this.bytes.length;
  }

  /** True when nobody but the caller holds it. */
  get isExclusive(): boolean {
    return this.#holders === 1;
  }

  hold(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    this.#holders--;
    if (this.#holders < 0) throw new WalbError('internal', 'NBD buffer released twice');
    if (this.#holders === 0) this.#pool.giveBack(this);
  }

  /** Only for the store: a new owner takes it. */
  revive(pool: SlabPool): this {
    this.#pool = pool;
    this.#holders = 1;
    return this;
  }
}

/** Unused slabs of all connections of a server. */
export class SlabStore {
  readonly #free = new Map<Bytes, Slab[]>();
  #kept = 0;

  /** A slab of exactly `capacity` bytes. */
  take(pool: SlabPool, capacity: Bytes): Slab {
    const free = this.#free.get(capacity)?.pop();
    if (free === undefined) return new Slab(pool, capacity);
    this.#kept -= capacity;
    return free.revive(pool);
  }

  giveBack(slab: Slab): void {
    if (this.#kept + slab.size > MAX_KEPT) return;
    this.#kept += slab.size;
    const free = this.#free.get(slab.size);
    if (free === undefined) this.#free.set(slab.size, [slab]);
    else free.push(slab);
  }
}

/** One connection's account of the shared store. */
export class SlabPool {
  readonly #store: SlabStore;
  #inUse = 0;

  constructor(store: SlabStore) {
    this.#store = store;
  }

  /** Bytes in slabs of this connection that somebody holds. */
  get inUse(): Bytes {
    return this.#inUse;
  }

  /** A slab of at least `size` bytes (payload and headers), held by the caller. */
  take(size: Bytes): Slab {
    const capacity = capacityFor(size);
    this.#inUse += capacity;
    return this.#store.take(this, capacity);
  }

  giveBack(slab: Slab): void {
    this.#inUse -= slab.size;
    this.#store.giveBack(slab);
  }
}

/** Few distinct sizes, so that a returned slab fits the next request. */
function capacityFor(size: Bytes): Bytes {
  let capacity = SMALL_SLAB;
  while (capacity + HEADER_ROOM < size) capacity *= 2;
  if (capacity > MAX_PAYLOAD) throw new WalbError('internal', `NBD buffer of ${size} bytes asked`);
  return capacity + HEADER_ROOM;
}
