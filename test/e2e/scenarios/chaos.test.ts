/**
 * Servers die, hang and lose their network at random while a volume is written to and snapshots are
 * taken. In the end every snapshot must be at both archives and be what the volume held then.
 *
 *     WALB_SCENARIOS=all vitest run test/e2e/scenarios/chaos.test.ts     thirty rounds
 *     WALB_SCENARIO_SEED=7 ...                                           the same choices again
 */
import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/wlog/seeded-random.ts';
import { Cluster, type ServerName, SOON, VOLUME } from './support/cluster.ts';
import { RandomWriter } from './support/random-writer.ts';

const ROUNDS = process.env['WALB_SCENARIOS'] === 'all' ? 30 : 4;
const SEED = Number(process.env['WALB_SCENARIO_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const LINKED: readonly ServerName[] = ['p0', 'p1', 'a0', 'a1'];
const TROUBLES = ['kill', 'shutdown', 'cut', 'freeze', 'kill two'] as const;

/** Makes trouble; returns what ends it. */
async function trouble(cluster: Cluster, random: SeededRandom): Promise<() => Promise<void>> {
  const kind = TROUBLES[random.below(TROUBLES.length)] as (typeof TROUBLES)[number];
  const link = cluster.link(LINKED[random.below(LINKED.length)] as ServerName);
  const servers: ServerName[] = ['s0', ...LINKED];
  const [first] = servers.splice(random.below(servers.length), 1) as [ServerName];
  const second = servers[random.below(servers.length)] as ServerName;
  switch (kind) {
    case 'kill':
      await cluster.kill(first);
      return () => cluster.start(first);
    case 'kill two':
      await Promise.all([cluster.kill(first), cluster.kill(second)]);
      return async () => {
        await cluster.start(second);
        await cluster.start(first);
      };
    case 'shutdown':
      await cluster.shutdown(first, 'graceful');
      return () => cluster.start(first);
    case 'cut':
      link.cut();
      return async () => link.mend();
    case 'freeze':
      link.freeze();
      return async () => link.mend();
  }
}

test(`${ROUNDS} rounds of random trouble lose no snapshot, seed ${SEED}`, {
  timeout: 900_000,
}, async () => {
  const random = new SeededRandom(SEED);
  await using cluster = await Cluster.start({
    seed: SEED,
    proxies: 2,
    archives: 2,
    linked: LINKED,
  });
  const { walbc, s0 } = cluster;
  const [a0, a1] = [cluster.original('a0'), cluster.original('a1')];
  await cluster.backUp();
  await walbc.replicate(cluster.a0, VOLUME, cluster.a1, true, SOON);
  const taken = new Map<bigint, string>();
  const takeSnapshot = async (): Promise<void> => {
    taken.set(await walbc.snapshot_nbk(s0, VOLUME), await cluster.disk().hash());
  };
  for (let round = 0; round < ROUNDS; round++) {
    const end = await trouble(cluster, random);
    await writeSome(cluster, random);
    if (cluster.runs('s0')) await takeSnapshot();
    await end();
    await writeSome(cluster, random);
    await takeSnapshot();
  }
  await walbc.kick_all([s0, cluster.p0, cluster.p1]);
  const last = [...taken.keys()].at(-1) as bigint;
  for (const ax of [a0, a1]) {
    await walbc.wait_for_restorable(ax, VOLUME, last, SOON);
    expect(await walbc.get_restorable_gid(ax, VOLUME)).toEqual(
      expect.arrayContaining([...taken.keys()]),
    );
    for (const [gid, hash] of taken)
      expect(await cluster.restoredHash(ax, gid), `gid ${gid}`).toBe(hash);
  }
});

async function writeSome(cluster: Cluster, random: SeededRandom): Promise<void> {
  const writer = new RandomWriter(cluster.disk());
  await writer.more(1 + random.below(20));
  await writer.stop();
}
