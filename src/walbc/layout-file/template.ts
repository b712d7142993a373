/** `walbc layout init`: the text of a new walb.yaml. */
import { formatHostPort, parseHostPort, WalbError } from '../../core/index.ts';
import { SECTIONS } from './yaml.ts';

export type Section = keyof typeof SECTIONS;

export interface NewServer {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export type NewGroup = Readonly<Record<Section, readonly NewServer[]>>;

const ABOUT: Readonly<Record<Section, string>> = {
  storage: 'Storage servers: beside the volumes that are backed up.',
  proxy: 'Proxies, in the order in which storages prefer them.',
  archive: 'Archive servers: they hold the backups. The first is the primary one.',
};

const HEAD = `# The servers of a backup group. walbc finds this file in the working directory, in ~/.config/walb/
# or in /etc/walb/; 'walbc layout check' says what is wrong with it, 'walbc layout show' what it means.
#
# name, address and port are how a server is reached. With dataDir a server can also be started from
# here (walbc.start_server, walb systemd); further keys for that:
#   binDir:  folder of the programs         config:  configuration file of the server (-config)
#   logPath: log file                       options: { name: value }, more options of the program
#   vg, tp:  volume group and thin pool of an archive; without them images are files in dataDir
#   ssh:     user@host, where the server is on another machine
`;

const TAIL = `
# Servers beyond this machine are reached with mutual TLS only. Paths are relative to this file.
# tls: { ca: ca.pem, certificate: controller.pem, privateKey: controller.key }
`;

/** `s0=localhost:10000` as a server. Throws `invalid-argument`. */
export function parseNewServer(text: string): NewServer {
  const match = /^([\w.-]+)=(.+)$/.exec(text);
  if (match === null) {
    throw new WalbError(
      'invalid-argument',
      `'${text}' must be NAME=HOST:PORT, as s0=localhost:10000`,
    );
  }
  const { host, port } = parseHostPort(match[2]!);
  return { name: match[1]!, address: host, port };
}

export function layoutTemplate(group: NewGroup): string {
  const sections = Object.keys(SECTIONS).map((key) => sectionText(key as Section, group));
  return [HEAD, ...sections].join('\n') + TAIL;
}

function sectionText(section: Section, group: NewGroup): string {
  const servers = group[section].map(
    ({ name, address, port }) =>
      `  - { name: ${quote(name)}, address: ${quote(address)}, port: ${port} }\n`,
  );
  const list = servers.length === 0 ? ' []\n' : `\n${servers.join('')}`;
  return `# ${ABOUT[section]}\n${section}:${list}`;
}

/** A name such as `no` or `1e3` would be read as something else. */
function quote(text: string): string {
  return /^[a-z][\w.-]*[a-z\d]$/i.test(text) && !/^(y|n|on|off|yes|no|true|false|null)$/i.test(text)
    ? text
    : JSON.stringify(text);
}

/** What is asked at a terminal, with an answer to begin with. */
export const QUESTIONS: readonly { readonly section: Section; readonly example: string }[] = [
  { section: 'storage', example: `s0=${formatHostPort({ host: 'localhost', port: 10_000 })}` },
  { section: 'proxy', example: `p0=${formatHostPort({ host: 'localhost', port: 10_100 })}` },
  { section: 'archive', example: `a0=${formatHostPort({ host: 'localhost', port: 10_200 })}` },
];
