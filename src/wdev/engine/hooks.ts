/**
 * The two places where something else may look into the write path (systems.md X1-X6): live views
 * need to save old content before it goes, change maps need to know which ranges got new content.
 * Absent hooks cost one comparison with undefined.
 */
import type { Lb } from '../../core/index.ts';

export interface BlockHooks {
  /**
   * The old content of the range is about to be replaced in the data image by the write at `lsid`
   * (its pack's end); the image still holds the old content while this runs. A promise delays the
   * replacement, and with it, once the pending bound is reached, the writer: smoothly, never an abort.
   */
  beforeReplace?(offset: Lb, sizeLb: Lb, lsid: bigint): void | Promise<void>;
  /** The range got new content, logged in the pack that ends at `lsid`. Also called by redo. */
  markDirty?(offset: Lb, sizeLb: Lb, lsid: bigint): void;
}
