/** Gives an exported snapshot an NBD server of its own on a unix socket or loopback port. */
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Env, type Files, parseHostPort, WalbError } from '../core/index.ts';
import { listenNbd, type NbdAddress, NbdServer, uriOf } from '../wdev/nbd/index.ts';
import type { ExportServing } from './exports.ts';

const UNIX = 'unix:';
/** `sun_path` of Linux has 108 bytes, the last one a zero. */
const MAX_UNIX_PATH = 107;

interface Place {
  readonly address: NbdAddress;
  /** Removes what was made for the socket. */
  readonly remove: () => void;
}

export function exportServing(env: Pick<Env, 'clock' | 'log' | 'files'>): ExportServing {
  const { clock, log, files } = env;
  return async (backend, name, { address, ownPath }) => {
    const place = address === '' ? ownPlace(files, ownPath) : askedPlace(address);
    const server = new NbdServer({ clock, log });
    server.addExport(name, backend, 'snapshot');
    const listener = await listenNbd(server, place.address).catch((error: unknown) => {
      place.remove();
      throw error;
    });
    return {
      address: textOf(listener.address),
      uri: uriOf(listener.address, false, name),
      connections: () => server.clientsOf(name).length,
      close: async () => {
        // The listener only ends when its connections have.
        const closed = listener.close();
        await server.close();
        await closed;
        place.remove();
      },
    };
  };
}

/**
 * The server's choice: beside the volume, or, where that path is too long, in a directory of its own in
 * the temp directory. Its name holds the random id of the export.
 */
function ownPlace(files: Files, path: string): Place {
  if (fits(path)) return { address: { kind: 'unix', path }, remove: () => {} };
  const directory = join(tmpdir(), `walb-${basename(path, '.sock')}`);
  files.makeDirectory(directory);
  return {
    address: { kind: 'unix', path: join(directory, 'nbd.sock') },
    remove: () => files.removeTree(directory),
  };
}

function askedPlace(text: string): Place {
  return { address: nbdAddress(text), remove: () => {} };
}

function nbdAddress(text: string): NbdAddress {
  if (!text.startsWith(UNIX)) {
    return { kind: 'tcp', ...parseHostPort(text, { allowPortZero: true }) };
  }
  const path = text.slice(UNIX.length);
  if (!path.startsWith('/')) {
    throw new WalbError(
      'invalid-argument',
      `export address '${text}' must be unix:/absolute/path or host:port`,
    );
  }
  if (fits(path)) return { kind: 'unix', path };
  throw new WalbError(
    'invalid-argument',
    `${path} has ${Buffer.byteLength(path)} bytes, a unix socket path at most ${MAX_UNIX_PATH}: use a shorter one, or none and the server chooses`,
    { details: { path, limit: MAX_UNIX_PATH } },
  );
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_UNIX_PATH;
}

function textOf(address: NbdAddress): string {
  return address.kind === 'unix' ? `${UNIX}${address.path}` : `${address.host}:${address.port}`;
}
