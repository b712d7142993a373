/**
 * Writes wlog files: file header, packs, end block. Source: formats.md 2.
 *
 *     const writer = await WlogWriter.begin(sink, { pbs, salt, uuid, beginLsid, endLsid });
 *     await writer.writePack(header, parts);   // once per pack, lsids without gaps
 *     await writer.finish();
 */
import { type Bytes, type Lsid, WalbError } from '../core/index.ts';
import { encodeWlogHeader, type WlogHeaderFields } from './file-header.ts';
import {
  decodePackHeader,
  encodeEndBlock,
  inspectPackHeader,
  nextLsid,
  type PackHeader,
  validatePackHeader,
} from './pack-header.ts';
import { IN_MEMORY } from './place.ts';

/** Takes bytes in order; when the promise resolves they may be reused by the caller. */
export interface ByteSink {
  write(bytes: Uint8Array): void | Promise<void>;
}

export class WlogWriter {
  readonly #sink: ByteSink;
  readonly #fields: WlogHeaderFields;
  #lsid: Lsid;
  /** Bytes of the present pack's data still to come. */
  #missing: Bytes = 0;

  private constructor(sink: ByteSink, fields: WlogHeaderFields) {
    this.#sink = sink;
    this.#fields = fields;
    this.#lsid = fields.beginLsid;
  }

  /** Writes the file header. */
  static async begin(sink: ByteSink, fields: WlogHeaderFields): Promise<WlogWriter> {
    await sink.write(encodeWlogHeader(fields));
    return new WlogWriter(sink, fields);
  }

  /** The lsid the next pack must have. */
  get lsid(): Lsid {
    return this.#lsid;
  }

  /**
   * Writes the header block of the next pack, after checking it as a reader would (checksum, lsid,
   * fields). Its data follow by `writeData`. Throws `corrupt` or `invalid-argument`.
   */
  async writeHeader(block: Uint8Array): Promise<PackHeader> {
    this.#requireWhole();
    const verdict = inspectPackHeader(block, this.#fields.salt, this.#lsid);
    if (verdict !== 'pack') {
      throw new WalbError('invalid-argument', `no pack for lsid ${this.#lsid}: ${verdict}`, {
        details: { lsid: this.#lsid, reason: verdict },
      });
    }
    const header = decodePackHeader(block);
    validatePackHeader(header, this.#fields.pbs, IN_MEMORY);
    await this.#sink.write(block);
    this.#lsid = nextLsid(header);
    this.#missing = header.totalPb * this.#fields.pbs;
    return header;
  }

  /** Writes data of the present pack: whole physical blocks in record order, in any number of calls. */
  async writeData(bytes: Uint8Array): Promise<void> {
    if (bytes.length > this.#missing) {
      throw new WalbError(
        'invalid-argument',
        `${bytes.length} bytes are more than the pack takes`,
        {
          details: { lsid: this.#lsid, missing: this.#missing },
        },
      );
    }
    await this.#sink.write(bytes);
    this.#missing -= bytes.length;
  }

  /** A pack as a whole. */
  async writePack(block: Uint8Array, data: readonly Uint8Array[]): Promise<void> {
    await this.writeHeader(block);
    for (const part of data) await this.writeData(part);
    this.#requireWhole();
  }

  /** Writes the end block. Returns the lsid after the last pack. */
  async finish(): Promise<Lsid> {
    this.#requireWhole();
    const block = new Uint8Array(this.#fields.pbs);
    encodeEndBlock(block, this.#fields.salt);
    await this.#sink.write(block);
    return this.#lsid;
  }

  #requireWhole(): void {
    if (this.#missing === 0) return;
    throw new WalbError('invalid-argument', `the pack before lsid ${this.#lsid} is not complete`, {
      details: { lsid: this.#lsid, missing: this.#missing },
    });
  }
}
