/**
 * Strict parsers of the small texts that cross the system's edges: decimal numbers, `host:port`,
 * hexadecimal bytes and uuids.
 *
 * Source: cli.md 1.3 (GID, LSID, HOSTPORT), formats.md 1 (uuid: 16 opaque bytes, 32 lower-case hex
 * digits, no dashes). Every parser throws `invalid-argument` with the text and what was expected.
 */
import { WalbError } from './errors.ts';
import { U64_MAX } from './units.ts';

const DECIMAL = /^[0-9]+$/;
/** Longest host name of DNS; also keeps an error message short when somebody passes a whole file. */
const MAX_HOST_LENGTH = 253;
const MAX_PORT = 65_535;
const SHOWN_CHARACTERS = 80;

export const UUID_BYTES = 16;

/** The text as it may appear in a message: quoted, and cut when very long. */
export function quote(text: string): string {
  const shown = text.length > SHOWN_CHARACTERS ? text.slice(0, SHOWN_CHARACTERS) + '…' : text;
  return JSON.stringify(shown);
}

/** Error of a malformed `what`, for example "volume id". */
export function malformed(what: string, text: string, expected: string): WalbError {
  return new WalbError('invalid-argument', `bad ${what} ${quote(text)}: expected ${expected}`, {
    details: { what, text: text.slice(0, SHOWN_CHARACTERS) },
  });
}

/** A decimal number 0 .. 2^64-1 without sign, suffix or space. `what` names it in the error. */
export function parseU64(text: string, what: string): bigint {
  // 20 digits hold 2^64-1; the length check keeps BigInt() from chewing on megabytes.
  if (!DECIMAL.test(text) || text.length > 20 || BigInt(text) > U64_MAX) {
    throw malformed(what, text, 'a decimal number from 0 to 2^64-1');
  }
  return BigInt(text);
}

export interface CountBounds {
  readonly min?: number;
  readonly max?: number;
}

/** A decimal integer within bounds (default 0 .. 2^53-1). `what` names it in the error. */
export function parseCount(text: string, what: string, bounds: CountBounds = {}): number {
  const min = bounds.min ?? 0;
  const max = bounds.max ?? Number.MAX_SAFE_INTEGER;
  const value = DECIMAL.test(text) && text.length <= 20 ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw malformed(what, text, `a decimal number from ${min} to ${max}`);
  }
  return value;
}

export interface HostPort {
  readonly host: string;
  /** 0 asks the system for a free port; only a listener may use it. */
  readonly port: number;
}

/**
 * `host:port`. An IPv6 address is written in brackets, `[::1]:10000`; `host` is then without them.
 * Port 0 is accepted only with `allowPortZero`.
 */
export function parseHostPort(text: string, options: { allowPortZero?: boolean } = {}): HostPort {
  const expected = 'host:port with a port from 1 to 65535, e.g. localhost:10000 or [::1]:10000';
  const match = /^(?:\[([0-9A-Fa-f:.%a-zA-Z]+)\]|([^\s:/@[\]]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (match === null || host === undefined || host.length > MAX_HOST_LENGTH) {
    throw malformed('address', text, expected);
  }
  const port = Number(match[3]);
  if (port > MAX_PORT || (port === 0 && options.allowPortZero !== true)) {
    throw malformed('address', text, expected);
  }
  return { host, port };
}

/** Reverse of `parseHostPort`. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Lower-case hexadecimal digits, two per byte. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Reverse of `toHex`; either case is read. `what` names it in the error. */
export function fromHex(text: string, what: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9A-Fa-f]*$/.test(text)) {
    throw malformed(what, text, 'an even number of hexadecimal digits');
  }
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** A uuid as printed by every tool: 32 lower-case hex digits. Throws `internal` unless 16 bytes. */
export function formatUuid(uuid: Uint8Array): string {
  if (uuid.length !== UUID_BYTES) {
    throw new WalbError('internal', `a uuid has ${UUID_BYTES} bytes, not ${uuid.length}`);
  }
  return toHex(uuid);
}

/** 32 hexadecimal digits as the 16 bytes of a uuid. */
export function parseUuid(text: string): Uint8Array {
  if (text.length !== 2 * UUID_BYTES || !/^[0-9A-Fa-f]+$/.test(text)) {
    throw malformed('uuid', text, '32 hexadecimal digits');
  }
  return fromHex(text, 'uuid');
}

/** The uuid of a volume that never had one (semantics.md B.1, D.1). */
export function zeroUuid(): Uint8Array {
  return new Uint8Array(UUID_BYTES);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
