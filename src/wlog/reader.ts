/**
 * Reads wlog files as a stream with bounded memory: one header block and one IO (at most 32 MiB) at
 * a time. Source: formats.md 2.2 and 2.3.
 *
 *     for await (const item of readWlog(fileSource(file))) {
 *       if (item.kind === 'io' && item.type === 'write') use(item.record.offset, item.data);
 *     }
 *
 * The stop rules of 2.3 end the stream with an `end` item that carries the reason, instead of hiding
 * it. Truncated data and data that fails its checksum throw `corrupt`.
 */
import { type Bytes, corrupt, equalBytes, LB_SIZE, type Lsid, WalbError } from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import type { ByteSource } from './byte-source.ts';
import {
  decodeWlogHeader,
  validateWlogHeader,
  verifyWlogHeaderChecksum,
  WLOG_HEADER_SIZE,
  type WlogHeader,
} from './file-header.ts';
import {
  describeStop,
  type EndItem,
  type IoItem,
  type LogItem,
  type StopReason,
} from './log-item.ts';
import {
  decodePackHeader,
  inspectPackHeader,
  type LogRecord,
  nextLsid,
  type PackHeader,
  recordKind,
  recordPb,
  validatePackHeader,
} from './pack-header.ts';
import { invalidField } from './place.ts';

/**
 * What to do with IO data: `verify` reads and checks it, `trust` reads without checking, `skip`
 * passes over it (then a file cut inside data ends with reason `truncated-data`).
 */
export type DataMode = 'verify' | 'trust' | 'skip';

export interface ReadOptions {
  /** Default `verify`. */
  readonly data?: DataMode;
}

export interface ReadManyOptions extends ReadOptions {
  /**
   * When a log breaks off (bad header in the middle): `throw` (default), because what follows can not
   * be found, or `stop` with the `end` item as the last one, as the tools for a single wlog do.
   */
  readonly onBreak?: 'throw' | 'stop';
}

export interface HeaderItem {
  readonly kind: 'header';
  readonly header: WlogHeader;
  readonly offset: Bytes;
}

export type WlogItem = HeaderItem | LogItem;
/** What `readWlog`, `readWlogs` and `readRing` give; the last without a `header` item. */
export type WlogItems = Iterable<WlogItem> | AsyncIterable<WlogItem>;

/** One wlog: a `header` item, packs with their IOs, and an `end` item. Throws `corrupt`. */
export async function* readWlog(
  source: ByteSource,
  options: ReadOptions = {},
): AsyncGenerator<WlogItem, void, undefined> {
  const stream = new WlogStream(source, options.data ?? 'verify');
  const header = await stream.fileHeader();
  if (header === undefined) throw missingHeader(source.name);
  yield* stream.wlog(header);
}

/**
 * Several wlogs one after another on one stream, until it ends in place of a file header. Each must
 * continue where the one before really ended, with the same uuid, else `conflict` is thrown.
 */
export async function* readWlogs(
  source: ByteSource,
  options: ReadManyOptions = {},
): AsyncGenerator<WlogItem, void, undefined> {
  const stream = new WlogStream(source, options.data ?? 'verify');
  let header = await stream.fileHeader();
  if (header === undefined) throw missingHeader(source.name);
  while (header !== undefined) {
    const end: EndItem = yield* stream.wlog(header);
    if (end.reason !== 'end-block') {
      if (options.onBreak !== 'stop') requireEndOfStream(end, source.name);
      return;
    }
    const next = await stream.fileHeader();
    if (next !== undefined) requireContinuation(header, end.lsid, next, source.name, stream.offset);
    header = next;
  }
}

function missingHeader(file: string) {
  return invalidField('wlog file header', 'length', 'is 0: the file is empty', { file, offset: 0 });
}

function requireEndOfStream(end: EndItem, file: string): void {
  if (end.reason === 'end-of-file' || end.reason === 'short-header') return;
  throw corrupt(
    `${file}: the log breaks off at byte ${end.offset}, lsid ${end.lsid}: ${describeStop(end.reason)}`,
    { file, offset: end.offset, lsid: end.lsid, field: 'pack header', reason: end.reason },
  );
}

function requireContinuation(
  before: WlogHeader,
  endLsid: Lsid,
  next: WlogHeader,
  file: string,
  endOffset: Bytes,
): void {
  const offset = endOffset - WLOG_HEADER_SIZE;
  const refuse = (field: string, problem: string) =>
    new WalbError(
      'conflict',
      `${file}: the wlog at byte ${offset} does not continue the one before: ${problem}`,
      {
        details: { file, offset, field },
      },
    );
  if (!equalBytes(before.uuid, next.uuid)) throw refuse('uuid', 'its uuid is another');
  if (next.beginLsid !== endLsid) {
    throw refuse('begin_lsid', `it begins at lsid ${next.beginLsid}, not at ${endLsid}`);
  }
}

const NO_BYTES = new Uint8Array(0);

/** The state of reading one stream: where we are, and the two reused buffers. */
class WlogStream {
  readonly #source: ByteSource;
  readonly #mode: DataMode;
  #offset: Bytes = 0;
  #block: Uint8Array = NO_BYTES;
  #io: Uint8Array = NO_BYTES;

  constructor(source: ByteSource, mode: DataMode) {
    this.#source = source;
    this.#mode = mode;
  }

  get offset(): Bytes {
    return this.#offset;
  }

  /** Reads and validates a file header; undefined when the stream ends here. */
  async fileHeader(): Promise<WlogHeader | undefined> {
    const block = new Uint8Array(WLOG_HEADER_SIZE);
    const place = { file: this.#source.name, offset: this.#offset };
    const count = await this.#read(block);
    if (count === 0) return undefined;
    if (count < block.length) {
      const problem = `is ${count}, not ${WLOG_HEADER_SIZE}: the file is cut short`;
      throw invalidField('wlog file header', 'length', problem, place);
    }
    const header = decodeWlogHeader(block);
    // Type first: for a file that is no wlog at all, "checksum" would be the wrong complaint.
    validateWlogHeader(header, place);
    verifyWlogHeaderChecksum(block, place);
    return header;
  }

  /** Everything after a file header already read. Returns the `end` item it also yields. */
  async *wlog(header: WlogHeader): AsyncGenerator<WlogItem, EndItem, undefined> {
    yield { kind: 'header', header, offset: this.#offset - WLOG_HEADER_SIZE };
    this.#block = new Uint8Array(header.pbs);
    let lsid = header.beginLsid;
    for (;;) {
      const offset = this.#offset;
      const count = await this.#read(this.#block);
      const verdict = this.#judge(count, header.salt, lsid);
      if (verdict !== 'pack') {
        const end = endItem(verdict, lsid, offset);
        yield end;
        return end;
      }
      const pack = this.#decode(header.pbs, offset);
      yield { kind: 'pack', header: pack, block: this.#block, offset };
      for (const record of pack.records) {
        const io = await this.#readIo(pack, record, header);
        if (io === undefined) {
          const end = endItem('truncated-data', lsid, this.#offset);
          yield end;
          return end;
        }
        yield io;
      }
      lsid = nextLsid(pack);
    }
  }

  #judge(count: number, salt: number, lsid: Lsid): 'pack' | StopReason {
    if (count === 0) return 'end-of-file';
    if (count < this.#block.length) return 'short-header';
    return inspectPackHeader(this.#block, salt, lsid);
  }

  #decode(pbs: Bytes, offset: Bytes): PackHeader {
    const pack = decodePackHeader(this.#block);
    validatePackHeader(pack, pbs, { file: this.#source.name, offset });
    return pack;
  }

  /** Undefined when data is missing in mode `skip`. */
  async #readIo(
    pack: PackHeader,
    record: LogRecord,
    { pbs, salt }: WlogHeader,
  ): Promise<IoItem | undefined> {
    const type = recordKind(record.flags);
    const size = recordPb(record, pbs) * pbs;
    const offset = this.#offset;
    if (this.#mode === 'skip') {
      if ((await this.#skip(size)) < size) return undefined;
      return { kind: 'io', pack, record, type, data: NO_BYTES, stored: NO_BYTES, offset };
    }
    const stored = this.#ioBuffer(size);
    const count = await this.#read(stored);
    if (count < size) throw this.#truncated(record, offset, size, count);
    const data = type === 'write' ? stored.subarray(0, record.blocks * LB_SIZE) : NO_BYTES;
    if (type === 'write' && this.#mode === 'verify' && checksum(data, salt) !== record.checksum) {
      throw badData(record, this.#source.name, offset);
    }
    return { kind: 'io', pack, record, type, data, stored, offset };
  }

  #truncated(record: LogRecord, offset: Bytes, size: Bytes, count: Bytes) {
    return corrupt(
      `${this.#source.name}: the file ends inside the data of lsid ${record.lsid}: ` +
        `${count} of ${size} bytes at byte ${offset}`,
      { file: this.#source.name, offset, lsid: record.lsid, field: 'data', missing: size - count },
    );
  }

  /** Grows to the largest IO met; never beyond 32 MiB, since io_size was validated. */
  #ioBuffer(size: Bytes): Uint8Array {
    if (this.#io.length < size) this.#io = new Uint8Array(size);
    return this.#io.subarray(0, size);
  }

  async #read(into: Uint8Array): Promise<number> {
    const answer = this.#source.read(into);
    const count = typeof answer === 'number' ? answer : await answer;
    this.#offset += count;
    return count;
  }

  async #skip(size: Bytes): Promise<number> {
    const answer = this.#source.skip(size);
    const count = typeof answer === 'number' ? answer : await answer;
    this.#offset += count;
    return count;
  }
}

function endItem(reason: EndItem['reason'], lsid: Lsid, offset: Bytes): EndItem {
  return { kind: 'end', reason, lsid, offset };
}

/** The complaint about an IO whose data does not fit its record. */
function badData(record: LogRecord, file: string, offset: Bytes) {
  return corrupt(
    `${file}: data of lsid ${record.lsid} at byte ${offset} does not match its checksum`,
    { file, offset, lsid: record.lsid, field: 'checksum', address: record.offset },
  );
}
