/** Asks all servers of a group at once; one that is silent costs one timeout, whatever their number. */
import { type Millis, WalbError } from '../../core/index.ts';
import { ControlRpc } from '../../rpc/methods.ts';
import type { ServerConnection } from '../connection.ts';
import { serverKindMap } from '../constants.ts';
import type { ServerParam } from '../servers.ts';
import type { Answer } from './digest.ts';
import type { Kind } from './facts.ts';

export interface Asked {
  readonly server: ServerParam;
  readonly connection: ServerConnection;
}

export async function gather(asked: readonly Asked[], timeout: Millis): Promise<Answer[]> {
  return await Promise.all(asked.map((one) => ask(one, timeout)));
}

async function ask({ server, connection }: Asked, timeout: Millis): Promise<Answer> {
  const known = {
    server: server.name,
    kind: serverKindMap[server.kind] as Kind,
    address: server.get_host_port(),
  };
  try {
    return { ...known, reply: await connection.call(ControlRpc.status, { volume: '' }, timeout) };
  } catch (thrown) {
    const error = WalbError.from(thrown);
    // An interrupt of the operator is not a server that is down.
    if (error.code === 'cancelled') throw error;
    return { ...known, error: reasonOf(error, known, timeout) };
  }
}

/** One line, without the name of the server, which stands before it. */
function reasonOf(
  { code, message }: WalbError,
  { server, address }: Pick<Answer, 'server' | 'address'>,
  timeout: Millis,
): string {
  if (code === 'timeout') return `no answer within ${timeout / 1000} s`;
  if (/ECONNREFUSED/.test(message)) return 'connection refused: no server runs there';
  const prefix = [`${server} (${address}): `, `${address}: `].find((one) =>
    message.startsWith(one),
  );
  return message
    .slice(prefix?.length ?? 0)
    .replaceAll(/\s+/g, ' ')
    .slice(0, 200);
}
