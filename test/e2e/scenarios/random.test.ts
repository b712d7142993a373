/**
 * scenario1: random operations on three volumes at once, all on the same three servers.
 *
 *     WALB_SCENARIOS=all vitest run test/e2e/scenarios/random.test.ts     ten operations per volume
 *     WALB_SCENARIO_SEED=7 ...                                            the same choices again
 */
import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/wlog/seeded-random.ts';
import { Cluster, SOON } from './support/cluster.ts';
import { RandomWriter } from './support/random-writer.ts';

const COUNT = process.env['WALB_SCENARIOS'] === 'all' ? 10 : 3;
const SEED = Number(process.env['WALB_SCENARIO_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const VOLUMES = ['vol0', 'vol1', 'vol2'];

type Operation = (volume: Volume) => Promise<void>;

class Volume {
  readonly cluster: Cluster;
  readonly name: string;
  readonly random: (below: number) => number;

  constructor(cluster: Cluster, name: string, random: (below: number) => number) {
    this.cluster = cluster;
    this.name = name;
    this.random = random;
  }

  get disk() {
    return this.cluster.disk(this.name);
  }

  async snapshot(): Promise<bigint> {
    const { walbc, s0, a0 } = this.cluster;
    return await walbc.snapshot(s0, this.name, [a0], SOON);
  }

  async restoredHash(gid: bigint): Promise<string> {
    return await this.cluster.restoredHash(this.cluster.a0, gid, this.name);
  }
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  full_backup: async (volume) => {
    const { walbc, s0, a0 } = volume.cluster;
    const isNew = (await walbc.get_state(s0, volume.name)) === 'Clear';
    if (isNew) await walbc.init_storage(s0, volume.name, volume.disk.path);
    else await walbc.stop(s0, volume.name);
    await walbc.clear(a0, volume.name);
    await volume.disk.write();
    const before = await volume.disk.hash();
    const gid = (await walbc.full_backup(s0, volume.name, SOON)) as bigint;
    expect(await volume.restoredHash(gid)).toBe(before);
  },
  continuous_backup: async (volume) => {
    await volume.disk.write();
    const before = await volume.disk.hash();
    expect(await volume.restoredHash(await volume.snapshot())).toBe(before);
  },
  hash_backup: async (volume) => {
    const { walbc, s0 } = volume.cluster;
    await walbc.go_standby(s0, volume.name);
    await volume.disk.write();
    const before = await volume.disk.hash();
    const gid = (await walbc.hash_backup(s0, volume.name, SOON)) as bigint;
    expect(await volume.restoredHash(gid)).toBe(before);
  },
  merge: async (volume) => {
    const { walbc, a0 } = volume.cluster;
    await using writer = new RandomWriter(volume.disk);
    const gids: bigint[] = [];
    for (let i = 0; i < 3; i++) {
      await writer.more(5);
      gids.push(await volume.snapshot());
    }
    const [gidB, gidM, gidE] = gids as [bigint, bigint, bigint];
    await walbc.disable_snapshot(a0, volume.name, [gidM]);
    expect(await walbc.get_num_diff(a0, volume.name, gidB, gidE)).toBeGreaterThanOrEqual(2);
    const before = await volume.restoredHash(gidE);
    await walbc.merge(a0, volume.name, gidB, gidE, SOON);
    expect(await volume.restoredHash(gidE)).toBe(before);
  },
  apply: async (volume) => {
    const { walbc, a0 } = volume.cluster;
    await using writer = new RandomWriter(volume.disk);
    await writer.more(5);
    const gid = await volume.snapshot();
    await writer.more(5);
    const before = await volume.restoredHash(gid);
    await walbc.apply(a0, volume.name, gid, SOON);
    expect(await volume.restoredHash(gid)).toBe(before);
  },
  stop_start: async (volume) => {
    const { walbc, s0, p0, a0 } = volume.cluster;
    const server = [s0, p0, a0][volume.random(3)] as typeof s0;
    await walbc.stop(server, volume.name);
    await volume.disk.write();
    await walbc.start(server, volume.name);
  },
};

test(`scenario1: ${COUNT} random operations on each of three volumes, seed ${SEED}`, {
  timeout: 600_000,
}, async () => {
  const servers = ['-bg', '3'];
  await using cluster = await Cluster.start({
    seed: SEED,
    moreDisks: VOLUMES,
    storage: servers,
    proxy: servers,
  });
  await Promise.all(
    VOLUMES.map(async (name, index) => {
      const random = new SeededRandom(SEED + index);
      await operate(new Volume(cluster, name, (bound) => random.below(bound)), COUNT);
    }),
  );
});

async function operate(volume: Volume, count: number): Promise<void> {
  const done: string[] = [];
  try {
    for (let i = 0; i <= count; i++) {
      const names = Object.keys(OPERATIONS);
      const choice = names[volume.random(names.length)] as string;
      const name = i === 0 ? 'full_backup' : choice;
      done.push(name);
      await (OPERATIONS[name] as Operation)(volume);
    }
  } catch (error) {
    throw new Error(`${volume.name} with seed ${SEED}, at the end of: ${done.join(', ')}`, {
      cause: error,
    });
  }
}
