/**
 * Where and how a proxy sends the diffs of one volume to one archive: file `NAME.archive` in the
 * volume's directory, one JSON object a person can read and mend.
 *
 * Source: semantics.md C.1; cli.md 1.4 `archive-info`.
 */
import { corrupt, formatHostPort, parseHostPort, WalbError } from '../core/index.ts';
import {
  type ArchiveInfo as ArchiveInfoMessage,
  type CompressionName,
  compressionFromMessage,
  compressionToMessage,
} from '../rpc/index.ts';

export interface ArchiveInfo {
  /** `host:port` of the archive server. */
  readonly address: string;
  readonly compression: {
    readonly kind: CompressionName;
    readonly level: number;
    readonly nrCpu: number;
  };
  /** Seconds a diff waits before it is sent. */
  readonly delay: number;
}

export const ARCHIVE_INFO_SUFFIX = '.archive';
const ARCHIVE_NAME = /^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$/;
/** A year; a longer delay is a mistake of units. */
const MAX_DELAY = 365 * 24 * 3600;

/** Throws `invalid-argument`: the name becomes a file name and must not lead anywhere else. */
export function checkArchiveName(name: string): string {
  if (ARCHIVE_NAME.test(name)) return name;
  throw new WalbError(
    'invalid-argument',
    `archive name '${name}' is not usable: 1-64 characters of letters, digits, '.', '_', '-', the first a letter or digit`,
    { details: { name } },
  );
}

/** Throws `invalid-argument` naming the field that is wrong. */
export function checkArchiveInfo(info: ArchiveInfo): ArchiveInfo {
  const { address, compression, delay } = info;
  compressionFromMessage(compressionToMessage(compression));
  if (!Number.isInteger(delay) || delay < 0 || delay > MAX_DELAY) {
    throw new WalbError(
      'invalid-argument',
      `delay ${delay} is not a number of seconds from 0 to ${MAX_DELAY}`,
    );
  }
  return { address: formatHostPort(parseHostPort(address)), compression, delay };
}

export function archiveInfoFromMessage(message: ArchiveInfoMessage): ArchiveInfo {
  const compression =
    message.compression === undefined
      ? ({ kind: 'snappy', level: 0, nrCpu: 1 } as const)
      : compressionFromMessage(message.compression);
  return checkArchiveInfo({
    address: message.address,
    compression,
    delay: message.wdiffSendDelaySec,
  });
}

export function archiveInfoToMessage(name: string, info: ArchiveInfo): ArchiveInfoMessage {
  return {
    name,
    address: info.address,
    compression: compressionToMessage(info.compression),
    wdiffSendDelaySec: info.delay,
  };
}

export function encodeArchiveInfo(info: ArchiveInfo): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(info, undefined, 2)}\n`);
}

/** Throws `corrupt` naming the file. */
export function decodeArchiveInfo(bytes: Uint8Array, file: string): ArchiveInfo {
  try {
    const { address, compression, delay } = JSON.parse(new TextDecoder().decode(bytes));
    return checkArchiveInfo({ address, compression, delay });
  } catch (cause) {
    const { message } = WalbError.from(cause);
    throw corrupt(
      `${file}: not a readable archive-info: ${message}; mend it, or delete it and run archive-info add`,
      {
        file,
      },
    );
  }
}
