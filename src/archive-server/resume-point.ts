/**
 * How far an interrupted copy of a whole image has come, so that the next one goes on there:
 *
 *   full_repl_state   full replication
 *   full_sync_state   full backup
 *
 * A record is of use only while the volume's archive_uuid is that of the copy: whatever else begins
 * with the image (another backup, a resync, a reset) first replaces or zeroes the archive_uuid, and so
 * an image that is not this copy any more is never resumed into.
 *
 * The progress is recorded after the image is synced up to it: a crash between the two makes the same
 * blocks be copied again.
 *
 * Source: semantics.md D.9 (full).
 */
import { readFileIfExists, removeDurably, writeFileDurably } from '../core/durable.ts';
import { equalBytes, type Lb, lbToBytes } from '../core/index.ts';
import type { ArchiveVolume } from './volume.ts';

/** What the image is a copy of; nothing but the very same copy is resumed. */
export interface ImageCopy {
  readonly sizeLb: Lb;
  /** One line of text that tells this copy from every other of its kind. */
  readonly identity: string;
  /** Of the data once they are archived. */
  readonly archiveUuid: Uint8Array;
}

export type ResumeFile = 'full_repl_state' | 'full_sync_state';

/** First line: which copy. Second: blocks done. */
const FORMAT = /^(.+)\n([0-9]{1,15})\n$/;

export class ResumePoint {
  readonly #volume: ArchiveVolume;
  readonly #path: string;

  constructor(volume: ArchiveVolume, file: ResumeFile) {
    this.#volume = volume;
    this.#path = `${volume.catalogue.directory}/${file}`;
  }

  /** What is recorded; whether it is of use is another question. */
  read(): { readonly identity: string; readonly done: Lb } | undefined {
    const bytes = readFileIfExists(this.#volume.core.env.files, this.#path);
    const match = bytes === undefined ? null : FORMAT.exec(Buffer.from(bytes).toString('latin1'));
    return match === null ? undefined : { identity: match[1] as string, done: Number(match[2]) };
  }

  /** Blocks of this very copy that the image has; 0 when it must begin anew. */
  doneOf({ sizeLb, identity, archiveUuid }: ImageCopy): Lb {
    const { catalogue, images } = this.#volume;
    if (!equalBytes(catalogue.archiveUuid, archiveUuid)) return 0;
    if (images.baseSize() !== lbToBytes(sizeLb)) return 0;
    const found = this.read();
    if (found === undefined || found.identity !== identity) return 0;
    return found.done <= sizeLb ? found.done : 0;
  }

  async save({ identity }: ImageCopy, done: Lb): Promise<void> {
    const text = `${identity}\n${done}\n`;
    await writeFileDurably(this.#volume.core.env, this.#path, Buffer.from(text, 'latin1'));
  }

  async clear(): Promise<void> {
    await removeDurably(this.#volume.core.env.files, this.#path);
  }
}
