/**
 * `walbc layout check`: what is wrong with a layout, or doubtful, beyond what reading it finds.
 * Everything is looked at and reported together; nothing is changed.
 */
import { lookup } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { WalbError } from '../../core/index.ts';
import { isLocal, parseAddress } from '../../rpc/address.ts';
import { serverKindMap } from '../constants.ts';
import type { ServerLayout } from '../layout.ts';
import { type ServerParam, ServerStartupParam } from '../servers.ts';
import { checkCertificates } from './certificates.ts';
import type { Finding } from './finding.ts';
import type { LoadedLayout } from './loaded.ts';

const error = (about: string, text: string): Finding => ({ level: 'error', about, text });
const warning = (about: string, text: string): Finding => ({ level: 'warning', about, text });

/** Everything that can be said without asking a server. `now` judges certificates. */
export async function checkLayout(loaded: LoadedLayout, now: Date): Promise<Finding[]> {
  const servers = loaded.layout.get_all();
  return [
    ...checkKinds(loaded.layout),
    ...checkTwins(servers),
    ...(await Promise.all(servers.map(checkName))).flat(),
    ...checkSecurity(loaded, now),
    ...servers.flatMap((server) => checkStart(server)),
  ];
}

function checkKinds({ storageL, proxyL, archiveL }: ServerLayout): Finding[] {
  return [
    ...(archiveL.length > 0 ? [] : [error('archive', 'there is none: backups have nowhere to go')]),
    ...(proxyL.length > 0
      ? []
      : [error('proxy', 'there is none: storages deliver to archives through proxies')]),
    ...(storageL.length > 0
      ? []
      : [warning('storage', 'there is none: only archives can be worked with')]),
  ];
}

/** Two servers can not listen at one port; the group would talk to one of them as if it were both. */
function checkTwins(servers: readonly ServerParam[]): Finding[] {
  const seen = new Map<string, string>();
  return servers.flatMap((server) => {
    const address = server.get_host_port();
    const other = seen.get(address);
    seen.set(address, server.name);
    return other === undefined
      ? []
      : [error(server.name, `has the address of ${other}, ${address}: give it a port of its own`)];
  });
}

async function checkName(server: ServerParam): Promise<Finding[]> {
  if (isIP(server.address) !== 0) return [];
  try {
    await lookup(server.address);
    return [];
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    return [
      error(
        server.name,
        `${server.address} can not be resolved (${code}): correct the name, or use an IP address`,
      ),
    ];
  }
}

function isLoopback(server: ServerParam): boolean {
  return isLocal(parseAddress(server.get_host_port()));
}

function checkSecurity({ layout, tls, tlsFiles }: LoadedLayout, now: Date): Finding[] {
  if (tls !== undefined && tlsFiles !== undefined) return checkCertificates(tls, tlsFiles, now);
  return layout
    .get_all()
    .filter((server) => !isLoopback(server))
    .map((server) =>
      error(
        server.name,
        `${server.address} is beyond this machine, where only mutual TLS is accepted: add tls: { ca, certificate, privateKey }`,
      ),
    );
}

function checkStart(server: ServerParam): Finding[] {
  if (!(server instanceof ServerStartupParam)) return [];
  const { name, dataDir, binDir, start } = server;
  const findings: Finding[] = [];
  if (!isAbsolute(dataDir)) {
    findings.push(
      warning(
        name,
        `dataDir ${dataDir} is relative to wherever the server is started: write its full path`,
      ),
    );
  }
  const isHere = start?.ssh === undefined;
  const program = `${binDir.replace(/\/?$/, '/')}walb-${serverKindMap[server.kind]}`;
  if (isHere && binDir !== '' && !existsSync(program)) {
    findings.push(
      warning(name, `there is no program ${program} on this machine: correct binDir, or set ssh`),
    );
  }
  return [...findings, ...checkOpen(server)];
}

const TLS_OPTIONS = ['tls-ca', 'tls-cert', 'tls-key'];

/** Beyond loopback a server needs to be told to listen there, and then its certificates. */
function checkOpen(server: ServerStartupParam): Finding[] {
  const { name, address, start } = server;
  // What the configuration file says is on the server's machine.
  if (start?.config !== undefined || isLoopback(server)) return [];
  const options = start?.options ?? {};
  const missing = ['listen', ...TLS_OPTIONS].filter((option) => !Object.hasOwn(options, option));
  if (missing.length === 0) return [];
  return [
    error(
      name,
      `is to be reached at ${address}, but would not be started with ${missing.map((o) => `-${o}`).join(', ')}: add them to its options, or name a config file`,
    ),
  ];
}

/** What asking every server finds: who does not answer, and who is not what the layout says. */
export async function checkServers(
  layout: ServerLayout,
  hostTypeOf: (server: ServerParam) => Promise<string>,
): Promise<Finding[]> {
  const findings = layout.get_all().map(async (server): Promise<Finding[]> => {
    const wanted = serverKindMap[server.kind];
    try {
      const found = await hostTypeOf(server);
      return found === wanted
        ? []
        : [
            error(
              server.name,
              `says it is '${found}' at ${server.get_host_port()}, not '${wanted}': correct its section or its port`,
            ),
          ];
    } catch (thrown) {
      return [error(server.name, `does not answer: ${WalbError.from(thrown).message.trim()}`)];
    }
  });
  return (await Promise.all(findings)).flat();
}
