/** What a storage keeps of a volume on disk, through crashes at every step (B.1). */
import { describe, expect, it } from 'vitest';
import type { Env } from '../../src/core/index.ts';
import type { LsidGid, Records } from '../../src/storage-server/records.ts';
import { VolumeFiles } from '../../src/storage-server/volume-files.ts';
import { SimWorld } from '../sim/world.ts';

const DIRECTORY = '/base/vol';
const UUID = new Uint8Array(16).fill(5);
const record = (lsid: bigint, gid: bigint): LsidGid => ({
  lsid,
  gid,
  isMergeable: true,
  timestamp: 7,
});
const FIRST: Records = { done: record(0n, 0n), queue: [record(5n, 1n), record(9n, 2n)] };
const SECOND: Records = { done: record(5n, 1n), queue: [record(9n, 2n)] };

function newWorld(seed: string): SimWorld {
  const world = new SimWorld({ seed });
  world.host('s0').disk.makeDirectory('/base');
  world.host('s0').disk.settle();
  return world;
}

async function inProcess(
  world: SimWorld,
  work: (files: VolumeFiles, env: Env) => Promise<void>,
  crash?: { readonly at: number; readonly how: 'kill' | 'power cut' },
): Promise<void> {
  const host = world.host('s0');
  const process = world.spawn('s0', host, (env) => work(new VolumeFiles(env, DIRECTORY), env), {
    mayFail: true,
  });
  if (crash !== undefined) {
    const { at, how } = crash;
    process.crashAt(at, () => (how === 'kill' ? world.kill(process) : world.powerCut(host)));
  }
  const exit = await process.exit;
  if (exit.kind === 'failed') throw exit.error;
}

const create = (files: VolumeFiles) =>
  files.create({ devicePath: '/dev/walb/v', state: 'Target', records: FIRST, uuid: UUID });

describe('files of a volume', () => {
  it('are read back as written', async () => {
    const world = newWorld('round trip');
    await world.run(async () => {
      await inProcess(world, async (files) => {
        await create(files);
        await files.setPartSent({ begin: FIRST.done, end: 3n });
      });
      await inProcess(world, async (files) => {
        expect(await files.load()).toEqual({
          devicePath: '/dev/walb/v',
          state: 'Target',
          records: FIRST,
          uuid: UUID,
          partSent: { begin: { lsid: 0n, gid: 0n }, end: 3n },
        });
      });
    });
  });

  it('a crash during create or destroy leaves a volume that is whole, or one without a state', async () => {
    for (let at = 1; at < 80; at++) {
      const world = newWorld(`create-${at}`);
      await world.run(async () => {
        await inProcess(
          world,
          async (files) => {
            await create(files);
            await files.destroy();
          },
          { at, how: 'power cut' },
        );
        await inProcess(world, async (files) => {
          if (!files.exists() || !files.isComplete()) return;
          expect((await files.load()).records).toEqual(FIRST);
        });
      });
    }
  });

  it('what is read at start survives a power cut, whatever the run before was killed at', async () => {
    // Two files, each written in seven calls; what a power cut takes depends on the seed.
    for (let run = 0; run < 200; run++) {
      const at = 1 + (run % 20);
      const world = newWorld(`kill-${run}`);
      await world.run(async () => {
        const host = world.host('s0');
        await inProcess(world, create);
        await inProcess(
          world,
          async (files) => {
            await files.setDelivered(SECOND);
          },
          { at, how: 'kill' },
        );
        let found: Records | undefined;
        await inProcess(world, async (files) => {
          found = (await files.load()).records;
        });
        world.powerCut(host);
        await inProcess(world, async (files) => {
          expect((await files.load()).records).toEqual(found);
        });
      });
    }
  });

  it.each([
    ['state', 'FullSync\n'],
    ['done', '{"lsid":"x"}\n'],
    ['queue', '{}\n'],
    [
      'queue',
      JSON.stringify([
        { lsid: '9', gid: '2', isMergeable: true, timestamp: 1 },
        { lsid: '8', gid: '3', isMergeable: true, timestamp: 1 },
      ]),
    ],
    ['uuid', 'abc\n'],
    ['part', '{"lsid":1}\n'],
    ['path', undefined],
  ])('a bad %s (%s) is refused by name', async (name, text) => {
    const world = newWorld('bad');
    await world.run(async () => {
      await inProcess(world, async (files, env) => {
        await create(files);
        const path = `${DIRECTORY}/${name}`;
        env.files.remove(path);
        if (text !== undefined) env.files.open(path, 'create').write(Buffer.from(text), 0);
        await expect(files.load()).rejects.toMatchObject({
          code: 'corrupt',
          details: { file: path },
        });
      });
    });
  });
});
