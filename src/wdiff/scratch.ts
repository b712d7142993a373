/**
 * Where a sorted conversion keeps the data of the log until it is written in address order: in
 * memory up to a limit, then in a scratch file. Data is only appended and read back.
 */
import type { Bytes, FileHandle } from '../core/index.ts';
import { MIB, WalbError } from '../core/index.ts';

/**
 * Data kept in memory before a scratch file is asked for. A usual log transfer is a few MiB and then
 * touches no file, and the bound is far below what a server may use.
 */
export const SCRATCH_MEMORY: Bytes = 32 * MIB;

/** Small IOs are gathered in memory chunks, and writes to the file, of this size. */
const CHUNK: Bytes = MIB;

/** Makes an empty file; the caller closes and removes it. Called at most once per conversion. */
export type ScratchFactory = () => FileHandle;

export class ScratchStore {
  readonly #create: ScratchFactory | undefined;
  readonly #memoryLimit: Bytes;
  /** Chunks of CHUNK bytes that hold positions 0 .. CHUNK * length; the first part of the data. */
  readonly #memory: Uint8Array[] = [];
  #file: FileHandle | undefined;
  /** Position of the first byte of the file; everything before is in memory. */
  #fileStart: Bytes = Number.POSITIVE_INFINITY;
  /** The tail of the file part, written when it is full or read. */
  #tail = new Uint8Array(0);
  #tailUsed: Bytes = 0;
  #end: Bytes = 0;

  /** Without a factory the memory limit is a hard one. */
  constructor(create: ScratchFactory | undefined, memoryLimit: Bytes = SCRATCH_MEMORY) {
    this.#create = create;
    this.#memoryLimit = memoryLimit;
  }

  /** Copies `data` and returns its position. Throws `limit-exceeded` without a scratch factory. */
  append(data: Uint8Array): Bytes {
    const position = this.#end;
    if (this.#file === undefined && position + data.length > this.#memoryLimit) this.#openFile();
    if (this.#file === undefined) this.#appendToMemory(data);
    else this.#appendToFile(this.#file, data);
    this.#end += data.length;
    return position;
  }

  /** Fills `bytes` with what one `append` stored, or a part of it; returns `bytes`. */
  read(position: Bytes, bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (this.#file === undefined || position < this.#fileStart) {
      this.#readMemory(bytes, position);
      return bytes;
    }
    this.#flush(this.#file);
    const count = this.#file.read(bytes, position - this.#fileStart);
    if (count === length) return bytes;
    throw new WalbError('io', `${this.#file.path}: the scratch file lost its end`, {
      details: { file: this.#file.path, offset: position, missing: length - count },
    });
  }

  #openFile(): void {
    if (this.#create === undefined) {
      const problem = `more than ${this.#memoryLimit} bytes of log data and no scratch file`;
      throw new WalbError('limit-exceeded', problem, { details: { limit: this.#memoryLimit } });
    }
    this.#file = this.#create();
    this.#fileStart = this.#end;
    this.#tail = new Uint8Array(CHUNK);
  }

  #appendToMemory(data: Uint8Array): void {
    let done = 0;
    while (done < data.length) {
      const at = (this.#end + done) % CHUNK;
      if (at === 0) this.#memory.push(new Uint8Array(CHUNK));
      const part = data.subarray(done, done + CHUNK - at);
      this.#memory.at(-1)!.set(part, at);
      done += part.length;
    }
  }

  #readMemory(into: Uint8Array, position: Bytes): void {
    let done = 0;
    while (done < into.length) {
      const from = position + done;
      const at = from % CHUNK;
      const length = Math.min(CHUNK - at, into.length - done);
      into.set(this.#memory[Math.floor(from / CHUNK)]!.subarray(at, at + length), done);
      done += length;
    }
  }

  #appendToFile(file: FileHandle, data: Uint8Array): void {
    if (this.#tailUsed + data.length > CHUNK) this.#flush(file);
    if (data.length > CHUNK) {
      file.write(data, this.#end - this.#fileStart);
      return;
    }
    this.#tail.set(data, this.#tailUsed);
    this.#tailUsed += data.length;
  }

  #flush(file: FileHandle): void {
    if (this.#tailUsed === 0) return;
    const start = this.#end - this.#fileStart - this.#tailUsed;
    file.write(this.#tail.subarray(0, this.#tailUsed), start);
    this.#tailUsed = 0;
  }
}
