/** The conditions of `walbc wait`, as a table: words, what they mean, and how they are waited for. */
import { checkVolumeId, parseSize, parseU64, WalbError } from '../../core/index.ts';
import * as constants from '../constants.ts';
import { K_ARCHIVE, K_PROXY, K_STORAGE, type ServerKind, serverKindMap } from '../constants.ts';
import type { Controller } from '../controller/controller.ts';
import type { ServerLayout } from '../layout.ts';
import type { ServerParam } from '../servers.ts';
import { parseDuration } from './duration.ts';
import { withArticle } from './facts.ts';

export interface Condition {
  /** For messages. */
  readonly what: string;
  /** Resolves when it is met; throws `timeout`, `unavailable`, or why it can not be met. */
  wait(walbc: Controller, timeoutS: number): Promise<unknown>;
}

interface Spec {
  readonly name: string;
  readonly parameters: string;
  readonly about: string;
  /** Words that are needed; more may follow only where the last parameter is repeated. */
  readonly least: number;
  readonly most: number;
  make(words: Words): Condition;
}

/** Typed access to the words of a condition. */
class Words {
  readonly #layout: ServerLayout;
  readonly #words: readonly string[];

  constructor(layout: ServerLayout, words: readonly string[]) {
    this.#layout = layout;
    this.#words = words;
  }

  at(index: number): string {
    return this.#words[index] ?? '';
  }

  from(index: number): readonly string[] {
    return this.#words.slice(index);
  }

  server(index: number, kind?: ServerKind): ServerParam {
    return this.#find(this.at(index), kind);
  }

  servers(index: number, kind?: ServerKind): ServerParam[] {
    return this.from(index).map((name) => this.#find(name, kind));
  }

  volume(index: number): string {
    return checkVolumeId(this.at(index));
  }

  #find(name: string, kind: ServerKind | undefined): ServerParam {
    const all = this.#layout.get_all();
    const found = all.find((one) => one.name === name);
    if (found === undefined) {
      const names = all.map((one) => one.name).join(', ') || 'none';
      throw misused(`the layout has no server '${name}'; it has: ${names}`);
    }
    if (kind === undefined || found.kind === kind) return found;
    const [is, needed] = [found.kind, kind].map((one) => withArticle(serverKindMap[one]));
    throw misused(`${name} is ${is}, not ${needed}`);
  }
}

const PREFIXES: Readonly<Record<ServerKind, RegExp>> = {
  [K_STORAGE]: /^st?[A-Z]/,
  [K_PROXY]: /^pt?[A-Z]/,
  [K_ARCHIVE]: /^at?[A-Z]/,
};

/** States a volume can have at a server of this kind: the constants of the API. */
function statesOf(kind: ServerKind): string[] {
  const named = Object.entries(constants).filter(([name]) => PREFIXES[kind].test(name));
  return named.map(([, value]) => value).filter((value) => typeof value === 'string');
}

const SPECS: readonly Spec[] = [
  {
    name: 'state',
    parameters: 'SERVER VOL STATE[,STATE...]',
    about: 'the volume is in one of these states',
    least: 3,
    most: 3,
    make(words) {
      const [server, volume, states] = [words.server(0), words.volume(1), words.at(2).split(',')];
      const known = statesOf(server.kind);
      const wrong = states.find((state) => !known.includes(state));
      if (wrong !== undefined) {
        const kind = withArticle(serverKindMap[server.kind]);
        throw misused(`no state '${wrong}' at ${kind}; there are: ${known.join(' ')}`);
      }
      return {
        what: `state ${states.join(' or ')} of ${volume} at ${server.name}`,
        wait: (walbc, timeoutS) => walbc._wait_for_state(server, volume, states, timeoutS),
      };
    },
  },
  {
    name: 'restorable',
    parameters: 'ARCHIVE VOL GID',
    about: 'the snapshot can be restored',
    least: 3,
    most: 3,
    make(words) {
      const [server, volume] = [words.server(0, K_ARCHIVE), words.volume(1)];
      const gid = parseU64(words.at(2), 'GID');
      return {
        what: `gid ${gid} of ${volume} at ${server.name} to be restorable`,
        wait: (walbc, timeoutS) => walbc._wait_for_restorable(server, volume, gid, timeoutS),
      };
    },
  },
  {
    name: 'restored',
    parameters: 'ARCHIVE VOL GID',
    about: 'the restored image is there',
    least: 3,
    most: 3,
    make(words) {
      const [server, volume] = [words.server(0, K_ARCHIVE), words.volume(1)];
      const gid = parseU64(words.at(2), 'GID');
      return {
        what: `the image of gid ${gid} of ${volume} at ${server.name}`,
        wait: (walbc, timeoutS) => walbc._wait_for_gid(server, volume, gid, 'restored', timeoutS),
      };
    },
  },
  {
    name: 'idle',
    parameters: 'ARCHIVE VOL',
    about: 'no apply, merge, restore, resize, replication or backup of the volume runs there',
    least: 2,
    most: 2,
    make(words) {
      const [server, volume] = [words.server(0, K_ARCHIVE), words.volume(1)];
      return {
        what: `the end of all work on ${volume} at ${server.name}`,
        wait: (walbc, timeoutS) => walbc._wait_for_idle(server, volume, timeoutS),
      };
    },
  },
  {
    name: 'lag-below',
    parameters: 'ARCHIVE VOL DURATION|SIZE',
    about: 'the archive is less than this behind: 60s, 10m, or 64k, 10mb',
    least: 3,
    most: 3,
    make(words) {
      const [server, volume] = [words.server(0, K_ARCHIVE), words.volume(1)];
      const { seconds, bytes } = limitOf(words.at(2));
      if (seconds === 0 || bytes === 0) throw misused('nothing is less than 0 behind');
      return {
        what: `${volume} at ${server.name} less than ${words.at(2)} behind`,
        wait: (walbc, timeoutS) =>
          walbc.wait_for_lag_below(server, volume, seconds, timeoutS, bytes),
      };
    },
  },
  {
    name: 'synchronized',
    parameters: 'VOL [ARCHIVE...]',
    about: 'what was written before now is at these archives, or at all it is sent to',
    least: 1,
    most: Number.POSITIVE_INFINITY,
    make(words) {
      const [volume, archives] = [words.volume(0), words.servers(1, K_ARCHIVE)];
      return {
        what: `${volume} to be synchronized`,
        wait: (walbc, timeoutS) => walbc.wait_for_synchronized(volume, archives, timeoutS),
      };
    },
  },
  {
    name: 'up',
    parameters: '[SERVER...]',
    about: 'these servers answer, or all of the layout',
    least: 0,
    most: Number.POSITIVE_INFINITY,
    make(words) {
      const servers = words.servers(0);
      const names = servers.map(({ name }) => name).join(' ') || 'all servers';
      return {
        what: `${names} to be up`,
        wait: (walbc, timeoutS) =>
          walbc.wait_for_up(servers.length === 0 ? null : servers, timeoutS),
      };
    },
  },
  {
    name: 'down',
    parameters: 'SERVER...',
    about: 'none of these servers answers, as after a shutdown',
    least: 1,
    most: Number.POSITIVE_INFINITY,
    make(words) {
      const names = words.servers(0).map(({ name }) => name);
      const what = `${names.join(' ')} to be down`;
      return {
        what,
        wait: (walbc, timeoutS) =>
          walbc._wait_for_group(what, null, timeoutS, ({ servers }) => {
            const up = servers.filter(({ server, isUp }) => names.includes(server) && isUp);
            return up.length === 0 || up.map(({ server }) => `${server} answers`).join('; ');
          }),
      };
    },
  },
];

/** Throws `invalid-argument`. */
export function conditionOf(layout: ServerLayout, words: readonly string[]): Condition {
  const [name, ...rest] = words;
  const spec = SPECS.find((one) => one.name === name);
  const names = SPECS.map((one) => one.name).join(', ');
  if (name === undefined) throw misused(`a condition is needed: ${names}`);
  if (spec === undefined) throw misused(`no condition '${name}'; there are: ${names}`);
  if (rest.length < spec.least || rest.length > spec.most) {
    throw misused(`usage: walbc wait ${spec.name} ${spec.parameters}`);
  }
  return spec.make(new Words(layout, rest));
}

export function conditionUsage(): string[] {
  return SPECS.map(
    ({ name, parameters, about }) => `  ${`${name} ${parameters}`.padEnd(40)}${about}`,
  );
}

/** `m` alone are minutes: sizes in megabytes are written `10mb`. */
function limitOf(text: string): { seconds: number | null; bytes: number | null } {
  if (/^[\d.]+[smhd]?$/.test(text)) return { seconds: parseDuration(text), bytes: null };
  return { seconds: null, bytes: parseSize(text) };
}

function misused(problem: string): WalbError {
  return new WalbError('invalid-argument', `${problem} (walbc wait --help)`);
}
