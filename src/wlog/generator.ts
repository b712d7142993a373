/**
 * Makes wlogs for tests and benchmarks: the same options and seed give the same bytes on every
 * machine. Memory is bounded by one IO, since data is made twice, first for the checksum.
 */
import {
  type Bytes,
  ceilPb,
  LB_SIZE,
  type Lb,
  type Lsid,
  lbPerPb,
  type Pb,
  U64_MAX,
  WalbError,
} from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import { encodeWlogHeader } from './file-header.ts';
import { MAX_IO_LB, MAX_PACK_PB, recordCapacity, requireWlogPbs } from './limits.ts';
import {
  DISCARD_FLAGS,
  encodeEndBlock,
  encodePackHeader,
  nextLsid,
  PADDING_FLAGS,
  type RecordFields,
  recordPb,
  WRITE_FLAGS,
} from './pack-header.ts';
import { SeededRandom } from './seeded-random.ts';

/** `sparse`: one counter per block, else zeros; `random`: incompressible; `mixed`: half of each. */
export type DataKind = 'sparse' | 'random' | 'mixed';

export interface GenerateOptions {
  readonly seed: number;
  readonly pbs: Bytes;
  /** Offsets lie below it. */
  readonly deviceLb: Lb;
  /** The log ends once its writes and discards together reach this length. */
  readonly totalLb: Lb;
  readonly minIoLb: Lb;
  readonly maxIoLb: Lb;
  readonly minDiscardLb: Lb;
  readonly maxDiscardLb: Lb;
  readonly maxPackPb: Pb;
  readonly beginLsid: Lsid;
  readonly data: DataKind;
  /** Share of IOs, 0..1. */
  readonly discardShare: number;
  readonly allZeroShare: number;
  /** Share of packs that get a padding record, of 0 to 63 physical blocks. */
  readonly paddingShare: number;
}

export const GENERATE_DEFAULTS: Omit<GenerateOptions, 'seed'> = {
  pbs: 512,
  deviceLb: 32768,
  totalLb: 8192,
  minIoLb: 1,
  maxIoLb: 64,
  minDiscardLb: 1,
  maxDiscardLb: 512,
  maxPackPb: 2048,
  beginLsid: 0n,
  data: 'sparse',
  discardShare: 0.1,
  allZeroShare: 0.1,
  paddingShare: 0.1,
};

const MAX_PADDING_PB: Pb = 63;

/** What a generated IO is made of: enough to make its data again. */
interface PlannedIo extends RecordFields {
  readonly fill: DataKind | 'zero';
  readonly dataSeed: number;
}

/** The pieces of a wlog file in order; each is valid until the next is asked for. */
export function* generateWlog(
  options: Partial<GenerateOptions> & { readonly seed: number },
): Generator<Uint8Array, void, undefined> {
  const o: GenerateOptions = { ...GENERATE_DEFAULTS, ...options };
  validateOptions(o);
  const random = new SeededRandom(o.seed);
  const uuid = random.bytes(16);
  const salt = random.u32();
  const { pbs, beginLsid } = o;
  yield encodeWlogHeader({ salt, pbs, uuid, beginLsid, endLsid: U64_MAX });
  const header = new Uint8Array(pbs);
  const buffer = new Uint8Array(Math.max(ceilPb(o.maxIoLb, pbs), MAX_PADDING_PB) * pbs);
  let lsid = beginLsid;
  for (let doneLb = 0; doneLb < o.totalLb; ) {
    const records = planPack(o, random, salt, buffer, o.totalLb - doneLb);
    doneLb += lengthOf(records);
    const totalPb = records.reduce((sum, record) => sum + recordPb(record, pbs), 0);
    const nPadding = records.filter((record) => record.flags === PADDING_FLAGS).length;
    encodePackHeader({ lsid, totalPb, nPadding, records }, header, salt);
    yield header;
    for (const record of records) {
      const size = recordPb(record, pbs) * pbs;
      if (size > 0) yield fillData(record, buffer.subarray(0, size));
    }
    lsid = nextLsid({ lsid, totalPb });
  }
  encodeEndBlock(header, salt);
  yield header;
}

function lengthOf(records: readonly RecordFields[]): Lb {
  return records.reduce((sum, r) => sum + (r.flags === PADDING_FLAGS ? 0 : r.blocks), 0);
}

function validateOptions(o: GenerateOptions): void {
  requireWlogPbs(o.pbs);
  const largest = Math.max(o.maxIoLb, o.discardShare > 0 ? o.maxDiscardLb : 0);
  const problems: (readonly [broken: boolean, text: string])[] = [
    [
      !(o.minIoLb >= 1 && o.minIoLb <= o.maxIoLb),
      'the smallest IO must be 1 block up to the largest',
    ],
    [o.maxIoLb > MAX_IO_LB, `the largest IO is ${MAX_IO_LB} blocks`],
    [
      !(o.minDiscardLb >= 1 && o.minDiscardLb <= o.maxDiscardLb),
      'the smallest discard must be 1 block up to the largest',
    ],
    [largest > o.deviceLb, 'IOs must fit into the device'],
    [
      !(o.maxPackPb >= ceilPb(o.maxIoLb, o.pbs) && o.maxPackPb <= MAX_PACK_PB),
      `a pack must hold the largest IO and at most ${MAX_PACK_PB} physical blocks`,
    ],
    [o.totalLb < 0 || o.beginLsid < 0n, 'length and lsid can not be negative'],
  ];
  for (const [broken, text] of problems) {
    if (broken) throw new WalbError('invalid-argument', `can not generate such a log: ${text}`);
  }
}

/** Records of one pack, with up to `restLb` blocks of IO (the last IO may pass it). */
function planPack(
  o: GenerateOptions,
  random: SeededRandom,
  salt: number,
  buffer: Uint8Array,
  restLb: Lb,
): PlannedIo[] {
  const count = 1 + random.below(recordCapacity(o.pbs));
  const paddingAt = random.chance(o.paddingShare) ? random.below(count) : -1;
  const records: PlannedIo[] = [];
  let used = 0;
  let length = 0;
  for (let i = 0; i < count && length < restLb; i++) {
    const isPadding = i === paddingAt;
    const shape = isPadding ? paddingShape(o, random, o.maxPackPb - used) : ioShape(o, random);
    const record = { ...shape, lsidLocal: 1 + used };
    if (used + recordPb(record, o.pbs) > o.maxPackPb) break;
    used += recordPb(record, o.pbs);
    if (!isPadding) length += record.blocks;
    const isWrite = record.flags === WRITE_FLAGS;
    const data = buffer.subarray(0, isWrite ? record.blocks * LB_SIZE : 0);
    records.push(
      isWrite ? { ...record, checksum: checksum(fillData(record, data), salt) } : record,
    );
  }
  return records;
}

type Shape = Omit<PlannedIo, 'lsidLocal'>;

function paddingShape(o: GenerateOptions, random: SeededRandom, roomPb: Pb): Shape {
  const blocks = random.below(Math.min(MAX_PADDING_PB, roomPb) + 1) * lbPerPb(o.pbs);
  return { checksum: 0, flags: PADDING_FLAGS, offset: 0, blocks, fill: 'zero', dataSeed: 0 };
}

function ioShape(o: GenerateOptions, random: SeededRandom): Shape {
  const discard = random.chance(o.discardShare);
  const [min, max] = discard ? [o.minDiscardLb, o.maxDiscardLb] : [o.minIoLb, o.maxIoLb];
  const blocks = min + random.below(max - min + 1);
  const offset = random.below(o.deviceLb - blocks + 1);
  const flags = discard ? DISCARD_FLAGS : WRITE_FLAGS;
  const fill = random.chance(o.allZeroShare) ? 'zero' : o.data;
  return { checksum: 0, flags, offset, blocks, fill, dataSeed: random.u32() };
}

/** Fills the physical blocks of an IO; what lies behind its last logical block is zero. */
function fillData(record: PlannedIo, into: Uint8Array): Uint8Array {
  into.fill(0);
  if (record.flags !== WRITE_FLAGS || record.fill === 'zero') return into;
  const bytes = into.subarray(0, record.blocks * LB_SIZE);
  const random = new SeededRandom(record.dataSeed);
  if (record.fill === 'random') random.fill(bytes);
  if (record.fill === 'mixed') random.fill(bytes.subarray(0, bytes.length / 2));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += LB_SIZE) {
    view.setUint32(at, record.dataSeed, true);
    view.setUint32(at + 4, at / LB_SIZE, true);
  }
  return into;
}
