/**
 * A restored image is listed when its restore has ended, not before: what is listed can be deleted
 * (D.6, E.3: del-restored is refused while a restore runs).
 */
import { expect, it } from 'vitest';
import { type Env, LB_SIZE } from '../../src/core/index.ts';
import { ArchiveRpc, ControlRpc } from '../../src/rpc/index.ts';
import { changed } from '../sim/group-flaws.ts';
import {
  cleanDiff,
  dataIo,
  finished,
  fullBackup,
  sendDiff,
  testArchive,
  VOLUME,
  viewWhere,
} from './support.ts';

const volume = VOLUME;
const SIZE_LB = 32;
const UUID = new Uint8Array(16).fill(1);

/** Holds what follows once a restored image has got its name. */
class AfterName {
  readonly reached = Promise.withResolvers<void>();
  readonly open = Promise.withResolvers<void>();
  #isNamed = false;

  adapt(env: Env): Env {
    const { files } = env;
    return {
      ...env,
      files: changed(files, {
        rename: (from, to) => {
          files.rename(from, to);
          this.#isNamed ||= /restored-\d+\.img$/.test(to);
        },
        syncDirectory: async (path) => {
          if (this.#isNamed) {
            this.reached.resolve();
            await this.open.promise;
          }
          await files.syncDirectory(path);
        },
      }),
    };
  }
}

/** An archive with snapshots 0 and 1. */
async function archiveOf(hold: AfterName): ReturnType<typeof testArchive> {
  const host = await testArchive({}, (env) => hold.adapt(env));
  await host.channel.unary(ControlRpc.initVolume, { volume, devicePath: '' });
  await fullBackup(host.channel, { image: new Uint8Array(SIZE_LB * LB_SIZE), uuid: UUID });
  const ios = [dataIo(0, new Uint8Array(LB_SIZE).fill(5))];
  await sendDiff(host.channel, { uuid: UUID, diff: cleanDiff(0n, 1n), ios, sizeLb: SIZE_LB });
  return host;
}

it('a restored image is not listed before it can be deleted', async () => {
  const hold = new AfterName();
  await using host = await archiveOf(hold);
  using _atEnd = { [Symbol.dispose]: () => hold.open.resolve() };
  const { channel } = host;
  const listed = async () => (await channel.unary(ArchiveRpc.getRestored, { volume })).images;

  const restore = await channel.unary(ArchiveRpc.restore, { volume, gid: 1n });
  await hold.reached.promise;
  expect(await listed()).toEqual([]);
  await expect(channel.unary(ArchiveRpc.delRestored, { volume, gid: 1n })).rejects.toMatchObject({
    code: 'busy',
  });

  hold.open.resolve();
  await finished(channel, restore);
  expect(await listed()).toMatchObject([{ gid: 1n }]);
  await channel.unary(ArchiveRpc.delRestored, { volume, gid: 1n });
  expect(await listed()).toEqual([]);
});

it('while a stop waits no list is given that it makes untrue; everything else is answered', async () => {
  const hold = new AfterName();
  await using host = await archiveOf(hold);
  using _atEnd = { [Symbol.dispose]: () => hold.open.resolve() };
  const { channel } = host;
  const lists = {
    restorable: () => channel.unary(ArchiveRpc.getRestorable, { volume, all: true }),
    restored: () => channel.unary(ArchiveRpc.getRestored, { volume }),
    cold: () => channel.unary(ArchiveRpc.getCold, { volume }),
  };
  const restore = await channel.unary(ArchiveRpc.restore, { volume, gid: 1n });
  await hold.reached.promise;
  await channel.unary(ControlRpc.stop, { volume, mode: 'graceful' });
  for (const [name, list] of Object.entries(lists)) {
    await expect(list(), name).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining(
        `under stopping (Stopping); get ${name} can start when that`,
      ),
    });
  }
  expect(await channel.unary(ArchiveRpc.getBase, { volume })).toMatchObject({
    snapB: { gidB: 0n },
  });
  hold.open.resolve();
  await finished(channel, restore);
  await viewWhere(channel, ({ state }) => state === 'Stopped');
  expect(await lists.restored()).toMatchObject({ images: [{ gid: 1n }] });
  expect(await lists.cold()).toMatchObject({ gids: [] });
  expect(await lists.restorable()).toMatchObject({ items: [] });
});
