/**
 * What other archives were last brought to by replication from here: `get ts-delta`. In memory only;
 * a cleared volume forgets it.
 *
 * Source: semantics.md D.9, cli.md 1.5.
 */
import type { Gid, UnixSeconds } from '../core/index.ts';
import { HostType, type TsDelta } from '../rpc/index.ts';

/** More destinations than this are not replicas but a mistake; the oldest is forgotten. */
const MAX_REPLICAS = 64;

interface Reached {
  readonly gid: Gid;
  readonly timestamp: UnixSeconds;
}

export class Replicas {
  readonly #reached = new Map<string, Reached>();

  /** `server` is the id of the destination, `gid` its latest snapshot after the replication. */
  note(server: string, gid: Gid, timestamp: UnixSeconds): void {
    this.#reached.delete(server);
    this.#reached.set(server, { gid, timestamp });
    const [oldest] = this.#reached.keys();
    if (this.#reached.size > MAX_REPLICAS && oldest !== undefined) this.#reached.delete(oldest);
  }

  /** One line per destination, against the latest snapshot of this archive. */
  deltas(volume: string, latest: Reached): TsDelta[] {
    return [...this.#reached].map(([dest, { gid, timestamp }]) => ({
      volume,
      dest,
      kind: HostType.ARCHIVE,
      destKind: HostType.ARCHIVE,
      gid: latest.gid,
      timestamp: latest.timestamp,
      destGid: gid,
      destTimestamp: timestamp,
    }));
  }
}
