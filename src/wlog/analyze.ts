/**
 * Statistics of a log: what it holds, how much of it is overwritten later, what survives.
 */
import { type Bytes, LB_SIZE, type Lb, type Lsid, type Pb } from '../core/index.ts';
import { isAllZero } from '../kernels/index.ts';
import { BlockSet } from './block-set.ts';
import type { EndItem, IoItem } from './log-item.ts';
import type { WlogItems } from './reader.ts';

export interface LogStatistics {
  readonly beginLsid: Lsid;
  readonly endLsid: Lsid;
  readonly packs: number;
  /** Ring blocks of headers and data. */
  readonly takenPb: Pb;
  readonly writes: number;
  readonly writtenLb: Lb;
  readonly allZeroWrites: number;
  readonly discards: number;
  readonly discardedLb: Lb;
  readonly paddings: number;
  readonly paddingLb: Lb;
  readonly smallestIoLb: Lb;
  readonly largestIoLb: Lb;
  /** Unit of the block counts below. */
  readonly blockSize: Bytes;
  /** Length of all writes and discards, in blocks (rounded up once). */
  readonly writtenBlocks: number;
  /** Different blocks touched by writes and discards. */
  readonly changedBlocks: number;
  /** 1 - changed / written: how much of the writing is undone by later IO; 0 for scattered small IO. */
  readonly overwrittenRatio: number;
  /** Logical blocks whose written content is still there at the end, in bytes. */
  readonly survivingBytes: Bytes;
  readonly end: EndItem | undefined;
}

/** Reads the whole log. `blockSize` (default 4096) is the unit of the overwriting statistics. */
export async function analyzeLog(
  items: WlogItems,
  blockSize: Bytes = 4096,
): Promise<LogStatistics> {
  const analysis = new Analysis(blockSize);
  for await (const item of items) {
    if (item.kind === 'pack') analysis.pack(item.header.lsid, item.header.totalPb);
    else if (item.kind === 'io') analysis.io(item);
    else if (item.kind === 'end') analysis.end = item;
  }
  return analysis.result();
}

class Analysis {
  end: EndItem | undefined;
  readonly #blockSize: Bytes;
  readonly #changed = new BlockSet();
  readonly #surviving = new BlockSet();
  readonly #counts = {
    packs: 0,
    takenPb: 0,
    writes: 0,
    writtenLb: 0,
    allZeroWrites: 0,
    discards: 0,
    discardedLb: 0,
    paddings: 0,
    paddingLb: 0,
    smallestIoLb: 0,
    largestIoLb: 0,
  };
  #begin: Lsid | undefined;

  constructor(blockSize: Bytes) {
    this.#blockSize = blockSize;
  }

  pack(lsid: Lsid, totalPb: Pb): void {
    this.#begin ??= lsid;
    this.#counts.packs++;
    this.#counts.takenPb += 1 + totalPb;
  }

  io({ type, record, data }: IoItem): void {
    const counts = this.#counts;
    const { offset, blocks } = record;
    if (type === 'padding') {
      counts.paddings++;
      counts.paddingLb += blocks;
      return;
    }
    if (type === 'discard') {
      counts.discards++;
      counts.discardedLb += blocks;
      this.#touch(offset, blocks);
      this.#surviving.remove(offset, offset + blocks);
      return;
    }
    counts.writes++;
    counts.writtenLb += blocks;
    counts.smallestIoLb = counts.writes === 1 ? blocks : Math.min(counts.smallestIoLb, blocks);
    counts.largestIoLb = Math.max(counts.largestIoLb, blocks);
    if (data.length > 0 && isAllZero(data)) counts.allZeroWrites++;
    this.#touch(offset, blocks);
    this.#surviving.add(offset, offset + blocks);
  }

  #touch(offset: Lb, blocks: Lb): void {
    const first = Math.floor((offset * LB_SIZE) / this.#blockSize);
    const last = Math.ceil(((offset + blocks) * LB_SIZE) / this.#blockSize);
    this.#changed.add(first, last);
  }

  result(): LogStatistics {
    const { writtenLb, discardedLb } = this.#counts;
    const writtenBlocks = Math.ceil(((writtenLb + discardedLb) * LB_SIZE) / this.#blockSize);
    const changedBlocks = this.#changed.size;
    return {
      beginLsid: this.#begin ?? this.end?.lsid ?? 0n,
      endLsid: this.end?.lsid ?? 0n,
      ...this.#counts,
      blockSize: this.#blockSize,
      writtenBlocks,
      changedBlocks,
      overwrittenRatio: Math.max(0, writtenBlocks === 0 ? 0 : 1 - changedBlocks / writtenBlocks),
      survivingBytes: this.#surviving.size * LB_SIZE,
      end: this.end,
    };
  }
}
