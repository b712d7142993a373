/** `SyncOpt`: how diffs travel to an archive (controller-api.md 2.6). */
import { WalbError } from '../../core/index.ts';
import { show, verify_size_unit } from '../verify.ts';
import { CompressOpt } from './compress-opt.ts';

/**
 * `delayS`: seconds a proxy waits before it sends a diff. `maxWdiffMergeSizeU` and `bulkSizeU`: sizes
 * with unit, of merged diffs and of compared bulks while replicating.
 *
 *     SyncOpt(CompressOpt(CMPR_ZSTD, 3, 1), 10)
 */
export class SyncOpt {
  cmprOpt: CompressOpt;
  delayS: number;
  maxWdiffMergeSizeU: string;
  bulkSizeU: string;

  constructor(
    cmprOpt: CompressOpt | null = null,
    delayS = 0,
    maxWdiffMergeSizeU = '1G',
    bulkSizeU = '64K',
  ) {
    if (!Number.isInteger(delayS) || delayS < 0 || delayS > 0xffff_ffff) {
      throw new WalbError('invalid-argument', `bad delay ${show(delayS)}: whole seconds needed`);
    }
    verify_size_unit(maxWdiffMergeSizeU);
    verify_size_unit(bulkSizeU);
    this.cmprOpt = cmprOpt ?? new CompressOpt();
    this.delayS = delayS;
    this.maxWdiffMergeSizeU = maxWdiffMergeSizeU;
    this.bulkSizeU = bulkSizeU;
  }

  /** What follows the address in `archive-info add|update`. */
  getArchiveInfoArgs(): string[] {
    return [String(this.cmprOpt), String(this.delayS)];
  }

  /** What follows the flags in `replicate`. */
  getReplicateArgs(): string[] {
    return [String(this.cmprOpt), this.maxWdiffMergeSizeU, this.bulkSizeU];
  }

  equals(other: unknown): boolean {
    return (
      other instanceof SyncOpt &&
      this.toString() === other.toString() &&
      this.delayS === other.delayS
    );
  }

  toString(): string {
    return `cmpr=${this.cmprOpt} merge=${this.maxWdiffMergeSizeU} bulk=${this.bulkSizeU}`;
  }
}
