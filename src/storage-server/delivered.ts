/**
 * Whether what was delivered in the course of an interrupted full backup is still on its way to the
 * archive: the backup may go on only when it is, because its image becomes clean by these diffs. They are
 * gone when the archive was taken from the proxies, or a proxy lost its spool.
 *
 * Source: semantics.md C.1 (a newly added archive gets what is received from then on).
 */
import { type Gid, type Millis, throwIfAborted, WalbError } from '../core/index.ts';
import { ControlRpc, diffFromMessage, ProxyRpc } from '../rpc/index.ts';
import type { ServerCore } from '../server/server-core.ts';

const ASK_TIMEOUT_MS: Millis = 10_000;

export interface Delivered {
  readonly volume: string;
  /** Node id and address of the archive. */
  readonly archive: { readonly nodeId: string; readonly address: string };
  /** Where the diffs must begin, and how far they must reach. */
  readonly from: Gid;
  readonly to: Gid;
}

/** Which diffs no proxy has any more; undefined when all are there. */
export async function whatIsLost(
  core: ServerCore,
  proxies: readonly string[],
  delivered: Delivered,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { from, to } = delivered;
  if (to <= from) return undefined;
  const problems: string[] = [];
  const found = await Promise.all(
    proxies.map((address) =>
      spooledAt(core, address, delivered, signal).catch((error: unknown) => {
        throwIfAborted(signal, 'backup');
        problems.push(`${address}: ${WalbError.from(error).message}`);
        return [];
      }),
    ),
  );
  const reach = reachOf(found.flat(), from);
  if (reach >= to) return undefined;
  const why = problems.length === 0 ? '' : ` (${problems.join('; ')})`;
  return `no proxy has the diffs from gid ${reach} to ${to} for the archive any more${why}`;
}

interface Span {
  readonly b: Gid;
  readonly e: Gid;
}

/** How far the spans lead from `from` on without a gap. */
export function reachOf(spans: readonly Span[], from: Gid): Gid {
  let reach = from;
  for (const { b, e } of [...spans].sort((x, y) => (x.b < y.b ? -1 : x.b > y.b ? 1 : 0))) {
    if (b > reach) break;
    if (e > reach) reach = e;
  }
  return reach;
}

async function spooledAt(
  { env, identity }: ServerCore,
  address: string,
  { volume, archive }: Delivered,
  signal: AbortSignal,
): Promise<Span[]> {
  const channel = env.network.connect(address, { clientId: identity.nodeId });
  const options = { timeout: ASK_TIMEOUT_MS, signal };
  try {
    const { status } = await channel.unary(ControlRpc.status, { volume }, options);
    const known = status?.$case === 'proxyVolume' ? status.value.archives : [];
    const queue = known.find((a) => a.archive === archive.nodeId || a.address === archive.address);
    if (queue === undefined) return [];
    const request = { volume, archive: queue.archive };
    const { diffs } = await channel.unary(ProxyRpc.getProxyDiff, request, options);
    return diffs.map((message) => {
      const { B, E } = diffFromMessage(message);
      return { b: B.b, e: E.b };
    });
  } finally {
    channel.close();
  }
}
