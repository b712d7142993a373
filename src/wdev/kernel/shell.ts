/**
 * The adapter's outside: the `wdevc` program, and reading a device past the page cache.
 */
import fs from 'node:fs';
import { execa } from 'execa';
import { type Bytes, type FileHandle, MIB, WalbError } from '../../core/index.ts';
import { allocateAligned, freeAligned } from '../../kernels/index.ts';
import type { WdevcRunner } from './kernel-device.ts';

/** wdevc talks to the driver by ioctl; only a stuck driver takes longer. */
const WDEVC_TIMEOUT = 60_000;

/** Runs the `wdevc` of walb-tools found at `program`. */
export function wdevcRunner(program = 'wdevc'): WdevcRunner {
  return async (args) => {
    const result = await execa(program, [...args], { timeout: WDEVC_TIMEOUT, reject: false });
    if (!result.failed) return result.stdout;
    const why = result.stderr || result.shortMessage;
    throw new WalbError('io', `${program} ${args.join(' ')} failed: ${why}`, {
      details: { program, exit: result.exitCode },
      cause: result,
    });
  };
}

/** O_DIRECT wants positions, lengths and memory aligned; 4096 suits every block device in use. */
const ALIGNMENT: Bytes = 4096;
const BUFFER: Bytes = MIB;

/** A read-only `FileHandle` that bypasses the page cache, through one aligned buffer. */
export function openUncached(path: string): FileHandle {
  return new UncachedFile(path);
}

class UncachedFile implements FileHandle {
  readonly path: string;
  readonly isBlockDevice: boolean;
  readonly #fd: number;
  readonly #buffer = allocateAligned(BUFFER);
  #isClosed = false;

  constructor(path: string) {
    this.path = path;
    try {
      this.#fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECT);
      this.isBlockDevice = fs.fstatSync(this.#fd).isBlockDevice();
    } catch (error) {
      freeAligned(this.#buffer);
      throw WalbError.from(error, `cannot open ${path}`);
    }
  }

  /** Of a block device too: its end is where reads stop. */
  size(): Bytes {
    if (!this.isBlockDevice) return fs.fstatSync(this.#fd).size;
    const name = fs.realpathSync(this.path).slice('/dev/'.length).replaceAll('/', '!');
    return Number(fs.readFileSync(`/sys/class/block/${name}/size`, 'utf8')) * 512;
  }

  read(into: Uint8Array, position: Bytes): number {
    let done = 0;
    while (done < into.length) {
      const count = this.#readOnce(into.subarray(done), position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  #readOnce(into: Uint8Array, position: Bytes): number {
    const start = position - (position % ALIGNMENT);
    const skip = position - start;
    const wanted = Math.ceil((skip + into.length) / ALIGNMENT) * ALIGNMENT;
    const length = Math.min(wanted, BUFFER);
    let got: number;
    try {
      got = fs.readSync(this.#fd, this.#buffer, 0, length, start);
    } catch (error) {
      throw WalbError.from(error, `cannot read ${this.path} at ${position}`);
    }
    const count = Math.max(0, Math.min(got - skip, into.length));
    into.set(this.#buffer.subarray(skip, skip + count));
    return count;
  }

  write(): never {
    return this.#refuse();
  }

  writev(): never {
    return this.#refuse();
  }

  truncate(): never {
    return this.#refuse();
  }

  punch(): never {
    return this.#refuse();
  }

  nextData(position: Bytes): { start: Bytes; end: Bytes } | undefined {
    const end = this.size();
    return position < end ? { start: position, end } : undefined;
  }

  async sync(): Promise<void> {}

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    fs.closeSync(this.#fd);
    freeAligned(this.#buffer);
  }

  #refuse(): never {
    throw new WalbError('unsupported', `${this.path} is open for reading only`);
  }
}
