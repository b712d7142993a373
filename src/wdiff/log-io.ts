/** A write of the log as conversion takes it, oldest first (formats.md 7.3). */
import type { Lb } from '../core/index.ts';
import { LB_SIZE, WalbError } from '../core/index.ts';
import { isAllZero } from '../kernels/index.ts';
import { MAX_ADDRESS, MAX_DATA_BLOCKS, MAX_RECORD_BLOCKS } from './record.ts';

export type LogIo =
  | {
      readonly address: Lb;
      readonly blocks: Lb;
      readonly kind: 'normal';
      /** `blocks` long; used before `add` returns, not kept. */
      readonly data: Uint8Array;
    }
  | { readonly address: Lb; readonly blocks: Lb; readonly kind: 'zero' | 'discard' };

/** A write: `zero` when its data is entirely zero, which is tested on the whole IO. */
export function writeIo(address: Lb, data: Uint8Array): LogIo {
  const blocks = data.length / LB_SIZE;
  return isAllZero(data)
    ? { address, blocks, kind: 'zero' }
    : { address, blocks, kind: 'normal', data };
}

export function discardIo(address: Lb, blocks: Lb): LogIo {
  return { address, blocks, kind: 'discard' };
}

/** Throws `invalid-argument` for an IO that no wdiff can hold. */
export function requireLogIo(io: LogIo): void {
  const limit = io.kind === 'normal' ? MAX_DATA_BLOCKS : MAX_RECORD_BLOCKS;
  const { address, blocks, kind } = io;
  const whole = Number.isInteger(address) && Number.isInteger(blocks);
  const inside = address >= 0 && address + blocks <= MAX_ADDRESS;
  const fits = io.kind !== 'normal' || io.data.length === blocks * LB_SIZE;
  if (whole && inside && fits && blocks >= 1 && blocks <= limit) return;
  throw new WalbError('invalid-argument', `no valid log IO: ${kind} ${address}+${blocks}`, {
    details: { address, blocks, kind, limit },
  });
}
