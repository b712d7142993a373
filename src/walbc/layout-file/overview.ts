/** `walbc layout show`: what a layout file comes to, as a table or as data. */
import { serverKindMap } from '../constants.ts';
import { type ServerParam, ServerStartupParam } from '../servers.ts';
import type { LoadedLayout } from './loaded.ts';

/** As JSON takes it; what is not given is left out. */
export function layoutAsData({ file, layout, tlsFiles }: LoadedLayout): Record<string, unknown> {
  return {
    file,
    servers: layout.get_all().map((server) => ({
      name: server.name,
      kind: serverKindMap[server.kind],
      address: server.address,
      port: server.port,
      ...startOf(server),
    })),
    ...(tlsFiles === undefined ? {} : { tls: tlsFiles }),
  };
}

function startOf(server: ServerParam): Record<string, unknown> {
  if (!(server instanceof ServerStartupParam)) return {};
  const { binDir, dataDir, logPath, vg, tp, start } = server;
  const given = Object.entries({ binDir, dataDir, logPath, vg, tp, ...start });
  return Object.fromEntries(given.filter(([, value]) => value !== null && value !== undefined));
}

const HEADINGS = ['name', 'kind', 'address', 'data', 'started by'];

export function layoutTable(loaded: LoadedLayout): string {
  const rows = [HEADINGS, ...loaded.layout.get_all().map(rowOf)];
  const widths = HEADINGS.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  );
  const protection = loaded.tls === undefined ? 'no TLS' : 'mutual TLS';
  return [`${loaded.file} (${protection})`, ...lines].join('\n');
}

function rowOf(server: ServerParam): string[] {
  const kind = serverKindMap[server.kind];
  const address = server.get_host_port();
  if (!(server instanceof ServerStartupParam)) return [server.name, kind, address, '', ''];
  const by = server.start?.ssh === undefined ? 'this machine' : `ssh ${server.start.ssh}`;
  return [server.name, kind, address, server.dataDir, by];
}
