/**
 * Who reads the base image, and up to which snapshot an apply may change it meanwhile.
 *
 * A reader of snapshot S lays all diffs up to S over the base, so that it does not matter whether an
 * apply has written some of them into the base already. What begins after S must not get there: an
 * apply beyond S waits for the reader, and nobody starts to read what an apply is writing over.
 *
 * Source: semantics.md A.7, D.4, D.7.
 */
import { type Gid, WalbError } from '../core/index.ts';

interface Reader {
  readonly gid: Gid;
  readonly what: string;
}

export class BaseReaders {
  readonly #readers = new Set<Reader>();
  #changing: Gid | undefined;

  /** Keeps the base fit for reading snapshot `gid` until disposed. Throws `busy`. */
  read(gid: Gid, what: string): Disposable {
    if (this.#changing !== undefined && gid < this.#changing) {
      throw new WalbError(
        'busy',
        `snapshot ${gid} can not be read any more: apply is bringing the base image to gid ${this.#changing}`,
        { details: { gid, changing: this.#changing } },
      );
    }
    const reader: Reader = { gid, what };
    this.#readers.add(reader);
    return { [Symbol.dispose]: () => void this.#readers.delete(reader) };
  }

  /** Throws `busy` while someone reads a snapshot before `gid`, naming who. */
  requireNoneBefore(gid: Gid): void {
    const inWay = [...this.#readers].filter((reader) => reader.gid < gid);
    if (inWay.length === 0) return;
    const oldest = inWay.reduce((one, other) => (other.gid < one.gid ? other : one)).gid;
    const names = inWay.map((reader) => reader.what).join(', ');
    throw new WalbError(
      'busy',
      `the base image can not go beyond snapshot ${oldest}, which is being read (${names}): close or fill exports, or apply only up to ${oldest}`,
      { details: { gid, oldest, readers: inWay.length } },
    );
  }

  /** Keeps readers of snapshots before `gid` away until disposed. Throws `busy`. */
  change(gid: Gid): Disposable {
    this.requireNoneBefore(gid);
    this.#changing = gid;
    return {
      [Symbol.dispose]: () => {
        this.#changing = undefined;
      },
    };
  }
}
