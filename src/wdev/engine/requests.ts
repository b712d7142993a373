/**
 * What a workload asks of the device, and how one batch of requests is cut into log IOs (pure).
 */
import { type Bytes, ceilPb, LB_SIZE, type Lb, MIB, type Pb, WalbError } from '../../core/index.ts';
import type { LogIo } from '../../wlog/index.ts';
import { MAX_DISCARD_PIECE_LB } from './limits.ts';

export type WriteRequest =
  | { readonly kind: 'write'; readonly offset: Lb; readonly data: Uint8Array }
  /** The range reads as zeros afterwards; logged as a discard record. */
  | { readonly kind: 'discard'; readonly offset: Lb; readonly sizeLb: Lb }
  /** The range reads as zeros afterwards; logged as data, for there is no zero flag in a wlog. */
  | { readonly kind: 'zeros'; readonly offset: Lb; readonly sizeLb: Lb };

/** Log IO with what the engine needs to know beside it: zeros take no memory while pending. */
export interface Piece {
  readonly io: LogIo;
  readonly isZeros: boolean;
}

/** Source of zero data in the log. As long as the longest piece may be. */
const ZEROS = new Uint8Array(4 * MIB);

export function requestLb(request: WriteRequest): Lb {
  return request.kind === 'write' ? request.data.length / LB_SIZE : request.sizeLb;
}

/** Throws `invalid-argument` for a request that is empty, unaligned or not within the volume. */
export function validateRequest(request: WriteRequest, deviceLb: Lb): void {
  const blocks = requestLb(request);
  const { offset, kind } = request;
  const isWhole = Number.isSafeInteger(offset) && Number.isSafeInteger(blocks);
  if (isWhole && offset >= 0 && blocks > 0 && offset + blocks <= deviceLb) return;
  throw new WalbError(
    'invalid-argument',
    `${kind} of ${blocks} blocks at ${offset} is not within the volume of ${deviceLb} blocks`,
    { details: { kind, offset, blocks, deviceLb } },
  );
}

/** How a batch is cut. */
export interface CutLimits {
  readonly pbs: Bytes;
  /** Longest write in one piece. */
  readonly maxIoLb: Lb;
  /** Ring blocks one group may take, a header for every piece included. */
  readonly groupPb: Pb;
}

/** Cuts a batch into pieces and groups them, in order: each group is logged by one write. */
export function groupRequests(requests: readonly WriteRequest[], limits: CutLimits): Piece[][] {
  const groups: Piece[][] = [];
  let group: Piece[] = [];
  let taken = 0;
  for (const request of requests) {
    for (const piece of cut(request, limits.maxIoLb)) {
      const { io } = piece;
      const pb = 1 + (io.kind === 'write' ? ceilPb(io.blocks, limits.pbs) : 0);
      if (group.length > 0 && taken + pb > limits.groupPb) {
        groups.push(group);
        group = [];
        taken = 0;
      }
      group.push(piece);
      taken += pb;
    }
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

function* cut(request: WriteRequest, maxIoLb: Lb): Generator<Piece> {
  const total = requestLb(request);
  const max =
    request.kind === 'discard' ? MAX_DISCARD_PIECE_LB : Math.min(maxIoLb, ZEROS.length / LB_SIZE);
  for (let start = 0; start < total; start += max) {
    const blocks = Math.min(max, total - start);
    yield pieceOf(request, start, blocks);
  }
}

function pieceOf(request: WriteRequest, start: Lb, blocks: Lb): Piece {
  const offset = request.offset + start;
  if (request.kind === 'discard') return { io: { kind: 'discard', offset, blocks }, isZeros: true };
  const isZeros = request.kind === 'zeros';
  const data = isZeros
    ? ZEROS.subarray(0, blocks * LB_SIZE)
    : request.data.subarray(start * LB_SIZE, (start + blocks) * LB_SIZE);
  return { io: { kind: 'write', offset, blocks, data }, isZeros };
}
