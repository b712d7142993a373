/**
 * Numbers of the NBD protocol: magics, options, flags, commands, errors.
 *
 * Source: the protocol document of the NBD project (`doc/proto.md`), fixed newstyle negotiation,
 * simple and structured replies, `base:allocation`. All integers on the wire are big-endian.
 */
import { type ErrorCode, MIB, WalbError } from '../../core/index.ts';

/** `NBDMAGIC`: first eight bytes of the server's greeting. */
export const NBD_MAGIC = 0x4e42444d41474943n;
/** `IHAVEOPT`: second eight bytes of the greeting and the start of every option. */
export const OPTION_MAGIC = 0x49484156454f5054n;
/** Start of every option reply. */
export const OPTION_REPLY_MAGIC = 0x0003e889045565a9n;
export const REQUEST_MAGIC = 0x25609513;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;

/** Handshake flags; client flags have the same values. */
export const HandshakeFlag = { FIXED_NEWSTYLE: 1 << 0, NO_ZEROES: 1 << 1 } as const;

export const Option = {
  EXPORT_NAME: 1,
  ABORT: 2,
  LIST: 3,
  STARTTLS: 5,
  INFO: 6,
  GO: 7,
  STRUCTURED_REPLY: 8,
  LIST_META_CONTEXT: 9,
  SET_META_CONTEXT: 10,
  EXTENDED_HEADERS: 11,
} as const;

const OPTION_ERROR = 0x8000_0000;

export const OptionReply = {
  ACK: 1,
  SERVER: 2,
  INFO: 3,
  META_CONTEXT: 4,
  ERR_UNSUP: OPTION_ERROR + 1,
  ERR_POLICY: OPTION_ERROR + 2,
  ERR_INVALID: OPTION_ERROR + 3,
  ERR_PLATFORM: OPTION_ERROR + 4,
  ERR_TLS_REQD: OPTION_ERROR + 5,
  ERR_UNKNOWN: OPTION_ERROR + 6,
  ERR_SHUTDOWN: OPTION_ERROR + 7,
  ERR_BLOCK_SIZE_REQD: OPTION_ERROR + 8,
  ERR_TOO_BIG: OPTION_ERROR + 9,
} as const;

export const Info = { EXPORT: 0, NAME: 1, DESCRIPTION: 2, BLOCK_SIZE: 3 } as const;

/** What an export can do, told at the end of the negotiation. */
export const TransmissionFlag = {
  HAS_FLAGS: 1 << 0,
  READ_ONLY: 1 << 1,
  SEND_FLUSH: 1 << 2,
  SEND_FUA: 1 << 3,
  SEND_TRIM: 1 << 5,
  SEND_WRITE_ZEROES: 1 << 6,
  SEND_DF: 1 << 7,
  CAN_MULTI_CONN: 1 << 8,
  SEND_CACHE: 1 << 10,
  SEND_FAST_ZERO: 1 << 11,
} as const;

export const Command = {
  READ: 0,
  WRITE: 1,
  DISCONNECT: 2,
  FLUSH: 3,
  TRIM: 4,
  CACHE: 5,
  WRITE_ZEROES: 6,
  BLOCK_STATUS: 7,
} as const;

export const CommandFlag = {
  FUA: 1 << 0,
  NO_HOLE: 1 << 1,
  DF: 1 << 2,
  REQ_ONE: 1 << 3,
  FAST_ZERO: 1 << 4,
} as const;

export const ReplyFlag = { DONE: 1 } as const;

const REPLY_ERROR = 1 << 15;

export const ReplyType = {
  NONE: 0,
  OFFSET_DATA: 1,
  OFFSET_HOLE: 2,
  BLOCK_STATUS: 5,
  ERROR: REPLY_ERROR + 1,
  ERROR_OFFSET: REPLY_ERROR + 2,
} as const;

export function isErrorReplyType(type: number): boolean {
  return (type & REPLY_ERROR) !== 0;
}

/** Flags of an extent in context `base:allocation`. */
export const Allocation = { HOLE: 1, ZERO: 2 } as const;
export const BASE_ALLOCATION = 'base:allocation';
/** The id this server gives to `base:allocation`. */
export const BASE_ALLOCATION_ID = 1;

/** Errors on the wire; fixed values, whatever the platform's errno are. */
export const NbdError = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;

export type NbdErrno = (typeof NbdError)[keyof typeof NbdError];

export const REQUEST_SIZE = 28;
export const SIMPLE_REPLY_SIZE = 16;
/** Header of a structured reply chunk. */
export const CHUNK_HEADER_SIZE = 20;
export const OPTION_HEADER_SIZE = 16;
export const OPTION_REPLY_HEADER_SIZE = 20;

/** Longest export name or text the protocol allows. */
export const MAX_STRING = 4096;
/** Largest READ or WRITE served; what clients assume unless told otherwise (32 MiB). */
export const MAX_PAYLOAD = 32 * MIB;

/** What a client is told when the backend threw an error with this code. */
export function errnoOf(code: ErrorCode): NbdErrno {
  return ERRNO_BY_CODE[code] ?? NbdError.EIO;
}

const ERRNO_BY_CODE: Partial<Record<ErrorCode, NbdErrno>> = {
  'no-space': NbdError.ENOSPC,
  'invalid-argument': NbdError.EINVAL,
  'permission-denied': NbdError.EPERM,
  unsupported: NbdError.ENOTSUP,
  cancelled: NbdError.ESHUTDOWN,
};

/** What a client library throws when a server answered with `errno`. */
export function errorOfErrno(errno: number, what: string): WalbError {
  const known = CODE_BY_ERRNO[errno];
  const name = known?.name ?? `error ${errno}`;
  return new WalbError(known?.code ?? 'io', `${what}: the NBD server answered ${name}`, {
    details: { errno },
  });
}

const CODE_BY_ERRNO: Readonly<Record<number, { name: string; code: ErrorCode }>> = {
  [NbdError.EPERM]: { name: 'EPERM', code: 'permission-denied' },
  [NbdError.EIO]: { name: 'EIO', code: 'io' },
  [NbdError.ENOMEM]: { name: 'ENOMEM', code: 'limit-exceeded' },
  [NbdError.EINVAL]: { name: 'EINVAL', code: 'invalid-argument' },
  [NbdError.ENOSPC]: { name: 'ENOSPC', code: 'no-space' },
  [NbdError.EOVERFLOW]: { name: 'EOVERFLOW', code: 'limit-exceeded' },
  [NbdError.ENOTSUP]: { name: 'ENOTSUP', code: 'unsupported' },
  [NbdError.ESHUTDOWN]: { name: 'ESHUTDOWN', code: 'unavailable' },
};
