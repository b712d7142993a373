/**
 * A `FileHandle` over one array: for tests of code that only needs bytes at positions. Faulty disks and
 * crashes are the simulator's (test/sim).
 */
import { type FileHandle, WalbError } from '../../src/core/index.ts';

export class MemoryFile implements FileHandle {
  readonly path: string;
  readonly isBlockDevice = false;
  bytes: Uint8Array;
  /** How often `sync` was called. */
  syncs = 0;

  constructor(content: Uint8Array | number, path = 'memory') {
    this.bytes = typeof content === 'number' ? new Uint8Array(content) : new Uint8Array(content);
    this.path = path;
  }

  size(): number {
    return this.bytes.length;
  }

  read(into: Uint8Array, position: number): number {
    const piece = this.bytes.subarray(position, position + into.length);
    into.set(piece);
    return piece.length;
  }

  write(from: Uint8Array, position: number): void {
    if (position < 0 || !Number.isSafeInteger(position)) {
      throw new WalbError('invalid-argument', `${this.path}: position ${position}`);
    }
    if (position + from.length > this.bytes.length) this.truncate(position + from.length);
    this.bytes.set(from, position);
  }

  writev(parts: readonly Uint8Array[], position: number): void {
    let at = position;
    for (const part of parts) {
      this.write(part, at);
      at += part.length;
    }
  }

  truncate(size: number): void {
    const grown = new Uint8Array(size);
    grown.set(this.bytes.subarray(0, size));
    this.bytes = grown;
  }

  punch(position: number, length: number): void {
    this.bytes.fill(0, position, position + length);
  }

  nextData(position: number): { start: number; end: number } | undefined {
    return position < this.bytes.length ? { start: position, end: this.bytes.length } : undefined;
  }

  async sync(): Promise<void> {
    this.syncs++;
  }

  close(): void {}
}
