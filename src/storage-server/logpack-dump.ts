/** Debug: the header block at an lsid, to the caller and to a file (cli.md 1.4 dbg-dump). */

import { writeFileDurably } from '../core/durable.ts';
import { type Env, type Lsid, WalbError } from '../core/index.ts';
import type { DumpLogpackHeaderReply } from '../rpc/index.ts';
import type { StorageVolume } from './volume.ts';

export async function dumpLogpackHeader(
  env: Env,
  volume: StorageVolume,
  lsid: Lsid,
): Promise<DumpLogpackHeaderReply> {
  for await (const pack of volume.device.readLog(lsid)) {
    const header = Uint8Array.from(pack.header);
    const path = `${volume.files.directory}/logpackheader-${lsid}`;
    await writeFileDurably(env, path, header);
    return { path, header };
  }
  const { oldest, permanent } = await volume.lsids();
  throw new WalbError(
    'not-found',
    `no logpack begins at lsid ${lsid}; the log of volume ${volume.id} goes from ${oldest} to ${permanent}`,
    { details: { volume: volume.id, lsid, oldest, permanent } },
  );
}
