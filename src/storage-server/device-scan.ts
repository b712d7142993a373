/**
 * Reads a device from `startLb` to its end, bulk by bulk, within the limit of the scan.
 *
 * Source: semantics.md B.6.4.
 */
import { type Lb, lbToBytes, throwIfAborted } from '../core/index.ts';
import type { ScanChunk } from '../wdiff/index.ts';
import type { Scan } from './backup-scan.ts';

export async function* deviceBulks(
  { volume, bulkLb, signal, throttle, task }: Scan,
  startLb: Lb,
): AsyncGenerator<ScanChunk> {
  const { device, info } = volume;
  for (let offset = startLb; offset < info.sizeLb; offset += bulkLb) {
    throwIfAborted(signal, 'backup');
    const blocks = Math.min(bulkLb, info.sizeLb - offset);
    const data = Buffer.allocUnsafeSlow(lbToBytes(blocks));
    await device.readBlocks(offset, data);
    task.advance(blocks);
    await throttle.after(blocks, signal);
    yield { offset: lbToBytes(offset), data, isHole: false };
  }
}
