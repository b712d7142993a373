/**
 * Merge of diffs, oldest first, into one stream of pieces (formats.md 7).
 *
 * The rule "put each IO into a map, cutting what is there" gives, whatever the order of reading: of
 * each piece (an input record, split every maxIoBlocks from its start) the maximal parts that no newer
 * input covers. So the merge is one sweep over the addresses with the current record of each input
 * in memory: the newest input that covers an address wins, and its part ends where it ends or where
 * the next record of a *newer* input starts; records of older inputs do not cut it.
 */
import type { Lb } from '../core/index.ts';
import type { DiffBatch, DiffIo, DiffStream } from './diff-io.ts';
import { sliceIo } from './diff-io.ts';
import { Heap } from './heap.ts';

/** Pieces per batch of the output. */
const BATCH_PIECES = 128;

export interface MergeOptions {
  /** Longest piece, 0 (default) for no limit. */
  readonly maxIoBlocks?: Lb;
}

/** The current record of one input. */
interface Cursor {
  /** Higher is newer. */
  readonly age: number;
  readonly next: () => Promise<DiffBatch | undefined>;
  batch: DiffBatch;
  index: number;
  io: DiffIo;
}

/**
 * Merged pieces of `inputs`, oldest first, in address order without overlap. Memory: one batch of
 * records per input. Errors of the inputs pass through.
 */
export async function* mergeDiffs(
  inputs: readonly DiffStream[],
  options: MergeOptions = {},
): AsyncGenerator<DiffBatch> {
  const iterators = inputs.map(iteratorOf);
  try {
    yield* sweep(await openCursors(iterators), options.maxIoBlocks ?? 0);
  } finally {
    for (const iterator of iterators) await iterator.return?.();
  }
}

type BatchIterator = Iterator<DiffBatch> | AsyncIterator<DiffBatch>;

function iteratorOf(stream: DiffStream): BatchIterator {
  return Symbol.asyncIterator in stream
    ? stream[Symbol.asyncIterator]()
    : stream[Symbol.iterator]();
}

async function openCursors(iterators: readonly BatchIterator[]): Promise<Cursor[]> {
  const cursors: Cursor[] = [];
  for (const [age, iterator] of iterators.entries()) {
    const next = async () => {
      const { done, value } = await iterator.next();
      return done === true ? undefined : value;
    };
    const batch = await nextFullBatch(next);
    if (batch !== undefined) cursors.push({ age, next, batch, index: 0, io: batch[0]! });
  }
  return cursors;
}

async function nextFullBatch(next: Cursor['next']): Promise<DiffBatch | undefined> {
  let batch = await next();
  while (batch !== undefined && batch.length === 0) batch = await next();
  return batch;
}

/** Moves to the next record; a promise only where the batch is used up. False at the end. */
function advance(cursor: Cursor): boolean | Promise<boolean> {
  cursor.index++;
  if (cursor.index === cursor.batch.length) return advanceBatch(cursor);
  cursor.io = cursor.batch[cursor.index]!;
  return true;
}

async function advanceBatch(cursor: Cursor): Promise<boolean> {
  const batch = await nextFullBatch(cursor.next);
  if (batch === undefined) return false;
  cursor.batch = batch;
  cursor.index = 0;
  cursor.io = batch[0]!;
  return true;
}

function endOf(cursor: Cursor): Lb {
  return cursor.io.address + cursor.io.blocks;
}

async function* sweep(cursors: readonly Cursor[], maxIoBlocks: Lb): AsyncGenerator<DiffBatch> {
  /** Records that start at or after the sweep, earliest first. */
  const coming = new Heap<Cursor>((a, b) => a.io.address - b.io.address || b.age - a.age);
  /** Records that started before the sweep, newest first. */
  const open = new Heap<Cursor>((a, b) => b.age - a.age);
  for (const cursor of cursors) coming.push(cursor);
  let output: DiffIo[] = [];
  let position: Lb = 0;
  for (;;) {
    const winner = open.peek();
    if (winner === undefined) {
      const first = coming.pop();
      if (first === undefined) break;
      position = Math.max(position, first.io.address);
      open.push(first);
      continue;
    }
    const end = endOf(winner);
    const cut = position < end ? openUntil(winner, end, position, coming, open) : end;
    while (position < cut) {
      const border = nextBorder(winner.io, position, cut, maxIoBlocks);
      output.push(sliceIo(winner.io, position, border - position));
      position = border;
      if (output.length < BATCH_PIECES) continue;
      yield output;
      output = [];
    }
    if (position < end) continue;
    open.pop();
    const more = advance(winner);
    if (typeof more === 'boolean' ? more : await more) coming.push(winner);
  }
  if (output.length > 0) yield output;
}

/**
 * How far `winner` goes from `position`: to its end, or to where a newer record starts. Older records
 * that start before are opened on the way, and so is the newer one.
 */
function openUntil(
  winner: Cursor,
  end: Lb,
  position: Lb,
  coming: Heap<Cursor>,
  open: Heap<Cursor>,
): Lb {
  for (;;) {
    const next = coming.peek();
    if (next === undefined || next.io.address >= end) return end;
    coming.pop();
    open.push(next);
    if (next.age > winner.age) return Math.max(position, next.io.address);
  }
}

/** Where a piece of `io` that starts at `from` ends: at `to` or the next multiple of `maxIoBlocks`. */
function nextBorder(io: DiffIo, from: Lb, to: Lb, maxIoBlocks: Lb): Lb {
  if (maxIoBlocks === 0) return to;
  return Math.min(to, from + maxIoBlocks - ((from - io.address) % maxIoBlocks));
}
