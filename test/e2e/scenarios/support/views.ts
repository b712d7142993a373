/** Waiting for what a server says of a volume: looked at whenever it changes, never on a timer. */
import { grpcNetwork, type VolumeView } from '../../../../src/rpc/index.ts';
import { ServerConnection } from '../../../../src/walbc/connection.ts';
import { looks } from '../../../../src/walbc/controller/looking.ts';
import { completeEnvironment } from '../../../../src/walbc/environment.ts';
import type { ServerParam } from '../../../../src/walbc/index.ts';
import { SOON, VOLUME } from './cluster.ts';

/** The first view that fits. The error says what was waited for, and what was seen last. */
export async function viewWhere(
  server: ServerParam,
  what: string,
  fits: (view: VolumeView) => boolean,
  volume = VOLUME,
): Promise<VolumeView> {
  const network = grpcNetwork();
  const environment = completeEnvironment({ network });
  const { signal } = new AbortController();
  const connection = new ServerConnection(
    { name: server.name, address: server.get_host_port() },
    { network, clientId: 'scenario', signal: () => undefined },
  );
  try {
    for await (const { view } of looks({
      environment,
      connection,
      volume,
      what,
      timeoutS: SOON,
      signal,
    })) {
      if (fits(view)) return view;
    }
    throw new Error('a watch ended by itself');
  } finally {
    connection.close();
  }
}
