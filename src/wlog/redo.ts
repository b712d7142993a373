/**
 * Applies a log to a volume image. Source: formats.md 2.4.
 */
import { type Bytes, type FileHandle, LB_SIZE, type Lb } from '../core/index.ts';
import type { EndItem, IoItem } from './log-item.ts';
import type { LogRecord } from './pack-header.ts';
import type { WlogItems } from './reader.ts';

export interface RedoOptions {
  /** Discards write zeros (and give their space back); they are ignored by default. */
  readonly zeroDiscard?: boolean;
  /** Called for each IO that ends beyond the image; it is skipped as a whole. */
  readonly onClip?: (record: LogRecord) => void;
}

export interface RedoResult {
  readonly writes: number;
  readonly writtenLb: Lb;
  readonly discards: number;
  readonly discardedLb: Lb;
  /** IOs skipped because they end beyond the image. */
  readonly clipped: number;
  readonly clippedLb: Lb;
  /** Why the log ended. */
  readonly end: EndItem | undefined;
}

/**
 * Writes every IO of `items` to `image` in order. The image keeps its size: an IO that ends beyond it
 * is skipped and reported ("clip"). Applying a log again from its start gives the same image, so an
 * error in the middle is repaired by doing so. Not synced.
 */
export async function redoLog(
  items: WlogItems,
  image: FileHandle,
  options: RedoOptions = {},
): Promise<RedoResult> {
  const redo = new Redo(image, options);
  let end: EndItem | undefined;
  for await (const item of items) {
    if (item.kind === 'io') redo.apply(item);
    else if (item.kind === 'end') end = item;
  }
  return { ...redo.counts, end };
}

class Redo {
  readonly counts = {
    writes: 0,
    writtenLb: 0,
    discards: 0,
    discardedLb: 0,
    clipped: 0,
    clippedLb: 0,
  };
  readonly #image: FileHandle;
  readonly #size: Bytes;
  readonly #options: RedoOptions;

  constructor(image: FileHandle, options: RedoOptions) {
    this.#image = image;
    this.#size = image.size();
    this.#options = options;
  }

  apply({ type, record, data }: IoItem): void {
    if (type === 'padding') return;
    if (type === 'discard' && this.#options.zeroDiscard !== true) return;
    if ((record.offset + record.blocks) * LB_SIZE > this.#size) {
      this.#clip(record);
    } else if (type === 'write') {
      this.#image.write(data, record.offset * LB_SIZE);
      this.counts.writes++;
      this.counts.writtenLb += record.blocks;
    } else {
      this.#image.punch(record.offset * LB_SIZE, record.blocks * LB_SIZE);
      this.counts.discards++;
      this.counts.discardedLb += record.blocks;
    }
  }

  #clip(record: LogRecord): void {
    this.counts.clipped++;
    this.counts.clippedLb += record.blocks;
    this.#options.onClip?.(record);
  }
}
