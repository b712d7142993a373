/**
 * Lives of one volume at an archive that is killed and loses power at any call: init, full backup,
 * diffs, hash backup, stop, reset, and the same gids again with other data; then clear and another
 * life. Nothing of an earlier life may show in a later one.
 */
import { type Channel, type Env, hasCode, LB_SIZE } from '../../src/core/index.ts';
import { ArchiveRpc, ControlRpc, StartRole, StopMode } from '../../src/rpc/index.ts';
import type { Scenario } from '../sim/explore.ts';
import type { SimRandom } from '../sim/sim-random.ts';
import type { SimWorld } from '../sim/world.ts';
import {
  cleanDiff,
  dataIo,
  finished,
  fullBackup,
  hashBackup,
  restorable,
  scanned,
  sendDiff,
  startArchive,
  VOLUME,
} from './support.ts';

const SIZE_LB = 64;
const LIVES = 5;
const ADDRESS = 'a0:1';
const FOREVER = 3_600_000;
const CALLS_TO_CRASH = 150;

export function lifecycleScenario(): Scenario {
  return {
    name: 'archive-lives',
    about: 'backups, resets and clears of one archive volume, with crashes',
    run: (world) => drive(world),
  };
}

async function drive(world: SimWorld): Promise<void> {
  const [near, far] = [world.host('near'), world.host('far')];
  let server = world.spawn('a0', far, serve);
  const disturb = (): void => {
    const process = server;
    const crash = () => (world.random.chance(0.5) ? world.kill(process) : world.powerCut(far));
    if (process.alive) process.crashAt(world.random.between(1, CALLS_TO_CRASH), crash);
  };
  const revive = (): void => {
    if (!server.alive) server = world.restart(server);
  };
  const exit = await world.spawn('operator', near, async (env) => {
    const channel = env.network.connect(ADDRESS, { clientId: 'operator' });
    const life = new Lives(env, channel, world.random.fork('lives'), disturb, revive);
    for (let count = 0; count < LIVES; count += 1) await life.live();
  }).exit;
  if (exit.kind === 'failed') throw exit.error;
}

async function serve(env: Env, signal: AbortSignal): Promise<void> {
  await startArchive(env, { directory: '/a0', address: ADDRESS });
  await env.clock.sleep(FOREVER, signal);
}

class Lives {
  readonly #env: Env;
  readonly #channel: Channel;
  readonly #random: SimRandom;
  readonly #disturb: () => void;
  readonly #revive: () => void;
  #content: Uint8Array = new Uint8Array(SIZE_LB * LB_SIZE);
  #uuid: Uint8Array = new Uint8Array(16);

  constructor(
    env: Env,
    channel: Channel,
    random: SimRandom,
    disturb: () => void,
    revive: () => void,
  ) {
    this.#env = env;
    this.#channel = channel;
    this.#random = random;
    this.#disturb = disturb;
    this.#revive = revive;
  }

  async live(): Promise<void> {
    this.#content = this.#random.bytes(SIZE_LB * LB_SIZE);
    await this.#until(() => this.#toArchived());
    let latest = await this.#until(() => this.#toClean());
    for (let i = this.#random.between(0, 3); i > 0; i -= 1) latest = await this.#write(latest);
    await this.#check(latest);
    if (this.#random.chance(0.6)) latest = await this.#hash();
    await this.#check(latest);
    await this.#restore(latest);
    const end = this.#random.pick(['reset-vol', 'clear-vol'] as const);
    await this.#until(() => this.#toEnd(end));
  }

  // ---- each brings the volume one step further; true, or a value, when it is there

  async #toArchived(): Promise<true | undefined> {
    const { state } = await this.#channel.unary(ControlRpc.getState, { volume: VOLUME });
    if (state === 'Clear') {
      await this.#channel.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: '' });
    } else if (state === 'SyncReady') {
      this.#uuid = this.#random.bytes(16);
      await fullBackup(this.#channel, { image: this.#content, uuid: this.#uuid });
    } else if (state === 'Archived') {
      const { uuid } = await this.#channel.unary(ArchiveRpc.getUuid, { volume: VOLUME });
      if (Buffer.compare(uuid, this.#uuid) === 0) return true;
      // The full backup of this life never ended; another one's is there.
      throw new Error('Archived with the uuid of another life');
    }
    return undefined;
  }

  async #toClean(): Promise<bigint | undefined> {
    const [item] = (await this.#channel.unary(ControlRpc.getLatestSnap, { volume: VOLUME })).items;
    const gids = await restorable(this.#channel);
    if (gids.length > 0) return gids.at(-1);
    const from = item?.gid as bigint;
    await this.#send(from, from + 1n);
    return undefined;
  }

  async #toEnd(command: 'reset-vol' | 'clear-vol'): Promise<true | undefined> {
    const volume = VOLUME;
    const { state } = await this.#channel.unary(ControlRpc.getState, { volume });
    if (state === 'Clear' || (state === 'SyncReady' && command === 'reset-vol')) return true;
    if (state === 'Archived') {
      const mode = StopMode.GRACEFUL;
      await finished(this.#channel, await this.#channel.unary(ControlRpc.stop, { volume, mode }));
    } else if (state === 'Stopped' && this.#random.chance(0.2)) {
      await this.#channel.unary(ControlRpc.start, { volume, role: StartRole.UNSPECIFIED });
    } else if (command === 'reset-vol') {
      await this.#channel.unary(ControlRpc.resetVolume, { volume, gid: 0n });
    } else await this.#channel.unary(ControlRpc.clearVolume, { volume });
    return undefined;
  }

  // ---- data

  async #write(from: bigint): Promise<bigint> {
    const address = this.#random.between(0, SIZE_LB - 9);
    const data = this.#random.bytes(this.#random.between(1, 8) * LB_SIZE);
    this.#content.set(data, address * LB_SIZE);
    const to = from + BigInt(this.#random.between(1, 4));
    await this.#until(async () => {
      await this.#send(from, to, [dataIo(address, data)]);
      return true as const;
    });
    return to;
  }

  async #send(from: bigint, to: bigint, ios = [] as ReturnType<typeof dataIo>[]): Promise<void> {
    const sent = { uuid: this.#uuid, diff: cleanDiff(from, to), ios, sizeLb: SIZE_LB };
    const { answer, text } = await sendDiff(this.#channel, sent);
    if (answer !== 'accept' && answer !== 'too-old-diff') throw new Error(`${answer}: ${text}`);
  }

  /** Writes that nobody sent, found by comparing; each attempt is a log history of its own. */
  async #hash(): Promise<bigint> {
    for (let i = 0; i < 3; i += 1) {
      const address = this.#random.between(0, SIZE_LB - 5);
      this.#content.set(this.#random.bytes(4 * LB_SIZE), address * LB_SIZE);
    }
    const { gidB, gidE } = await this.#until(async () => {
      const uuid = this.#random.bytes(16);
      const done = await hashBackup(this.#channel, { image: this.#content, uuid });
      this.#uuid = uuid;
      return done;
    });
    await this.#until(async () => {
      await this.#send(gidB, gidE);
      return true as const;
    });
    return gidE;
  }

  async #check(latest: bigint): Promise<void> {
    const gids = await this.#until(() => restorable(this.#channel));
    if (gids.at(-1) !== latest) throw new Error(`latest is ${latest}, found ${gids.join(' ')}`);
    const image = await this.#until(() => scanned(this.#channel, latest));
    if (Buffer.compare(image, this.#content) !== 0) throw new Error(`snapshot ${latest} differs`);
  }

  /** Restored images of an earlier life must not stand in for this one's. */
  async #restore(gid: bigint): Promise<void> {
    const { images } = await this.#until(() =>
      this.#channel.unary(ArchiveRpc.getRestored, { volume: VOLUME }),
    );
    if (images.length > 0)
      throw new Error(`snapshot ${images[0]?.gid} of another life is restored`);
    await this.#until(async () => {
      const found = await this.#channel.unary(ArchiveRpc.getRestored, { volume: VOLUME });
      if (found.images.length > 0) return true;
      const request = { volume: VOLUME, gid };
      await finished(this.#channel, await this.#channel.unary(ArchiveRpc.restore, request));
      return undefined;
    });
  }

  /** Repeats a step until it gives something; the server may crash and come back meanwhile. */
  async #until<T>(step: () => Promise<T | undefined>): Promise<T> {
    for (;;) {
      if (this.#random.chance(0.25)) this.#disturb();
      try {
        const done = await step();
        if (done !== undefined) return done;
      } catch (error) {
        if (!hasCode(error, 'unavailable', 'timeout', 'cancelled', 'busy')) throw error;
        this.#revive();
        await this.#env.clock.sleep(this.#random.between(1, 30));
      }
    }
  }
}
