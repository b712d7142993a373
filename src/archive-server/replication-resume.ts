/**
 * `full_repl_state`: how far an interrupted full replication has come, so that it is resumed there.
 *
 * It is of use only while the volume's archive_uuid is that of the copy: whatever else begins with the
 * image (a full backup, a resync, a reset) first replaces or zeroes the archive_uuid, and so an image
 * that is not this copy any more is never resumed into.
 *
 * The progress is recorded after the image is synced up to it: a crash between the two makes the same
 * blocks be copied again.
 *
 * Source: semantics.md D.9 (full).
 */
import { readFileIfExists, removeDurably, writeFileDurably } from '../core/durable.ts';
import { equalBytes, type Lb, lbToBytes } from '../core/index.ts';
import { formatMetaState, type MetaState } from '../wdiff/index.ts';
import type { History } from './replication-decision.ts';
import type { ArchiveVolume } from './volume.ts';

export interface FullCopy {
  readonly sizeLb: Lb;
  readonly base: MetaState;
  readonly history: History;
  readonly archiveUuid: Uint8Array;
}

/** First line: which copy. Second: blocks done. */
const FORMAT = /^(.+)\n([0-9]{1,15})\n$/;

export class ResumePoint {
  readonly #volume: ArchiveVolume;

  constructor(volume: ArchiveVolume) {
    this.#volume = volume;
  }

  /** Blocks of this very copy that the image has; 0 when it must begin anew. */
  doneOf(copy: FullCopy): Lb {
    const { catalogue, images, core } = this.#volume;
    if (!equalBytes(catalogue.archiveUuid, copy.archiveUuid)) return 0;
    if (images.baseSize() !== lbToBytes(copy.sizeLb)) return 0;
    const bytes = readFileIfExists(core.env.files, this.#path);
    const match = bytes === undefined ? null : FORMAT.exec(Buffer.from(bytes).toString('latin1'));
    if (match === null || match[1] !== identityOf(copy)) return 0;
    const done = Number(match[2]);
    return done <= copy.sizeLb ? done : 0;
  }

  async save(copy: FullCopy, done: Lb): Promise<void> {
    const text = `${identityOf(copy)}\n${done}\n`;
    await writeFileDurably(this.#volume.core.env, this.#path, Buffer.from(text, 'latin1'));
  }

  async clear(): Promise<void> {
    await removeDurably(this.#volume.core.env.files, this.#path);
  }

  get #path(): string {
    return `${this.#volume.catalogue.directory}/full_repl_state`;
  }
}

function identityOf({ sizeLb, base, history }: FullCopy): string {
  return `${formatMetaState(base)} ${sizeLb} ${history ?? '-'}`;
}
