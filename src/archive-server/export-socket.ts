/** Gives an exported snapshot an NBD server of its own on a unix socket or loopback port. */
import { type Env, parseHostPort, WalbError } from '../core/index.ts';
import { listenNbd, type NbdAddress, NbdServer, uriOf } from '../wdev/nbd/index.ts';
import type { ExportServing } from './exports.ts';

const UNIX = 'unix:';

export function exportServing({ clock, log }: Pick<Env, 'clock' | 'log'>): ExportServing {
  return async (backend, name, address) => {
    const server = new NbdServer({ clock, log });
    server.addExport(name, backend, 'snapshot');
    const listener = await listenNbd(server, nbdAddress(address));
    return {
      address: textOf(listener.address),
      uri: uriOf(listener.address, false, name),
      connections: () => server.clientsOf(name).length,
      close: async () => {
        await listener.close();
        await server.close();
      },
    };
  };
}

function nbdAddress(text: string): NbdAddress {
  if (!text.startsWith(UNIX))
    return { kind: 'tcp', ...parseHostPort(text, { allowPortZero: true }) };
  const path = text.slice(UNIX.length);
  if (path.startsWith('/')) return { kind: 'unix', path };
  throw new WalbError(
    'invalid-argument',
    `export address '${text}' must be unix:/absolute/path or host:port`,
  );
}

function textOf(address: NbdAddress): string {
  return address.kind === 'unix' ? `${UNIX}${address.path}` : `${address.host}:${address.port}`;
}
