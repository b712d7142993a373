/** The group of a layout file, reached by its own connections: what `check` and `wait` begin with. */
import type { Millis } from '../../core/index.ts';
import { WalbError } from '../../core/index.ts';
import { grpcNetwork } from '../../rpc/grpc-network.ts';
import { ServerConnection } from '../connection.ts';
import type { ServerLayout } from '../layout.ts';
import {
  findLayoutFile,
  LAYOUT_NAMES,
  type LoadedLayout,
  loadLayout,
} from '../shell/layout-file.ts';
import type { Asked } from './gather.ts';

export interface LayoutPlace {
  readonly option: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** Throws `not-found` or `invalid-argument` saying what to do. */
export async function layoutOf(place: LayoutPlace): Promise<LoadedLayout> {
  const file = findLayoutFile(place);
  if (file !== undefined) return await loadLayout(file);
  throw new WalbError(
    'not-found',
    `there is no layout file: give one with --layout or WALB_LAYOUT, or make ${LAYOUT_NAMES[0]} here, in ~/.config/walb or in /etc/walb`,
  );
}

export interface OpenGroup extends Disposable {
  readonly layout: ServerLayout;
  readonly asked: readonly Asked[];
}

/** One connection per server. `clientId` is what the servers call us in their logs. */
export function openGroup(
  { layout, tls }: LoadedLayout,
  clientId: string,
  connectTimeout: Millis,
): OpenGroup {
  const network = grpcNetwork({ connectTimeout, ...(tls === undefined ? {} : { tls }) });
  const asked = layout.get_all().map((server) => ({
    server,
    connection: new ServerConnection(
      { name: server.name, address: server.get_host_port() },
      { network, clientId, signal: () => undefined },
    ),
  }));
  return {
    layout,
    asked,
    [Symbol.dispose]: () => {
      for (const { connection } of asked) connection.close();
    },
  };
}
