/**
 * What is left of a full backup that was broken off, and whether another one can go on behind it.
 *
 * It can when the storage goes on with the same log history, which still begins at the same gid: then
 * whatever was written since the first attempt read a block is in a diff behind that gid. Everything
 * else begins anew.
 *
 * Source: semantics.md B.6, D.3.1; docs/protocol.md.
 */
import { equalBytes, type Gid, type Lb, parseU64, toHex } from '../core/index.ts';
import { fromHex } from '../core/text.ts';
import { type ImageCopy, ResumePoint } from './resume-point.ts';
import type { ArchiveVolume } from './volume.ts';

/** The log history that the image is read in the course of, its first gid, the size of the volume. */
export interface FullBackup {
  readonly uuid: Uint8Array;
  readonly gidB: Gid;
  readonly sizeLb: Lb;
}

interface InterruptedBackup extends FullBackup {
  /** Blocks that are in the image durably. */
  readonly doneLb: Lb;
}

/** uuid, first gid, blocks, archive_uuid. */
const IDENTITY = /^([0-9a-f]{32}) ([0-9]{1,20}) ([0-9]{1,15}) ([0-9a-f]{32})$/;

export function backupPoint(volume: ArchiveVolume): ResumePoint {
  return new ResumePoint(volume, 'full_sync_state');
}

/** The copy that this backup makes, under the archive_uuid that the volume has now. */
export function copyOf(volume: ArchiveVolume, { uuid, gidB, sizeLb }: FullBackup): ImageCopy {
  const { archiveUuid } = volume.catalogue;
  const identity = `${toHex(uuid)} ${gidB} ${sizeLb} ${toHex(archiveUuid)}`;
  return { sizeLb, identity, archiveUuid };
}

/** The backup that a next one could go on with; undefined when nothing of one is left. */
function interruptedBackup(volume: ArchiveVolume): InterruptedBackup | undefined {
  const match = IDENTITY.exec(backupPoint(volume).read()?.identity ?? '');
  if (match === null) return undefined;
  const backup = {
    uuid: fromHex(match[1] as string, 'uuid'),
    gidB: parseU64(match[2] as string, 'gid'),
    sizeLb: Number(match[3]),
  };
  const doneLb = backupPoint(volume).doneOf(copyOf(volume, backup));
  return doneLb > 0 ? { ...backup, doneLb } : undefined;
}

export type ResumeAnswer =
  | { readonly startLb: Lb; readonly refusal?: undefined }
  | { readonly startLb: 0; readonly refusal: string };

/** Where `wanted` goes on, or why it has to begin anew. */
export function judgeResume(volume: ArchiveVolume, wanted: FullBackup): ResumeAnswer {
  const found = interruptedBackup(volume);
  if (found === undefined) {
    return { startLb: 0, refusal: 'the archive has nothing of an interrupted full backup' };
  }
  const refusal = difference(found, wanted);
  return refusal === undefined ? { startLb: found.doneLb } : { startLb: 0, refusal };
}

function difference(found: FullBackup, wanted: FullBackup): string | undefined {
  if (!equalBytes(found.uuid, wanted.uuid)) {
    return 'what the archive has is of another log history';
  }
  if (found.gidB !== wanted.gidB) {
    return `what the archive has begins at gid ${found.gidB}, not ${wanted.gidB}`;
  }
  if (found.sizeLb === wanted.sizeLb) return undefined;
  return `what the archive has is of a volume of ${found.sizeLb} blocks, not ${wanted.sizeLb}`;
}
