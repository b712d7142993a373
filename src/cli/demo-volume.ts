/** The workload's side of the demo: a volume over NBD, and somebody who keeps writing to it. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bytes, KIB, MIB } from '../core/index.ts';
import type { NbdClient } from '../wdev/nbd/index.ts';

/** Unit in which a changed image is compared and written. */
const BLOCK: Bytes = 4 * KIB;
const READ_STEP: Bytes = 2 * MIB;
/** About 6 MB/s: an ordinary busy volume, and minutes until it had filled the ring by itself. */
const WRITE_SIZE: Bytes = 32 * KIB;
const WRITE_PAUSE_MS = 5;

/** sha256 of everything on an NBD export, in hex. */
export async function hashExport(client: NbdClient): Promise<string> {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(READ_STEP);
  for (let at = 0; at < client.size; at += READ_STEP) {
    const part = buffer.subarray(0, Math.min(READ_STEP, client.size - at));
    await client.read(at, part);
    hash.update(part);
  }
  return hash.digest('hex');
}

/** Writes the blocks in which `to` differs from `from`, then flushes. Returns how many bytes. */
export async function writeDifference(
  client: NbdClient,
  from: Uint8Array | undefined,
  to: Uint8Array,
): Promise<Bytes> {
  let written = 0;
  const pending: Promise<void>[] = [];
  for (const [start, end] of differingRanges(from, to)) {
    pending.push(client.write(start, to.subarray(start, end)));
    written += end - start;
  }
  await Promise.all(pending);
  await client.flush();
  return written;
}

/** Whole blocks, neighbours joined. */
function* differingRanges(
  from: Uint8Array | undefined,
  to: Uint8Array,
): Generator<[start: Bytes, end: Bytes]> {
  if (from === undefined) {
    yield [0, to.length];
    return;
  }
  let start: Bytes | undefined;
  for (let at = 0; at <= to.length; at += BLOCK) {
    const differs =
      at < to.length &&
      Buffer.compare(to.subarray(at, at + BLOCK), from.subarray(at, at + BLOCK)) !== 0;
    if (differs) start ??= at;
    else if (start !== undefined) {
      yield [start, at];
      start = undefined;
    }
  }
}

/** Keeps writing real bytes at changing places of one part of the volume. */
export class Writer {
  /** Bytes acknowledged so far. */
  written: Bytes = 0;
  readonly #client: NbdClient;
  readonly #source: Uint8Array;
  readonly #from: Bytes;
  #running: Promise<void> | undefined;
  #isPaused = true;
  #state = 1;

  /** Takes its bytes from `source`; writes behind `from`. */
  constructor(client: NbdClient, source: Uint8Array, from: Bytes) {
    this.#client = client;
    this.#source = source;
    this.#from = from;
  }

  start(): void {
    this.#isPaused = false;
    this.#running = this.#run();
    // A broken connection shows when somebody waits for it.
    this.#running.catch(() => {});
  }

  /** Resolves when nothing is under way: what the volume holds now, it holds until `start`. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isPaused) {
      const source = this.#place(this.#source.length);
      const target = this.#from + this.#place(this.#client.size - this.#from);
      await this.#client.write(target, this.#source.subarray(source, source + WRITE_SIZE));
      this.written += WRITE_SIZE;
      await sleep(WRITE_PAUSE_MS);
    }
  }

  /** Some whole block of a range that has room for one write behind it. */
  #place(length: Bytes): Bytes {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    const places = Math.floor((length - WRITE_SIZE) / BLOCK) + 1;
    return (this.#state % places) * BLOCK;
  }
}
