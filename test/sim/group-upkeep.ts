/**
 * Upkeep of a simulated group: what operators and workers do to archives while backups go on. Diffs are
 * applied and merged, snapshots disabled and enabled, a second archive is replicated to (and perhaps
 * synchronized by the proxies too), the log history begins anew with a hash backup. The archive that is
 * worked at often dies in the middle of it.
 */
import type { Env } from '../../src/core/index.ts';
import {
  ArchiveRpc,
  ControlRpc,
  ProxyRpc,
  type ReplicateRequest,
  StopMode,
} from '../../src/rpc/index.ts';
import { Operator } from './group-operator.ts';
import { PORT, VOLUME } from './group-servers.ts';

const volume = VOLUME;
export const PRIMARY = 'a0';
export const SECONDARY = 'a1';

/** What upkeep has asked for, whether it was done or not: snapshots that need not be offered any more. */
export class Released {
  #appliedUpTo = 0n;
  readonly #disabled = new Set<bigint>();

  applied(gid: bigint): void {
    if (gid > this.#appliedUpTo) this.#appliedUpTo = gid;
  }

  disabled(gid: bigint): void {
    this.#disabled.add(gid);
  }

  /** The archive begins anew, and gids with it. */
  forget(): void {
    this.#appliedUpTo = 0n;
    this.#disabled.clear();
  }

  has(gid: bigint): boolean {
    return gid <= this.#appliedUpTo || this.#disabled.has(gid);
  }
}

export interface UpkeepOptions {
  readonly proxies: readonly string[];
  /** Proxies deliver to the second archive too. */
  readonly synchronizes: boolean;
  readonly released: Released;
  /** Lets the server die soon, in the middle of what it was just asked for. */
  readonly endanger: (server: string) => void;
  readonly kill: (server: string) => void;
  readonly isQuiet: () => boolean;
}

export class Upkeep {
  readonly #env: Env;
  readonly #options: UpkeepOptions;
  readonly #operator: Operator;

  constructor(env: Env, options: UpkeepOptions) {
    this.#env = env;
    this.#options = options;
    this.#operator = new Operator(env, options.proxies);
  }

  async run(): Promise<void> {
    while (!this.#options.isQuiet()) {
      await this.#env.clock.sleep(this.#pick(3000));
      await this.#step();
    }
  }

  /** The second archive has everything up to `gid`, or there is no time left. */
  async replicateUpTo(gid: bigint, timeLeft: () => boolean): Promise<void> {
    for (let round = 0; timeLeft(); round++) {
      await this.#env.clock.sleep(1000);
      if ((await this.#operator.restorable(true, SECONDARY))?.includes(gid) === true) return;
      await this.#bringUpSecondary();
      // A volume that a failing disk kept from being loaded is served after a restart.
      const isStuck = round % 10 === 0 && (await this.#operator.state(SECONDARY)) === undefined;
      if (isStuck) this.#options.kill(SECONDARY);
      await this.#replicate({ doResync: round % 4 === 3 });
    }
    const offered = await this.#operator.restorable(true, SECONDARY);
    const state = await this.#operator.state(SECONDARY);
    throw new Error(`${SECONDARY} (${state}) offers ${offered}, but never ${gid}`);
  }

  async #step(): Promise<void> {
    const offered = (await this.#operator.restorable(true)) ?? [];
    const any = offered[this.#pick(offered.length)] ?? 0n;
    const early = offered[this.#pick(Math.min(3, offered.length))] ?? 0n;
    const late = offered[offered.length - 1 - this.#pick(Math.min(2, offered.length))] ?? 0n;
    switch (this.#pick(12)) {
      case 0:
        return await this.#apply(any);
      case 1:
      case 2:
        return await this.#apply(late);
      case 3:
      case 4:
      case 5:
        return await this.#merge(early);
      case 6:
        return await this.#setSnapshot(any);
      case 7:
        return await this.#collect();
      case 8:
        // The next step up is a hash backup, since the archive has data.
        if (this.#pick(3) > 0) return;
        await this.#operator.stopStorage();
        return await this.#operator.resetStorage();
      default:
        await this.#bringUpSecondary();
        return await this.#replicate({ doResync: this.#pick(3) === 0 });
    }
  }

  async #apply(gid: bigint): Promise<void> {
    this.#options.released.applied(gid);
    await this.#operator.try(PRIMARY, ArchiveRpc.apply, { volume, gid });
    this.#endanger(PRIMARY);
  }

  async #merge(gidB: bigint): Promise<void> {
    const until =
      this.#pick(2) === 0
        ? ({ $case: 'gidE', value: gidB + BigInt(1 + this.#pick(40)) } as const)
        : ({ $case: 'maxSizeMb', value: 1 + this.#pick(3) } as const);
    await this.#operator.try(PRIMARY, ArchiveRpc.merge, { volume, gidB, until });
    this.#endanger(PRIMARY);
  }

  async #setSnapshot(gid: bigint): Promise<void> {
    const request = { volume, gids: [gid] };
    this.#options.released.disabled(gid);
    await this.#operator.try(PRIMARY, ArchiveRpc.disableSnapshots, request);
    this.#endanger(PRIMARY);
    if (this.#pick(2) === 0) {
      await this.#operator.try(PRIMARY, ArchiveRpc.enableSnapshots, request);
    }
  }

  async #collect(): Promise<void> {
    const archive = this.#pick(2) === 0 ? PRIMARY : SECONDARY;
    await this.#operator.try(archive, ArchiveRpc.gcDiff, { volume });
    const offered = (await this.#operator.restorable(true, SECONDARY)) ?? [];
    const gid = offered[this.#pick(offered.length)];
    if (gid !== undefined) await this.#operator.try(SECONDARY, ArchiveRpc.apply, { volume, gid });
    this.#endanger(SECONDARY);
  }

  async #bringUpSecondary(): Promise<void> {
    const state = await this.#operator.state(SECONDARY);
    if (state === 'Clear') {
      await this.#operator.try(SECONDARY, ControlRpc.initVolume, { volume, devicePath: '' });
    }
    if (state === 'Stopped') {
      await this.#operator.try(SECONDARY, ControlRpc.start, { volume, role: 'unspecified' });
    }
    if (!this.#options.synchronizes) return;
    for (const proxy of this.#options.proxies) await this.#synchronize(proxy);
  }

  /** The volume at the proxy is stopped for it; whoever brings up the group starts it again. */
  async #synchronize(proxy: string): Promise<void> {
    const known = await this.#operator.try(proxy, ProxyRpc.listArchiveInfo, { volume });
    if (known === undefined || known.names.length === 0 || known.names.includes(SECONDARY)) return;
    await this.#operator.try(proxy, ControlRpc.stop, { volume, mode: StopMode.GRACEFUL });
    await this.#env.clock.sleep(500);
    const compression = { kind: 'snappy', level: 0, cpus: 1 } as const;
    const info = { name: SECONDARY, address: `${SECONDARY}:${PORT}`, compression };
    await this.#operator.try(proxy, ProxyRpc.addArchiveInfo, {
      volume,
      info: { ...info, wdiffSendDelaySec: 0 },
    });
  }

  async #replicate(wish: Pick<ReplicateRequest, 'doResync'>): Promise<void> {
    if (this.#pick(3) === 0) this.#endanger(this.#pick(2) === 0 ? PRIMARY : SECONDARY);
    await this.#operator.try(PRIMARY, ArchiveRpc.replicate, {
      volume,
      until: { $case: 'sizeMb', value: 0 },
      address: `${SECONDARY}:${PORT}`,
      dontMerge: this.#pick(3) === 0,
      compression: undefined,
      maxMergeBytes: [0, 1, 20_000][this.#pick(3)] as number,
      bulkBytes: 2048,
      ...wish,
    });
    await this.#env.clock.sleep(this.#pick(1500));
  }

  #endanger(server: string): void {
    if (!this.#options.isQuiet() && this.#pick(2) === 0) this.#options.endanger(server);
  }

  #pick(below: number): number {
    return below === 0 ? 0 : this.#env.random.u32() % below;
  }
}
