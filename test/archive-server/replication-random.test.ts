/**
 * Random histories on three archives: diffs that reach only some of them, hash backups to any of them,
 * apply, merge and replication in any direction. Whatever a replication says it has brought, is there:
 * the destination's latest snapshot is what the device held at that gid of that history.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { latestPoint } from '../../src/archive-server/replication-data.ts';
import { hasCode } from '../../src/core/index.ts';
import { ArchiveRpc, ControlRpc } from '../../src/rpc/index.ts';
import {
  type Archive,
  Device,
  deliver,
  imageOf,
  init,
  latest,
  type Pair,
  replicate,
  startPair,
} from './replication-support.ts';
import { finished, restorable, VOLUME } from './support.ts';

const SIZE_LB = 64;

type Name = 'a0' | 'a1' | 'a2';
type Step =
  | { readonly do: 'snapshot'; readonly to: readonly Name[]; readonly isMergeable: boolean }
  | { readonly do: 'hash-backup'; readonly to: Name }
  | { readonly do: 'apply' | 'merge'; readonly at: Name; readonly which: number }
  | {
      readonly do: 'replicate';
      readonly from: Name;
      readonly to: Name;
      readonly dontMerge: boolean;
      readonly which: number;
    };

const name = fc.constantFrom<Name>('a0', 'a1', 'a2');
const snapshotStep = fc.record({
  do: fc.constant('snapshot' as const),
  to: fc.subarray<Name>(['a0', 'a1', 'a2'], { minLength: 1 }),
  isMergeable: fc.boolean(),
});
const replicateStep = fc.record({
  do: fc.constant('replicate' as const),
  from: name,
  to: name,
  dontMerge: fc.boolean(),
  which: fc.nat(5),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: snapshotStep, weight: 5 },
  { arbitrary: replicateStep, weight: 4 },
  { arbitrary: fc.record({ do: fc.constant('hash-backup' as const), to: name }), weight: 1 },
  {
    arbitrary: fc.record({
      do: fc.constantFrom('apply' as const, 'merge' as const),
      at: name,
      which: fc.nat(5),
    }),
    weight: 2,
  },
);

/** What the device held at the archive's latest snapshot; undefined while that is dirty. */
function expected(device: Device, archive: Archive): Uint8Array | undefined {
  const { latest: at, history } = latestPoint(archive.volume);
  return at.b === at.e ? device.contents.get(`${history}:${at.b}`) : undefined;
}

async function check(device: Device, archive: Archive, isAlone = false): Promise<void> {
  const content = expected(device, archive);
  if (content === undefined) {
    // Dirty, or of an archive that only has its base yet.
    expect(isAlone && latest(archive).b === latest(archive).e).toBe(false);
    return;
  }
  const image = await imageOf(archive, latest(archive).b);
  expect(Buffer.compare(image, content)).toBe(0);
}

class Run {
  readonly #pair: Pair;
  readonly #device: Device;
  readonly outcomes: Map<string, number>;

  constructor(pair: Pair, device: Device, outcomes: Map<string, number>) {
    this.#pair = pair;
    this.#device = device;
    this.outcomes = outcomes;
  }

  async take(next: Step): Promise<void> {
    if (next.do === 'snapshot') await this.#snapshot(next);
    else if (next.do === 'hash-backup') await this.#hashBackup(this.#pair[next.to]);
    else if (next.do === 'replicate') await this.#replicate(next);
    else await this.#tidy(next);
  }

  async #snapshot({ to, isMergeable }: Extract<Step, { do: 'snapshot' }>): Promise<void> {
    this.#device.write();
    const archives = to.map((one) => this.#pair[one]);
    await deliver(this.#device.snapshot(isMergeable), ...archives);
    for (const archive of archives) await check(this.#device, archive);
  }

  async #hashBackup(archive: Archive): Promise<void> {
    const before = latest(archive);
    if (before.b !== before.e) return;
    this.#device.write();
    const clean = await this.#device.hashBackup(archive.channel);
    await deliver(clean, archive);
    await check(this.#device, archive, true);
  }

  async #tidy({ do: what, at, which }: Extract<Step, { do: 'apply' | 'merge' }>): Promise<void> {
    const { channel } = this.#pair[at];
    const gids = await restorable(channel);
    const gid = gids[which % Math.max(1, gids.length)];
    if (gid === undefined) return;
    try {
      const accepted =
        what === 'apply'
          ? await channel.unary(ArchiveRpc.apply, { volume: VOLUME, gid })
          : await channel.unary(ArchiveRpc.merge, {
              volume: VOLUME,
              gidB: gid,
              until: { $case: 'maxSizeMb', value: 100 },
            });
      await finished(channel, accepted);
    } catch (error) {
      // Nothing to apply or to merge.
      if (!hasCode(error, 'not-found', 'conflict', 'invalid-argument')) throw error;
    }
    await check(this.#device, this.#pair[at]);
  }

  async #replicate(next: Extract<Step, { do: 'replicate' }>): Promise<void> {
    const { from, to, dontMerge, which } = next;
    if (from === to) return;
    const [source, target] = [this.#pair[from], this.#pair[to]];
    if (which === 0) await this.#empty(target);
    const before = latest(target);
    try {
      await replicate(source, target, { dontMerge, bulkBytes: 2048 });
      this.#count(which === 0 ? 'full' : 'rounds');
    } catch (error) {
      if (!hasCode(error, 'conflict')) throw error;
      if (target.volume.state === 'Archived' && which !== 0) {
        // A refusal has changed nothing but what earlier rounds brought.
        expect(latest(target).b >= before.b).toBe(true);
        await check(this.#device, target);
      }
      if (!String(error).includes('doResync')) throw error;
      await replicate(source, target, { doResync: true, bulkBytes: 2048 }).catch((again) => {
        // The source itself has nothing clean.
        if (!String(again).includes('clean snapshot')) throw again;
      });
      this.#count('resync');
    }
    await check(this.#device, target);
    if (expected(this.#device, target) !== undefined) this.#count('verified');
    if (latest(source).b === latest(target).b && latest(source).b === latest(source).e) {
      const gid = latest(source).b;
      expect(await imageOf(target, gid)).toEqual(await imageOf(source, gid));
      this.#count('equal');
    }
  }

  async #empty({ channel, volume }: Archive): Promise<void> {
    await finished(
      channel,
      await channel.unary(ControlRpc.stop, { volume: VOLUME, mode: 'graceful' }),
    );
    await channel.unary(ControlRpc.resetVolume, { volume: VOLUME, gid: 0n });
    expect(volume.state).toBe('SyncReady');
  }

  #count(what: string): void {
    this.outcomes.set(what, (this.outcomes.get(what) ?? 0) + 1);
  }
}

it('random histories replicated in random steps always end equal', async () => {
  const outcomes = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(step, { minLength: 5, maxLength: 30 }),
      async (seed, steps) => {
        await using pair = await startPair();
        const device = new Device(seed, SIZE_LB);
        for (const archive of [pair.a0, pair.a1, pair.a2]) await init(archive);
        await deliver(await device.fullBackup(pair.a0.channel), pair.a0);
        await replicate(pair.a0, pair.a1);
        await replicate(pair.a1, pair.a2);
        const run = new Run(pair, device, outcomes);
        for (const next of steps) await run.take(next);
      },
    ),
    {
      seed: Number(process.env['WALB_SEED'] ?? 20260103),
      numRuns: Number(process.env['WALB_RUNS'] ?? 25),
      endOnFailure: false,
    },
  );
  // The steps really lead to every kind.
  for (const kind of ['full', 'rounds', 'resync', 'equal', 'verified']) {
    expect(outcomes.get(kind) ?? 0, kind).toBeGreaterThan(0);
  }
}, 120_000);
