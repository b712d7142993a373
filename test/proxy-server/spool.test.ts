/** The spool on a disk that loses power at every step (C.1-C.3). */
import { describe, expect, it } from 'vitest';
import { KIB } from '../../src/core/index.ts';
import { Spool } from '../../src/proxy-server/spool.ts';
import { diffOf, snapshot } from '../../src/wdiff/index.ts';
import { SimWorld } from '../sim/world.ts';

const DIRECTORY = '/base/vol';
const INFO = {
  address: 'a0:1',
  compression: { kind: 'snappy', level: 0, nrCpu: 1 },
  delay: 0,
} as const;
const ARCHIVES = ['a0', 'a1'];

const diff = (b: bigint, e: bigint, timestamp = 1000) =>
  diffOf(snapshot(b), snapshot(e), { isMergeable: true, timestamp });

function newWorld(seed: string): SimWorld {
  const world = new SimWorld({ seed });
  world.host('p0').disk.makeDirectory('/base');
  world.host('p0').disk.settle();
  return world;
}

/** Runs `work` in a process of its own on the proxy's host. */
async function inProcess(
  world: SimWorld,
  work: (spool: Spool, note: (fact: string) => void) => Promise<void>,
  facts: string[] = [],
  crash?: { readonly at: number; readonly how: () => void },
): Promise<string[]> {
  const process = world.spawn(
    'p0',
    world.host('p0'),
    (env) => work(new Spool(env, DIRECTORY), (fact) => facts.push(fact)),
    { mayFail: true },
  );
  if (crash !== undefined) process.crashAt(crash.at, crash.how);
  const exit = await process.exit;
  if (exit.kind === 'failed') throw exit.error;
  return facts;
}

async function create(spool: Spool): Promise<void> {
  await spool.create();
  for (const archive of ARCHIVES) await spool.setArchive(archive, INFO);
}

async function publish(spool: Spool, b: bigint, e: bigint, byte = Number(e)): Promise<void> {
  const handle = spool.createTemporary();
  handle.write(new Uint8Array(KIB).fill(byte), 0);
  await spool.publish(handle, diff(b, e));
}

const contentOf = (spool: Spool, archive: string): string[] =>
  spool.queue(archive).map((spooled) => {
    const handle = spool.open(archive, spooled);
    const bytes = new Uint8Array(handle.size());
    handle.read(bytes, 0);
    handle.close();
    return `${spooled.diff.B.b}-${spooled.diff.E.b}:${bytes.length}:${new Set(bytes).size === 1 ? bytes[0] : 'torn'}`;
  });

describe.each(['kill', 'power cut'] as const)('a %s at any call', (kind) => {
  it.each([1, 2, 3])(
    'loses no diff that was acknowledged, and no archive its copy (seed %i)',
    async (seed) => {
      // Until a run gets through without meeting its crash.
      for (let at = 1; ; at++) {
        const world = newWorld(`${seed}-${at}`);
        let crashed = false;
        await world.run(async () => {
          const host = world.host('p0');
          await inProcess(world, (spool) => create(spool));
          host.disk.settle();
          const how = () => {
            crashed = true;
            if (kind === 'power cut') world.powerCut(host);
            else for (const process of [running]) process?.kill();
          };
          const facts: string[] = [];
          const running = world.spawn(
            'p0',
            host,
            async (env) => {
              const spool = new Spool(env, DIRECTORY);
              await spool.load();
              for (const [b, e] of [
                [0n, 1n],
                [1n, 2n],
                [1n, 2n],
                [2n, 5n],
              ] as const) {
                await publish(spool, b, e);
                facts.push(`${b}-${e}:1024:${e}`);
              }
              await spool.remove('a1', spool.queue('a1').slice(0, 1));
              facts.push('removed');
            },
            { mayFail: true },
          );
          running.crashAt(at, how);
          await running.exit;
          // What the process believed is all there is: the next one looks after another power cut.
          await inProcess(world, async (spool) => {
            await spool.load();
            spool.cleanTemporary();
            await spool.distribute();
          });
          world.powerCut(host);
          await inProcess(world, async (spool) => {
            await spool.load();
            // A power cut may bring back what was distributed: it is distributed again.
            await spool.distribute();
            expect(spool.received()).toEqual([]);
            const acknowledged = [...new Set(facts)].filter((fact) => fact !== 'removed');
            expect(contentOf(spool, 'a0')).toEqual(expect.arrayContaining(acknowledged));
            const wanted = facts.length < 4 ? acknowledged : acknowledged.slice(1);
            expect(contentOf(spool, 'a1')).toEqual(expect.arrayContaining(wanted));
            for (const text of contentOf(spool, 'a0')) expect(text).not.toContain('torn');
          });
        });
        if (!crashed) break;
        expect(at).toBeLessThan(500);
      }
    },
  );
});

describe('names that are taken', () => {
  it('a diff of another history takes the place of the old one, which a send under way does not remove', async () => {
    const world = newWorld('names');
    await world.run(async () => {
      await inProcess(world, async (spool) => {
        await create(spool);
        await publish(spool, 0n, 1n, 7);
        const sending = spool.queue('a0');
        await publish(spool, 0n, 1n, 8);
        expect(contentOf(spool, 'a0')).toEqual(['0-1:1024:8']);
        await spool.remove('a0', sending);
        expect(contentOf(spool, 'a0')).toEqual(['0-1:1024:8']);
        await spool.remove('a0', spool.queue('a0'));
        expect(contentOf(spool, 'a0')).toEqual([]);
        expect(contentOf(spool, 'a1')).toEqual(['0-1:1024:8']);
      });
    });
  });
});

describe('archives of a volume', () => {
  it('a new one gets only what comes later; a removed one forgets its queue', async () => {
    const world = newWorld('archives');
    await world.run(async () => {
      await inProcess(world, async (spool) => {
        await create(spool);
        await publish(spool, 0n, 1n);
        await spool.setArchive('a2', INFO);
        await publish(spool, 1n, 2n);
        expect(contentOf(spool, 'a2')).toEqual(['1-2:1024:2']);
        await spool.removeArchive('a1');
        await spool.setArchive('a1', INFO);
        expect(contentOf(spool, 'a1')).toEqual([]);
        expect(spool.usedBytes()).toBe(2 * KIB);
      });
      await inProcess(world, async (spool) => {
        await spool.load();
        expect(spool.archives()).toEqual(['a0', 'a1', 'a2']);
        expect(spool.archive('a2')).toEqual(INFO);
        expect(contentOf(spool, 'a1')).toEqual([]);
      });
    });
  });

  it('what a removal left behind is not found again when the archive comes back', async () => {
    const world = newWorld('left-behind');
    const host = world.host('p0');
    await world.run(async () => {
      await inProcess(world, async (spool) => {
        await create(spool);
        await publish(spool, 0n, 1n);
      });
      host.disk.unlink(`${DIRECTORY}/a1.archive`);
      await inProcess(world, async (spool) => {
        await spool.load();
        expect(spool.archives()).toEqual(['a0']);
        await spool.setArchive('a1', INFO);
        await publish(spool, 1n, 2n);
      });
      await inProcess(world, async (spool) => {
        await spool.load();
        expect(contentOf(spool, 'a1')).toEqual(['1-2:1024:2']);
      });
    });
  });

  it.each(['power cut', 'kill'] as const)(
    'a volume half made or half removed (%s) sends to nobody, and says so',
    async (kind) => {
      for (let at = 1; at < 60; at++) {
        const world = newWorld(`half-${at}`);
        await world.run(async () => {
          const host = world.host('p0');
          const process = world.spawn(
            'p0',
            host,
            async (env) => {
              const spool = new Spool(env, DIRECTORY);
              await create(spool);
              await spool.destroy();
            },
            { mayFail: true },
          );
          process.crashAt(at, () => (kind === 'kill' ? world.kill(process) : world.powerCut(host)));
          await process.exit;
          await inProcess(world, async (spool) => {
            if (host.disk.find(DIRECTORY) === undefined) return;
            if (!spool.isComplete()) return spool.destroy();
            await spool.load();
            expect(spool.archives().length).toBeGreaterThan(0);
          });
        });
      }
    },
  );

  it('diffs for no archive are refused rather than dropped', async () => {
    const world = newWorld('nobody');
    await world.run(async () => {
      await inProcess(world, async (spool) => {
        await spool.create();
        await expect(publish(spool, 0n, 1n)).rejects.toMatchObject({ code: 'internal' });
      });
    });
  });
});
