/**
 * How far the primary archive is behind: asked now and then, kept for `get ts-delta`.
 *
 * Source: semantics.md B.5; cli.md 1.5.
 */
import { type CancelTimer, type Channel, hasCode, type Millis, WalbError } from '../core/index.ts';
import {
  type ArchiveLink,
  ArchiveRpc,
  type GatherLatestSnapReply,
  HostType,
  type LastError,
  type TsDelta,
} from '../rpc/index.ts';
import { nextFailure } from '../server/failures.ts';
import type { ServerCore } from '../server/server-core.ts';
import { newestRecord } from './records.ts';
import type { StorageVolume } from './volume.ts';

const FIRST_AFTER_MS: Millis = 5_000;
const ASK_TIMEOUT_MS: Millis = 10_000;

export class TsDeltaWatcher {
  readonly #core: ServerCore;
  readonly #address: string;
  readonly #interval: Millis;
  /** Target volumes. */
  readonly #targets: () => StorageVolume[];
  #items: TsDelta[] = [];
  #timer: CancelTimer | undefined;
  #nodeId = '';
  #lastSuccess = 0;
  #lastError: LastError | undefined;

  constructor(
    core: ServerCore,
    address: string,
    intervalSec: number,
    targets: () => StorageVolume[],
  ) {
    this.#core = core;
    this.#address = address;
    this.#interval = intervalSec * 1000;
    this.#targets = targets;
  }

  start(delay: Millis = FIRST_AFTER_MS): void {
    this.#timer = this.#core.clock.after(delay, () => {
      void this.#ask().finally(() => {
        if (!this.#core.isShuttingDown) this.start(this.#interval);
      });
    });
  }

  stop(): void {
    this.#timer?.();
  }

  items(): TsDelta[] {
    return this.#items;
  }

  link(): ArchiveLink {
    return {
      address: this.#address,
      nodeId: this.#nodeId,
      lastSuccess: this.#lastSuccess,
      lastError: this.#lastError,
    };
  }

  async #ask(): Promise<void> {
    const targets = this.#targets();
    if (targets.length === 0) {
      this.#items = [];
      return;
    }
    const { env, identity } = this.#core;
    let channel: Channel | undefined;
    try {
      channel = env.network.connect(this.#address, { clientId: identity.nodeId });
      const request = { volumes: targets.map(({ id }) => id) };
      const options = { timeout: ASK_TIMEOUT_MS, signal: this.#core.stopping };
      const reply = await channel.unary(ArchiveRpc.gatherLatestSnap, request, options);
      this.#nodeId = reply.server?.nodeId ?? '';
      this.#items = targets.map((volume) => deltaOf(volume, this.#nodeId, reply));
      this.#lastSuccess = this.#core.now();
      this.#lastError = undefined;
    } catch (thrown) {
      if (!hasCode(thrown, 'cancelled')) this.#failed(WalbError.from(thrown));
    } finally {
      channel?.close();
    }
  }

  #failed(error: WalbError): void {
    const peer = this.#address;
    this.#lastError = nextFailure(this.#lastError, error, this.#core.now(), peer);
    this.#core.log.warn({ peer, err: error }, 'the archive did not tell its latest snapshots');
  }
}

function deltaOf(volume: StorageVolume, dest: string, reply: GatherLatestSnapReply): TsDelta {
  const own = newestRecord(volume.records);
  const theirs = reply.items.find((item) => item.volume === volume.id);
  return {
    volume: volume.id,
    dest,
    kind: HostType.STORAGE,
    destKind: HostType.ARCHIVE,
    gid: own.gid,
    timestamp: own.timestamp,
    destTimestamp: theirs?.timestamp ?? 0,
    ...(theirs?.latest === undefined ? {} : { destGid: theirs.latest.gidB }),
  };
}
