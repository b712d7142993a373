/** Lines of `status` that all kinds of servers have (cli.md 1.6). */
import { WalbError } from '../../core/index.ts';
import type { ServerCommon } from '../../rpc/index.ts';

export function heading(title: string): string {
  return `-----${title}-----`;
}

export function commonOf(common: ServerCommon | undefined): ServerCommon {
  if (common !== undefined) return common;
  throw new WalbError('corrupt', 'the status lacks its common part');
}

export function keepAliveLine({ keepAlive }: ServerCommon): string {
  if (keepAlive?.enabled !== true) return 'keepAlive OFF';
  const { idleSec, intervalSec, count } = keepAlive;
  return `keepAlive ON (idle ${idleSec} intvl ${intervalSec} cnt ${count})`;
}
