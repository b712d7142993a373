/**
 * What a backup group has to be held against: the history of one volume as its workload wrote it, and
 * which place of that history each gid stands for.
 *
 * A place is a number of writes. The device tells at which lsid it stands after each of them, the wlog
 * transfers tell which gid ends at which lsid; so each snapshot has one content that is right.
 */
import { LB_SIZE, type Lb } from '../../src/core/units.ts';
import type { WriteRequest } from '../../src/wdev/index.ts';

/** What the last crash may have taken. */
export type Loss = 'nothing acknowledged' | 'nothing flushed';

export class WriteHistory {
  readonly sizeLb: Lb;
  #writes: WriteRequest[] = [];
  /** Writes that were acknowledged, and those of them that a flush has covered. */
  #acknowledged = 0;
  #flushed = 0;
  #allowed: Loss = 'nothing acknowledged';

  constructor(sizeLb: Lb) {
    this.sizeLb = sizeLb;
  }

  /** Writes so far, the one under way included. */
  get length(): number {
    return this.#writes.length;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  begin(requests: readonly WriteRequest[]): void {
    this.#writes.push(...requests);
  }

  acknowledge(): void {
    this.#acknowledged = this.#writes.length;
  }

  /** The first `count` writes are on stable storage. */
  flush(count: number): void {
    this.#flushed = Math.max(this.#flushed, count);
  }

  /** A crash that may have taken this much; until the next start, crashes add up. */
  crashed(loss: Loss): void {
    if (loss === 'nothing flushed') this.#allowed = loss;
  }

  /** Content after the first `count` writes. */
  contentAt(count: number): Uint8Array {
    const content = new Uint8Array(this.sizeLb * LB_SIZE);
    for (const write of this.#writes.slice(0, count)) put(content, write);
    return content;
  }

  /**
   * The place the volume is at after a start; the history goes on from there. `likely` is taken when the
   * content fits, for a write of zeros over zeros makes two places look alike. Throws when it is at
   * none, or at one that the crashes since the last start do not excuse.
   */
  restarted(actual: Uint8Array, likely: number | undefined): number {
    const least = this.#allowed === 'nothing flushed' ? this.#flushed : this.#acknowledged;
    const content = this.contentAt(least);
    let found: number | undefined;
    for (let count = least; count <= this.#writes.length; count++) {
      const fits = Buffer.compare(content, actual) === 0;
      if (fits && (found === undefined || count === likely)) found = count;
      const next = this.#writes[count];
      if (next !== undefined) put(content, next);
    }
    if (found !== undefined) {
      this.#writes.length = found;
      this.#acknowledged = found;
      this.#allowed = 'nothing acknowledged';
      return found;
    }
    throw new Error(
      `the volume lost writes: it must hold the first ${least} of ${this.#writes.length} (may lose: ${this.#allowed})`,
    );
  }
}

function put(content: Uint8Array, request: WriteRequest): void {
  const at = request.offset * LB_SIZE;
  if (request.kind === 'write') content.set(request.data, at);
  else content.fill(0, at, at + request.sizeLb * LB_SIZE);
}

/** Which place of the history each lsid and each gid stands for, by log history (uuid). */
export class Positions {
  /** `uuid lsid` to a number of writes. */
  readonly #places = new Map<string, number>();
  /** `uuid gid` to an lsid. */
  readonly #lsids = new Map<string, bigint>();

  /** The log of history `uuid` ends at `lsid` when the volume is at `place`. */
  notePlace(uuid: string, lsid: bigint, place: number): void {
    this.#places.set(`${uuid} ${lsid}`, place);
  }

  placeAt(uuid: string, lsid: bigint): number | undefined {
    return this.#places.get(`${uuid} ${lsid}`);
  }

  /** A power cut took the log after `lsid`: what ended there ends nowhere any more. */
  forgetPlacesAfter(uuid: string, lsid: bigint): void {
    for (const key of [...this.#places.keys()]) {
      const [of, at] = key.split(' ') as [string, string];
      if (of === uuid && BigInt(at) > lsid) this.#places.delete(key);
    }
  }

  /** A diff was sent that ends at `gid` and `lsid`. Throws when the gid ended elsewhere before. */
  noteGid(uuid: string, gid: bigint, lsid: bigint): void {
    const key = `${uuid} ${gid}`;
    const known = this.#lsids.get(key);
    if (known !== undefined && known !== lsid) {
      throw new Error(`gid ${gid} of log ${uuid} was sent as lsid ${known} and now as ${lsid}`);
    }
    this.#lsids.set(key, lsid);
  }

  /** Log histories in which the gid was sent. */
  historiesOf(gid: bigint): string[] {
    return [...this.#lsids.keys()].flatMap((key) => {
      const [uuid, known] = key.split(' ') as [string, string];
      return known === String(gid) ? [uuid] : [];
    });
  }

  /** Throws when the gid was never sent, or ends where no write ended. */
  placeOf(uuid: string, gid: bigint): number {
    const lsid = this.#lsids.get(`${uuid} ${gid}`);
    if (lsid === undefined) throw new Error(`gid ${gid} of log ${uuid} was never sent`);
    const place = this.#places.get(`${uuid} ${lsid}`);
    if (place !== undefined) return place;
    throw new Error(`gid ${gid} of log ${uuid} is at lsid ${lsid}, where no write ended`);
  }
}
