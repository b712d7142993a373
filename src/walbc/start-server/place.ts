/** On which machine a server is started, and how a program is run there. */
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { WalbError } from '../../core/index.ts';
import { isLocal, parseAddress } from '../../rpc/address.ts';
import { shellLine } from '../server-params.ts';
import type { ServerStartupParam } from '../servers.ts';

/** `user@host`; undefined = this machine. */
export type Place = string | undefined;

/** Seconds; a machine that does not answer within this is off. */
const SSH_CONNECT_SEC = 10;

/**
 * Where the layout says, `ssh:`. Without that the server must be one of this machine: started here
 * although its address is elsewhere it would never be reached.
 */
export async function placeOf(s: ServerStartupParam): Promise<Place> {
  const ssh = s.start?.ssh;
  const isLoopback = isLocal(parseAddress(s.get_host_port()));
  if (ssh === undefined) {
    if (isLoopback || (await isThisMachine(s.address))) return undefined;
    throw new WalbError(
      'invalid-argument',
      `${s.name} (${s.address}) is on another machine: say how to get there with ssh: user@host in the layout`,
      { details: { server: s.name, address: s.address } },
    );
  }
  if (!/^[\w][\w.@:%-]*$/.test(ssh)) {
    throw new WalbError('invalid-argument', `ssh of ${s.name} must be user@host, not '${ssh}'`);
  }
  // One layout serves all machines: at the server's own there is no way to go. A loopback address
  // says nothing about the machine (the port may be forwarded).
  return !isLoopback && (await isThisMachine(s.address)) ? undefined : ssh;
}

/** Whether one of the addresses behind the name is ours. */
async function isThisMachine(address: string): Promise<boolean> {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((all = []) => all.map((one) => one.address)),
  );
  try {
    const found = await lookup(address, { all: true });
    return found.some((one) => own.has(one.address));
  } catch {
    return false;
  }
}

/** Program and arguments that run `/bin/sh -s -- WORDS` at a place. */
export function shellAt(place: Place, words: readonly string[]): readonly [string, string[]] {
  const shell = ['/bin/sh', '-s', '--', ...words];
  if (place === undefined) return [shell[0]!, shell.slice(1)];
  const options = ['BatchMode=yes', `ConnectTimeout=${SSH_CONNECT_SEC}`];
  // ssh joins its words with blanks for the login shell there, so they go quoted, as one word.
  return ['ssh', ['-T', ...options.flatMap((one) => ['-o', one]), '--', place, shellLine(shell)]];
}
