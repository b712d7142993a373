/**
 * The data image: the plain content of the volume, a file or a block device. `replace` is the one
 * place where old content goes, with the hook that may save it first.
 */
import { type Bytes, type FileHandle, LB_SIZE, type Lb, MIB, WalbError } from '../../core/index.ts';
import type { BlockHooks } from './hooks.ts';
import { PUNCH_FROM_BYTES } from './limits.ts';

const ZEROS = new Uint8Array(MIB);

export class DataImage {
  readonly #file: FileHandle;
  readonly #hooks: BlockHooks;

  constructor(file: FileHandle, hooks: BlockHooks) {
    this.#file = file;
    this.#hooks = hooks;
  }

  get path(): string {
    return this.#file.path;
  }

  /** Throws `corrupt` when the image is shorter than the volume: it was truncated or exchanged (W5). */
  requireSize(sizeLb: Lb): void {
    const size = this.#file.size();
    if (size >= sizeLb * LB_SIZE) return;
    throw new WalbError(
      'corrupt',
      `${this.path} has ${size} bytes, but the volume has ${sizeLb * LB_SIZE}: the data image was ` +
        'lost or truncated; restore the volume from an archive',
      { details: { file: this.path, size, expected: sizeLb * LB_SIZE } },
    );
  }

  /** Makes room for a bigger volume. Throws `no-space` where a block device is too small. */
  async grow(sizeLb: Lb): Promise<void> {
    const size = sizeLb * LB_SIZE;
    if (this.#file.size() >= size) return;
    if (this.#file.isBlockDevice) {
      throw new WalbError(
        'no-space',
        `${this.path} has only ${this.#file.size()} bytes; enlarge the block device first`,
        { details: { file: this.path, size: this.#file.size(), wanted: size } },
      );
    }
    this.#file.truncate(size);
    await this.#file.sync();
  }

  /** Fills `into` with what the image holds. Throws `corrupt` where the image ends too early. */
  read(into: Uint8Array, offset: Lb): void {
    const count = this.#file.read(into, offset * LB_SIZE);
    if (count === into.length) return;
    throw new WalbError('corrupt', `${this.path} ends within block ${offset}: it was truncated`, {
      details: { file: this.path, offset, wanted: into.length, got: count },
    });
  }

  /** First range at or after `position` that may hold data; what lies before it reads as zeros. */
  nextData(position: Bytes): { readonly start: Bytes; readonly end: Bytes } | undefined {
    return this.#file.nextData(position);
  }

  /**
   * Replaces the content of a range by `parts`, one after another, or by zeros. Returns a promise only
   * where the hook asks to wait.
   */
  replace(
    offset: Lb,
    sizeLb: Lb,
    lsid: number,
    parts: readonly Uint8Array[] | undefined,
  ): Promise<void> | undefined {
    const wait = this.#hooks.beforeReplace?.(offset, sizeLb, BigInt(lsid));
    if (wait !== undefined) return wait.then(() => this.#put(offset, sizeLb, parts));
    this.#put(offset, sizeLb, parts);
    return undefined;
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  #put(offset: Lb, sizeLb: Lb, parts: readonly Uint8Array[] | undefined): void {
    const position = offset * LB_SIZE;
    if (parts === undefined) this.#putZeros(position, sizeLb * LB_SIZE);
    else if (parts.length === 1) this.#file.write(parts[0]!, position);
    else this.#file.writev(parts, position);
  }

  #putZeros(position: Bytes, length: Bytes): void {
    if (length >= PUNCH_FROM_BYTES) this.#file.punch(position, length);
    else this.#file.write(ZEROS.subarray(0, length), position);
  }
}
