/**
 * Puts groups of writes into the ring log: plan the packs, see whether there is room, copy the data
 * into the memory of pending writes, write the log. All synchronous, so that no other batch gets in
 * between; what must be waited for is a value, and the caller waits (intake.ts).
 */
import {
  type Bytes,
  type FileHandle,
  LB_SIZE,
  type Lb,
  lbPerPb,
  WalbError,
} from '../../core/index.ts';
import {
  encodePackHeader,
  encodePlan,
  type LogIo,
  lsidPosition,
  PADDING_FLAGS,
  type PackLimits,
  type PackPlan,
  planPacks,
  type RingGeometry,
} from '../../wlog/index.ts';
import type { BlockHooks } from './hooks.ts';
import { MAX_PACK_BYTES, MAX_PACK_RING_FRACTION, MAX_UNSYNCED_LOG } from './limits.ts';
import type { PendingWrites } from './pending.ts';
import type { CutLimits, Piece } from './requests.ts';
import type { EngineState } from './state.ts';

/** What stands in the way of a log write. */
export type Obstacle =
  /** Memory of pending writes is full: wait for the image. */
  | 'pending-full'
  /** Too much log is not on stable storage. */
  | 'unsynced'
  /** The ring holds log that redo would need: a checkpoint must come first. */
  | 'needs-checkpoint'
  /** The ring holds log that was not delivered: it will be lost. */
  | 'overflow';

/** Sizes of packs and groups, such that a ring and the memory hold several of the largest. */
export interface AppendLimits extends PackLimits, CutLimits {}

export function appendLimits(geometry: RingGeometry, pendingBytes: Bytes): AppendLimits {
  const { pbs, ringPb } = geometry;
  const maxPackPb = Math.floor(
    Math.min(MAX_PACK_BYTES / pbs, ringPb * MAX_PACK_RING_FRACTION, pendingBytes / 4 / pbs),
  );
  if (maxPackPb < 1) {
    throw new WalbError('invalid-argument', `${ringPb} blocks are too few for a ring log`);
  }
  const maxIoLb = maxPackPb * lbPerPb(pbs);
  // Each piece may need a header and all may need padding once: at most half of the ring together.
  return { pbs, maxPackPb, maxIoLb, groupPb: 2 * maxPackPb };
}

export class LogAppender {
  readonly geometry: RingGeometry;
  readonly limits: AppendLimits;
  /** Salt of the present log history; a reset changes it. */
  salt: number;
  readonly #file: FileHandle;
  readonly #state: EngineState;
  readonly #pending: PendingWrites;
  readonly #hooks: BlockHooks;
  #headers: Uint8Array;

  constructor(
    file: FileHandle,
    geometry: RingGeometry,
    salt: number,
    state: EngineState,
    pending: PendingWrites,
    hooks: BlockHooks,
    limits: AppendLimits,
  ) {
    this.#file = file;
    this.geometry = geometry;
    this.limits = limits;
    this.salt = salt;
    this.#state = state;
    this.#pending = pending;
    this.#hooks = hooks;
    this.#headers = new Uint8Array(64 * geometry.pbs);
  }

  /**
   * Logs a group; undefined when done. Throws `io` or `no-space` when the log can not be written:
   * then no position moved and the next append writes over what was left half done.
   */
  append(group: readonly Piece[]): Obstacle | undefined {
    const { positions } = this.#state;
    const ios = group.map((piece) => piece.io);
    const plan = planPacks(ios, BigInt(positions.latest), this.geometry, this.limits);
    const obstacle = this.#obstacle(Number(plan.endLsid));
    if (obstacle !== undefined) return obstacle;
    const mark = this.#pending.mark;
    const memory = this.#pending.reserve(memoryOf(group), countWrites(plan));
    if (memory === undefined) return 'pending-full';
    const kept = copyInto(memory, group);
    try {
      this.#write(plan, kept);
    } catch (error) {
      this.#pending.unreserve(mark);
      this.#invalidate(plan);
      throw error;
    }
    this.#enterPending(plan, kept, group);
    positions.latest = Number(plan.endLsid);
    return undefined;
  }

  /**
   * Takes lsids up to `endLsid`, the end of the ring or the limit of a pack, whichever comes first, with
   * one pack of padding: only its header is written.
   */
  appendPadding(endLsid: number): void {
    const { positions, ringPb } = this.#state;
    const { pbs } = this.geometry;
    const lsid = BigInt(positions.latest);
    const toRingEnd = ringPb - (positions.latest % ringPb) - 1;
    const pb = Math.min(endLsid - positions.latest - 1, toRingEnd, this.limits.maxPackPb);
    const blocks = pb * lbPerPb(pbs);
    const record = { checksum: 0, flags: PADDING_FLAGS, offset: 0, blocks, lsidLocal: 1 };
    const header = new Uint8Array(pbs);
    encodePackHeader({ lsid, totalPb: pb, nPadding: 1, records: [record] }, header, this.salt);
    this.#file.write(header, lsidPosition(lsid, this.geometry));
    positions.latest += 1 + pb;
  }

  #obstacle(endLsid: number): Obstacle | undefined {
    const { latest, permanent, checkpointed, oldest } = this.#state.positions;
    const { ringPb } = this.#state;
    if (latest > permanent && (endLsid - permanent) * this.geometry.pbs > MAX_UNSYNCED_LOG) {
      return 'unsynced';
    }
    if (endLsid - checkpointed > ringPb) return 'needs-checkpoint';
    if (!this.#state.isOverflow && endLsid - oldest > ringPb) return 'overflow';
    return undefined;
  }

  #write(plan: PackPlan, ios: readonly LogIo[]): void {
    const size = plan.packs.length * this.geometry.pbs;
    if (this.#headers.length < size) this.#headers = new Uint8Array(size * 2);
    for (const write of encodePlan(plan, ios, this.geometry, this.salt, this.#headers)) {
      this.#file.writev(write.parts, write.position);
    }
  }

  /**
   * A half-written group may have left whole packs behind. Once another group takes their lsids, a
   * redo must not run into the rest of them: older writes would come after newer ones.
   */
  #invalidate(plan: PackPlan): void {
    try {
      for (const pack of plan.packs) this.#file.punch(pack.position, this.geometry.pbs);
    } catch (thrown) {
      const cause = WalbError.from(thrown);
      const message = `the log device failed, no more writes are taken: ${cause.message}`;
      this.#state.fail(new WalbError('io', message, { details: cause.details, cause }));
    }
  }

  #enterPending(plan: PackPlan, ios: readonly LogIo[], group: readonly Piece[]): void {
    for (const pack of plan.packs) {
      const packLsid = Number(pack.lsid);
      const endLsid = packLsid + 1 + pack.totalPb;
      for (const record of pack.records) {
        const piece = group[record.io];
        if (piece === undefined) continue; // padding
        const { offset, blocks: sizeLb } = record;
        const data = piece.isZeros ? undefined : dataOf(ios[record.io]!, record.ioStart, sizeLb);
        this.#pending.add({ offset, sizeLb, packLsid, endLsid, data });
        this.#hooks.markDirty?.(offset, sizeLb, BigInt(endLsid));
      }
    }
  }
}

function dataOf(io: LogIo, start: Lb, sizeLb: Lb): Uint8Array | undefined {
  if (io.kind !== 'write') return undefined;
  if (sizeLb === io.blocks) return io.data;
  return io.data.subarray(start * LB_SIZE, (start + sizeLb) * LB_SIZE);
}

function memoryOf(group: readonly Piece[]): Bytes {
  let bytes = 0;
  for (const { io, isZeros } of group) if (io.kind === 'write' && !isZeros) bytes += io.data.length;
  return bytes;
}

function countWrites(plan: PackPlan): number {
  let count = 0;
  for (const pack of plan.packs) count += pack.records.length;
  return count;
}

/** The group's IOs with their data copied into `memory`, which outlives the caller's buffers. */
function copyInto(memory: Uint8Array, group: readonly Piece[]): LogIo[] {
  let at = 0;
  return group.map(({ io, isZeros }) => {
    if (io.kind !== 'write' || isZeros) return io;
    const data = memory.subarray(at, at + io.data.length);
    data.set(io.data);
    at += data.length;
    return { kind: 'write', offset: io.offset, blocks: io.blocks, data };
  });
}
