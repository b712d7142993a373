/** Shared by the wdiff tests: golden access, models, small helpers. */
import { createHash } from 'node:crypto';
import { LB_SIZE } from '../../src/core/index.ts';
import {
  type DiffBatch,
  type DiffIo,
  type DiffStream,
  ioData,
  logIosOf,
  openDiff,
} from '../../src/wdiff/index.ts';
import { bytesSource, readWlogs } from '../../src/wlog/index.ts';
import { golden } from '../golden/golden.ts';
import { MemoryFile } from '../support/memory-file.ts';

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function memoryOf(name: string): MemoryFile {
  return new MemoryFile(golden.read(name), name);
}

/** The log IOs of a golden wlog. */
export function logIos(name: string) {
  return logIosOf(readWlogs(bytesSource(golden.read(name), name)));
}

export async function bytesOf(
  parts: AsyncIterable<readonly Uint8Array[] | Uint8Array>,
): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const part of parts) {
    if (part instanceof Uint8Array) all.push(Uint8Array.from(part));
    else all.push(...part.map((bytes) => Uint8Array.from(bytes)));
  }
  return Buffer.concat(all);
}

export async function collect(stream: DiffStream): Promise<DiffIo[]> {
  const all: DiffIo[] = [];
  for await (const batch of stream) all.push(...batch);
  return all;
}

/** A piece as a comparable line: range, kind, and hash of its data. */
export function describePiece(io: DiffIo): string {
  const content = io.kind === 'normal' ? sha256(ioData(io)).slice(0, 16) : '';
  return `${io.address}+${io.blocks} ${io.kind} ${content}`;
}

export async function describeDiff(bytes: Uint8Array, name = 'memory'): Promise<string[]> {
  const pieces = await collect(openDiff(new MemoryFile(bytes, name)).batches());
  return pieces.map(describePiece);
}

/** Cuts a list of pieces into batches of `length`. */
export function batchesOf(pieces: readonly DiffIo[], length = 3): DiffBatch[] {
  const batches: DiffBatch[] = [];
  for (let at = 0; at < pieces.length; at += length) batches.push(pieces.slice(at, at + length));
  return batches;
}

/** A block of data that says where it came from. */
export function blockData(blocks: number, seed: number): Uint8Array {
  const data = new Uint8Array(blocks * LB_SIZE);
  const words = new Uint32Array(data.buffer);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = i % 4 === 0 ? state >>> 0 : seed;
  }
  return data;
}
