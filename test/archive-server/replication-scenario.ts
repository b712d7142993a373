/**
 * Replication between two archives that are killed and lose power at any call. Once a replication is
 * reported as done, the destination has it for good: a power cut right afterwards takes nothing.
 */
import { type Channel, type Env, hasCode, WalbError } from '../../src/core/index.ts';
import { KIB } from '../../src/core/units.ts';
import { ArchiveRpc, ControlRpc } from '../../src/rpc/index.ts';
import type { Scenario } from '../sim/explore.ts';
import type { SimHost } from '../sim/sim-host.ts';
import type { SimProcess } from '../sim/sim-process.ts';
import type { SimRandom } from '../sim/sim-random.ts';
import type { SimWorld } from '../sim/world.ts';
import { Device } from './replication-support.ts';
import { finished, type SentDiff, scanned, sendDiff, startArchive, VOLUME } from './support.ts';

const SIZE_LB = 96;
const ROUNDS = 6;
/** Env calls of a server within which a crash comes. */
const CALLS_TO_CRASH = 250;
const MAX_TRIES = 200;
const FOREVER = 3_600_000;

export function replicationScenario(): Scenario {
  return {
    name: 'replication',
    about:
      'full, resync, hash and diff replication against a block array, with crashes of both sides',
    run: (world) => drive(world),
  };
}

/** One archive server on a host of its own. */
class Node {
  readonly name: string;
  readonly #world: SimWorld;
  readonly #host: SimHost;
  #process: SimProcess;

  constructor(world: SimWorld, name: string) {
    this.name = name;
    this.#world = world;
    this.#host = world.host(`host-${name}`);
    this.#process = world.spawn(name, this.#host, (env, signal) => serve(env, name, signal));
  }

  get address(): string {
    return `${this.name}:1`;
  }

  disturb(): void {
    const process = this.#process;
    const { random } = this.#world;
    if (!process.alive) return;
    process.crashAt(random.between(1, CALLS_TO_CRASH), () => {
      if (random.chance(0.5)) this.#world.kill(process);
      else this.#world.powerCut(this.#host);
    });
  }

  powerCut(): void {
    this.#world.powerCut(this.#host);
    this.revive();
  }

  revive(): void {
    if (!this.#process.alive) this.#process = this.#world.restart(this.#process);
  }
}

async function serve(env: Env, name: string, signal: AbortSignal): Promise<void> {
  const config = { fsyncInterval: 8 * KIB, maxWdiffFiles: 1 + (env.random.u32() % 4) };
  await startArchive(env, { directory: `/${name}`, address: `${name}:1`, config });
  await env.clock.sleep(FOREVER, signal);
}

async function drive(world: SimWorld): Promise<void> {
  const nodes = [new Node(world, 'a0'), new Node(world, 'a1')] as const;
  const operate = async (env: Env): Promise<void> => {
    await new Operator(env, world.random.fork('operator'), nodes).run();
  };
  const exit = await world.spawn('operator', world.host('near'), operate).exit;
  if (exit.kind === 'failed') throw exit.error;
}

class Operator {
  readonly #env: Env;
  readonly #random: SimRandom;
  readonly #nodes: readonly [Node, Node];
  readonly #channels: readonly [Channel, Channel];
  readonly #device: Device;

  constructor(env: Env, random: SimRandom, nodes: readonly [Node, Node]) {
    const connect = ({ address }: Node): Channel =>
      env.network.connect(address, { clientId: 'operator' });
    this.#env = env;
    this.#random = random;
    this.#nodes = nodes;
    this.#channels = [connect(nodes[0]), connect(nodes[1])];
    this.#device = new Device(random.between(1, 1_000_000), SIZE_LB);
  }

  async run(): Promise<void> {
    const [primary] = this.#channels;
    for (const channel of this.#channels) {
      const request = { volume: VOLUME, devicePath: '' };
      await this.#insist(() => channel.unary(ControlRpc.initVolume, request));
    }
    await this.#deliver(await this.#device.fullBackup(primary));
    for (let round = 0; round < ROUNDS; round += 1) {
      await this.#change();
      await this.#replicate();
      if (this.#random.chance(0.6)) for (const node of this.#nodes) node.powerCut();
      await this.#check();
    }
  }

  async #change(): Promise<void> {
    const [primary] = this.#channels;
    const count = this.#random.between(1, 4);
    for (let i = 0; i < count; i += 1) {
      this.#device.write();
      await this.#deliver(this.#device.snapshot(this.#random.chance(0.7)));
    }
    if (this.#random.chance(0.3)) {
      const gid = this.#device.gid;
      await this.#insist(async () => {
        try {
          await finished(primary, await primary.unary(ArchiveRpc.apply, { volume: VOLUME, gid }));
        } catch (error) {
          // Done by an attempt whose answer was lost.
          if (!hasCode(error, 'not-found')) throw error;
        }
      });
      this.#device.write();
      await this.#deliver(this.#device.snapshot());
    }
    if (this.#random.chance(0.2)) {
      this.#device.write();
      await this.#deliver(await this.#insist(() => this.#device.hashBackup(primary)));
    }
  }

  async #deliver(sent: SentDiff): Promise<void> {
    const { answer } = await this.#insist(() => sendDiff(this.#channels[0], sent));
    if (answer !== 'accept' && answer !== 'too-old-diff') throw new Error(`refused: ${answer}`);
  }

  /** Until it is reported as done, with crashes on the way. */
  async #replicate(): Promise<void> {
    const [primary] = this.#channels;
    let doResync = this.#random.chance(0.15);
    const dontMerge = this.#random.chance(0.3);
    await this.#insist(async () => {
      if (this.#random.chance(0.7)) this.#random.pick(this.#nodes).disturb();
      // A repetition without it is a full replication, which finds what there was of one.
      if (this.#random.chance(0.5)) doResync = false;
      const accepted = await primary.unary(ArchiveRpc.replicate, {
        volume: VOLUME,
        until: { $case: 'sizeMb', value: 0 },
        address: this.#nodes[1].address,
        doResync,
        dontMerge,
        compression: undefined,
        maxMergeBytes: 0,
        bulkBytes: 2048,
      });
      await finished(primary, accepted);
    });
  }

  async #check(): Promise<void> {
    const { gid, content } = this.#device;
    for (const [index, channel] of this.#channels.entries()) {
      const found = await this.#insist(() => scanned(channel, gid));
      if (Buffer.compare(found, content) === 0) continue;
      throw new Error(`snapshot ${gid} at ${this.#nodes[index]?.name} is not what was written`);
    }
  }

  async #insist<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await work();
      } catch (error) {
        const isPassing = hasCode(
          error,
          'unavailable',
          'timeout',
          'cancelled',
          'busy',
          'wrong-state',
        );
        if (!isPassing || tries >= MAX_TRIES) {
          throw new WalbError('internal', `gave up after ${tries} tries`, { cause: error });
        }
        for (const node of this.#nodes) node.revive();
        await this.#env.clock.sleep(20);
      }
    }
  }
}
