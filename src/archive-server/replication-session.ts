/** What the parts of the destination's side of a replication share. */
import { type BidiStream, LB_SIZE, type Lb, MIB, UUID_BYTES, WalbError } from '../core/index.ts';
import type { ReplicationDown, ReplicationHello, ReplicationUp } from '../rpc/index.ts';
import type { ServerCore } from '../server/server-core.ts';
import type { ProgressHandle } from '../server/task-log.ts';
import type { ArchiveConfig } from './config.ts';
import type { ArchiveCommand } from './states.ts';
import type { ArchiveVolume } from './volume.ts';

export interface ReplicationHost {
  readonly core: ServerCore;
  readonly config: ArchiveConfig;
  readonly exports: { closeAll(volume: string): Promise<void> };
  /** Throws `wrong-state` for a volume that is Clear. */
  require(volume: string, command: ArchiveCommand): ArchiveVolume;
}

export interface ServerSession {
  readonly host: ReplicationHost;
  readonly volume: ArchiveVolume;
  readonly stream: BidiStream<ReplicationDown, ReplicationUp>;
  readonly hello: ReplicationHello;
  readonly peer: string;
  readonly progress: ProgressHandle;
}

/** A transition under way. */
export type Change = ReturnType<ArchiveVolume['machine']['begin']>;

/** Bulks of 512 B to 4 MiB (cli.md 1.3). */
const MAX_BULK_LB: Lb = (4 * MIB) / LB_SIZE;

export function requireBulk(bulkLb: Lb): Lb {
  if (bulkLb >= 1 && bulkLb <= MAX_BULK_LB) return bulkLb;
  throw new WalbError('invalid-argument', `a bulk of ${bulkLb} blocks: 1 to ${MAX_BULK_LB} may be`);
}

export function requireUuid(uuid: Uint8Array): Uint8Array {
  if (uuid.length === UUID_BYTES) return uuid;
  throw new WalbError('invalid-argument', `a uuid has ${UUID_BYTES} bytes, not ${uuid.length}`);
}

/** Shows how many blocks of the image are done. */
export function showProgress({ volume, progress }: ServerSession, done: Lb): void {
  progress.set(done);
  volume.progressLb = done;
}
