/** Scenario n4: servers stopped and started in any order under load. */
import { describe, expect, test } from 'vitest';
import { Cluster, type ServerName, SOON, VOLUME } from './support/cluster.ts';
import { RandomWriter } from './support/random-writer.ts';

const SERVERS: readonly ServerName[] = ['s0', 'p0', 'a0'];

/** Every non-empty subset, each in every order of stopping and every order of starting. */
const ALL = subsets(SERVERS).flatMap((subset) =>
  orders(subset).flatMap((stop) => orders(subset).map((start) => ({ stop, start }))),
);

/** WALB_SCENARIOS=all runs every case; otherwise five spread over them. */
const CASES =
  process.env['WALB_SCENARIOS'] === 'all'
    ? ALL
    : [0, 10, 20, 30, 44].map((i) => ALL[i] as (typeof ALL)[number]);

describe('n4: stop and start in any order lose nothing', () => {
  test('there are 51 cases', () => expect(ALL).toHaveLength(51));

  test(`${CASES.length} cases, one after another on one group`, { timeout: 600_000 }, async () => {
    await using cluster = await Cluster.start();
    const { walbc, s0, a0 } = cluster;
    await cluster.backUp();
    for (const { stop, start } of CASES) {
      const name = `stop ${stop.join(' ')}, start ${start.join(' ')}`;
      await using writer = new RandomWriter(cluster.disk());
      await writer.more(3);
      for (const server of stop) await walbc.stop(cluster.server(server), VOLUME);
      await writer.more(5);
      for (const server of start) await walbc.start(cluster.server(server), VOLUME);
      await writer.more(3);
      await writer.stop();
      const before = await cluster.disk().hash();
      const gid = await walbc.snapshot(s0, VOLUME, [a0], SOON);
      expect(await cluster.restoredHash(a0, gid), name).toBe(before);
    }
  });
});

function subsets<T>(list: readonly T[]): T[][] {
  return Array.from({ length: 2 ** list.length - 1 }, (_, bits) =>
    list.filter((_item, index) => ((bits + 1) >> index) & 1),
  );
}

function orders<T>(list: readonly T[]): T[][] {
  if (list.length === 0) return [[]];
  return list.flatMap((first) =>
    orders(list.filter((item) => item !== first)).map((rest) => [first, ...rest]),
  );
}
