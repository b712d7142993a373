// semantics.md A, B.4, C.4, D.5-D.9 against the block-array model: whatever order of transfer, loss,
// merge, apply, crash, garbage collection and replication, a restorable snapshot restores to exactly
// what the volume held at that gid.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCode } from '../../../src/core/index.ts';
import {
  type Diff,
  findGaps,
  planGc,
  restorableSnapshots,
} from '../../../src/wdiff/algebra/index.ts';
import { ArchiveModel, ProxyModel, StorageModel } from './volume-model.ts';

const SEED = 20_240_131;

class World {
  readonly storage = new StorageModel();
  readonly proxies = [new ProxyModel(), new ProxyModel()] as const;
  readonly primary: ArchiveModel;
  secondary: ArchiveModel | undefined;

  constructor(concurrently: number) {
    this.storage.write(0);
    this.primary = ArchiveModel.fullBackup(this.storage, concurrently);
  }

  get archives(): ArchiveModel[] {
    return this.secondary === undefined ? [this.primary] : [this.primary, this.secondary];
  }

  proxy(pick: number): ProxyModel {
    return this.proxies[pick % 2 === 0 ? 0 : 1];
  }

  archive(pick: number): ArchiveModel {
    return pick % 2 === 0 ? this.primary : (this.secondary ?? this.primary);
  }
}

/** How often an operation is drawn, and what it does with three drawn numbers. */
type Operation = readonly [number, (world: World, a: number, b: number, c: number) => void];

const OPERATIONS: Readonly<Record<string, Operation>> = {
  write: [4, (world, a) => world.storage.write(a)],
  snapshot: [
    4,
    (world, a, b) => {
      world.storage.snapshot(a % 3 === 0, b % 4);
    },
  ],
  send: [
    5,
    (world, a, b, c) => {
      const item = world.storage.send(c % 2 === 0, b % 4 === 0);
      if (item !== undefined) world.proxy(a).receive(item);
    },
  ],
  deliver: [4, (world, a, b) => world.proxy(a).deliver(world.primary, 1 + (b % 3))],
  merge: [
    1,
    (world, a, b, c) => {
      const archive = world.archive(a);
      const begin = archive.set.diffs[b % Math.max(1, archive.set.size)]?.B.b ?? 0n;
      if (archive.canMerge) ifFound(() => archive.merge(begin, c % 4, c % 5 === 0));
    },
  ],
  apply: [
    1,
    (world, a, b, c) => {
      const archive = world.archive(a);
      const end = archive.set.diffs[b % Math.max(1, archive.set.size)]?.E.b ?? 0n;
      archive.apply(end, c % 3, c % 4 === 0 ? b : undefined);
    },
  ],
  gc: [1, (world, a) => world.archive(a).gc()],
  flag: [
    1,
    (world, a, b, c) => {
      const { set, state } = world.archive(a);
      const all = restorableSnapshots(set, state, { all: true });
      const picked = all[b % Math.max(1, all.length)];
      if (picked !== undefined) world.archive(a).setExplicit(picked.gid, c % 2 === 0);
    },
  ],
  hashBackup: [
    1,
    (world, a, b) => {
      if (a % 3 === 0) world.primary.hashBackup(b);
    },
  ],
  fork: [
    1,
    (world) => {
      if (world.primary.canMerge) world.secondary = world.primary.fork();
    },
  ],
  replicate: [
    3,
    (world, _a, _b, c) => {
      if (world.secondary !== undefined) world.primary.replicateTo(world.secondary, c % 4);
    },
  ],
};

/** Nothing to merge is no failure of the test. */
function ifFound(fn: () => void): void {
  try {
    fn();
  } catch (error) {
    if (!hasCode(error, 'not-found')) throw error;
  }
}

const number = fc.nat(255);
const names = Object.entries(OPERATIONS).flatMap(([name, [weight]]) =>
  new Array<string>(weight).fill(name),
);
const steps = fc.array(fc.tuple(fc.constantFrom(...names), number, number, number), {
  minLength: 20,
  maxLength: 150,
  size: 'max',
});

function run(world: World, [name, a, b, c]: [string, number, number, number]): void {
  OPERATIONS[name]?.[1](world, a, b, c);
}

describe('diff algebra against the block-array model', () => {
  it('restores what the volume held, after any sequence of operations', () => {
    fc.assert(
      fc.property(number, steps, (concurrently, sequence) => {
        const world = new World(concurrently);
        for (const step of sequence) {
          run(world, step);
          for (const archive of world.archives) archive.check();
        }
      }),
      { seed: SEED, numRuns: 400, interruptAfterTimeLimit: 30_000 },
    );
  });

  it('reaches what it is meant to test', () => {
    const reached = { chain: 0, applying: 0, dirty: 0, merged: 0, compared: 0, implicit: 0 };
    for (const sequence of fc.sample(steps, { seed: SEED, numRuns: 300 })) {
      const world = new World(0b11010101);
      for (const step of sequence) run(world, step);
      for (const archive of world.archives) {
        const list = restorableSnapshots(archive.set, archive.state, { all: true });
        if (list.length > 3) reached.chain += 1;
        if (!archive.canMerge) reached.applying += 1;
        if (archive.latest.b !== archive.latest.e) reached.dirty += 1;
        if (archive.set.diffs.some((d) => d.isCompared)) reached.compared += 1;
        if (list.some((r) => !r.isExplicit)) reached.implicit += 1;
        if (archive.set.diffs.some((d) => d.E.b - d.B.b > 6n)) reached.merged += 1;
      }
    }
    for (const [what, count] of Object.entries(reached)) {
      expect(count, what).toBeGreaterThan(what === 'compared' ? 0 : 5);
    }
  });

  it('a lost diff shows as a gap, and garbage collection spares what is behind it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(), fc.nat(3)), { minLength: 3, maxLength: 12 }),
        fc.nat(),
        (writes, pick) => {
          const storage = new StorageModel();
          const archive = ArchiveModel.fullBackup(storage, 0);
          for (const [block, gap] of writes) {
            storage.write(block);
            storage.snapshot(true, gap);
            const item = storage.send(false, false);
            if (item) archive.receive(item);
          }
          const { diffs } = archive.set;
          const lost = diffs[pick % (diffs.length - 1)] as Diff;
          expect(findGaps(archive.set, archive.state.base)).toEqual([]);
          archive.remove([lost]);
          expect(findGaps(archive.set, archive.state.base)).toEqual([
            { from: lost.B.b, to: lost.E.b },
          ]);
          const { garbage, unreachable } = planGc(archive.set, archive.state.base);
          expect(garbage).toEqual([]);
          expect(unreachable).toEqual(diffs.filter((d) => d.B.b >= lost.E.b));
        },
      ),
      { seed: SEED, numRuns: 100 },
    );
  });
});
