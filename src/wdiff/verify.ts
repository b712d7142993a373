/**
 * Checks everything in a wdiff that can be checked, and says where the damage is: structure, order,
 * checksums, and that the data really expands to its size.
 */
import type { Bytes, ErrorDetail, FileHandle, Lb } from '../core/index.ts';
import { hasCode, LB_SIZE, WalbError } from '../core/index.ts';
import { BlobCache } from './blob.ts';
import { WorkBuffer } from './buffers.ts';
import { openDiff } from './diff-file.ts';
import { type DataIo, type DiffBlob, type DiffIo, isWhole } from './diff-io.ts';
import type { DiffFormat } from './file-header.ts';
import type { MissingEnd } from './sorted-reader.ts';

/** Problems listed; a file that is all damage would fill the memory otherwise. */
export const MAX_PROBLEMS = 1000;

export interface DiffProblem {
  readonly message: string;
  readonly offset: Bytes | undefined;
  readonly field: string | undefined;
}

export interface VerifyReport {
  readonly file: string;
  readonly ok: boolean;
  readonly format: DiffFormat | undefined;
  /** 32 hex digits. */
  readonly uuid: string | undefined;
  readonly records: number;
  readonly normal: number;
  readonly zero: number;
  readonly discard: number;
  /** Blocks covered by records. */
  readonly blocks: Lb;
  /** Data of normal records after decompression, in bytes. */
  readonly dataSize: Bytes;
  /** End of the last record. */
  readonly end: Lb;
  /** At most MAX_PROBLEMS. Damaged data of a record is passed over, damaged structure ends the check. */
  readonly problems: readonly DiffProblem[];
}

export interface VerifyOptions {
  readonly missingEnd?: MissingEnd;
  /** Called after every batch and awaited, to let others run. */
  readonly afterBatch?: () => void | Promise<void>;
}

/** Never throws because of damage; `io` errors of the disk pass through. */
export async function verifyDiff(
  handle: FileHandle,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const check = new DiffCheck(handle.path);
  try {
    const cache = new BlobCache();
    const diff = openDiff(handle, { ...options, cache });
    check.opened(diff.format, diff.uuid);
    for (const batch of diff.batches()) {
      for (const io of batch) check.record(io);
      await options.afterBatch?.();
    }
  } catch (thrown) {
    check.problem(thrown);
  }
  return check.report();
}

class DiffCheck {
  readonly #file: string;
  readonly #problems: DiffProblem[] = [];
  readonly #counts = { normal: 0, zero: 0, discard: 0 };
  #format: DiffFormat | undefined;
  #uuid: string | undefined;
  #blocks: Lb = 0;
  #dataSize: Bytes = 0;
  #end: Lb = 0;
  /** Of the last record; records of one blob in a row check it once. */
  #checkedBlob: DiffBlob | undefined;
  readonly #work = new WorkBuffer();

  constructor(file: string) {
    this.#file = file;
  }

  opened(format: DiffFormat, uuid: Uint8Array): void {
    this.#format = format;
    this.#uuid = Buffer.from(uuid).toString('hex');
  }

  record(io: DiffIo): void {
    this.#counts[io.kind]++;
    this.#blocks += io.blocks;
    this.#end = io.address + io.blocks;
    if (io.kind !== 'normal') return;
    this.#dataSize += io.blocks * LB_SIZE;
    try {
      this.#checkData(io);
    } catch (thrown) {
      this.problem(thrown);
    }
  }

  #checkData(io: DataIo): void {
    if (io.blob === this.#checkedBlob) return;
    this.#checkedBlob = io.blob;
    if (isWhole(io)) io.blob.dataOnce(this.#work.take);
    else io.blob.data();
  }

  problem(thrown: unknown): void {
    if (!hasCode(thrown, 'corrupt')) throw thrown;
    if (this.#problems.length === MAX_PROBLEMS) return;
    const { message, details } = WalbError.from(thrown);
    const { offset, field } = details;
    this.#problems.push({ message, offset: numberOr(offset), field: textOr(field) });
  }

  report(): VerifyReport {
    const { normal, zero, discard } = this.#counts;
    return {
      file: this.#file,
      ok: this.#problems.length === 0,
      format: this.#format,
      uuid: this.#uuid,
      records: normal + zero + discard,
      normal,
      zero,
      discard,
      blocks: this.#blocks,
      dataSize: this.#dataSize,
      end: this.#end,
      problems: this.#problems,
    };
  }
}

function numberOr(value: ErrorDetail): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function textOr(value: ErrorDetail): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
