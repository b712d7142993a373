/**
 * A wlog file out of a ring. Source: formats.md 3 (wlog-cat).
 */
import { type Lsid, U64_MAX, WalbError } from '../core/index.ts';
import type { EndItem } from './log-item.ts';
import type { RingLog } from './ring-device.ts';
import { readRing } from './ring-reader.ts';
import { type ByteSink, WlogWriter } from './writer.ts';

export interface CatOptions {
  /** The oldest lsid when omitted or older. Must be a pack boundary. */
  readonly begin?: Lsid;
  /** Packs at or after it are left out. */
  readonly end?: Lsid;
}

/**
 * Writes file header, packs verbatim and end block. The header's end_lsid is `end`, or 2^64-1 when
 * omitted. Resolves to where and why the log ended. Throws `invalid-argument` for an empty range.
 */
export async function catRing(
  log: RingLog,
  sink: ByteSink,
  options: CatOptions = {},
): Promise<EndItem> {
  const { superSector, geometry } = log;
  const { oldestLsid, salt, uuid } = superSector;
  const begin =
    options.begin !== undefined && options.begin > oldestLsid ? options.begin : oldestLsid;
  if (options.end !== undefined && options.end <= begin) {
    throw new WalbError('invalid-argument', `end lsid ${options.end} is not after ${begin}`, {
      details: { begin, end: options.end },
    });
  }
  const endLsid = options.end ?? U64_MAX;
  const header = { pbs: geometry.pbs, salt, uuid, beginLsid: begin, endLsid };
  const writer = await WlogWriter.begin(sink, header);
  for (const item of readRing(log, { ...options, begin })) {
    if (item.kind === 'pack') await writer.writeHeader(item.block);
    else if (item.kind === 'io') await writer.writeData(item.stored);
    else {
      await writer.finish();
      return item;
    }
  }
  throw new WalbError('internal', 'reading a ring ended without an end item');
}
