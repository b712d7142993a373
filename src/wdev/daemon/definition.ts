/**
 * A named device on this machine: where its log, data and sockets lie. Pure.
 *
 * A device directory holds one folder per device, with `device.json` (this definition), `nbd.sock`,
 * `control.sock` and `serve.log`; log and data lie there too unless they are elsewhere.
 */
import { type Bytes, corrupt, WalbError } from '../../core/index.ts';

export const DEFAULT_DEVICE_DIRECTORY = '/var/lib/walb/devices';
/** What the original calls its devices; it means NAME in the device directory here. */
const WALB_PREFIX = '/dev/walb/';
/** The super sector's name field has 32 bytes, one of them NUL. */
const NAME = /^[0-9A-Za-z_][0-9A-Za-z_.-]{0,30}$/;
/** `sockaddr_un` has 108 bytes for a path and its NUL. */
const MAX_SOCKET_PATH: Bytes = 107;
const VERSION = 1;

export interface DeviceDefinition {
  readonly name: string;
  /** Absolute paths of the log device and the data image. */
  readonly log: string;
  readonly data: string;
  /** TCP port of 127.0.0.1 besides the unix socket. */
  readonly port: number | undefined;
}

/** Where everything of one device lies. */
export interface DevicePaths {
  readonly folder: string;
  readonly definition: string;
  readonly nbdSocket: string;
  readonly controlSocket: string;
  readonly serveLog: string;
  /** Default places. */
  readonly log: string;
  readonly data: string;
}

/** Throws `invalid-argument` for a bad name or a directory too deep for unix sockets. */
export function devicePaths(directory: string, name: string): DevicePaths {
  checkDeviceName(name);
  const folder = `${directory}/${name}`;
  const controlSocket = `${folder}/control.sock`;
  if (Buffer.byteLength(controlSocket) > MAX_SOCKET_PATH) {
    throw new WalbError(
      'invalid-argument',
      `${controlSocket} is longer than the ${MAX_SOCKET_PATH} bytes a unix socket may have: ` +
        'use a device directory with a shorter path',
      { details: { path: controlSocket } },
    );
  }
  return {
    folder,
    definition: `${folder}/device.json`,
    nbdSocket: `${folder}/nbd.sock`,
    controlSocket,
    serveLog: `${folder}/serve.log`,
    log: `${folder}/log`,
    data: `${folder}/data`,
  };
}

export function checkDeviceName(name: string): string {
  if (NAME.test(name)) return name;
  throw new WalbError(
    'invalid-argument',
    `bad device name ${JSON.stringify(name.slice(0, 80))}: 1 to 31 of A-Z a-z 0-9 _ . -, ` +
      'not beginning with . or -',
  );
}

/** NAME of `/dev/walb/NAME` or of a plain name; undefined for any other path. */
export function deviceNameOf(path: string): string | undefined {
  if (path.startsWith(WALB_PREFIX)) return checkDeviceName(path.slice(WALB_PREFIX.length));
  return NAME.test(path) ? path : undefined;
}

/** What the operator calls the device. */
export function devicePathOf(name: string): string {
  return WALB_PREFIX + name;
}

export function encodeDefinition(definition: DeviceDefinition): Uint8Array {
  const text = JSON.stringify({ version: VERSION, ...definition }, undefined, 2);
  return new TextEncoder().encode(`${text}\n`);
}

/** Throws `corrupt` when the bytes are not the definition of `name`. */
export function decodeDefinition(bytes: Uint8Array, name: string, file: string): DeviceDefinition {
  const value = parseObject(bytes, file);
  const text = (field: string): string => {
    const found = value[field];
    if (typeof found === 'string' && found !== '') return found;
    throw corrupt(`${file}: field '${field}' is missing or not a text`, { file, field });
  };
  if (value['version'] !== VERSION || text('name') !== name) {
    throw corrupt(`${file} is not version ${VERSION} of the definition of ${name}`, { file });
  }
  const port = value['port'];
  if (port !== undefined && !(Number.isInteger(port) && Number(port) > 0 && Number(port) < 65536)) {
    throw corrupt(`${file}: field 'port' is not a TCP port`, { file, field: 'port' });
  }
  return { name, log: text('log'), data: text('data'), port: port as number | undefined };
}

function parseObject(bytes: Uint8Array, file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw new WalbError('corrupt', `${file} is not JSON`, { details: { file }, cause });
  }
  throw corrupt(`${file} is not a JSON object`, { file });
}
