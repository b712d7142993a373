/**
 * A restore may begin while an apply runs (E.3). Whatever the apply does to the base image while it is
 * copied, what is restored is the snapshot, or the restore fails.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type Env, LB_SIZE, type WalbError } from '../../src/core/index.ts';
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
} from './support.ts';

const volume = VOLUME;
const SIZE_LB = 32;
const UUID = new Uint8Array(16).fill(1);
/** Each snapshot changes one block, so that every mixture shows. */
const LAST = 6n;

/** Holds the copy of a base image, and the n-th sync after `arm`. */
class Holds {
  readonly syncReached = Promise.withResolvers<void>();
  readonly syncOpen = Promise.withResolvers<void>();
  readonly copyReached = Promise.withResolvers<void>();
  readonly copyOpen = Promise.withResolvers<void>();
  #syncs = Number.POSITIVE_INFINITY;

  arm(sync: number): void {
    this.#syncs = sync;
  }

  adapt(env: Env): Env {
    const { files } = env;
    const pass = async (): Promise<void> => {
      this.#syncs -= 1;
      if (this.#syncs !== 0) return;
      this.syncReached.resolve();
      await this.syncOpen.promise;
    };
    return {
      ...env,
      files: changed(files, {
        open: (path, mode) => {
          const opened = files.open(path, mode);
          const sync = async (): Promise<void> => {
            await pass();
            await opened.sync();
          };
          return changed(opened, { sync });
        },
        clone: async (from, to, signal) => {
          this.copyReached.resolve();
          await this.copyOpen.promise;
          return await files.clone(from, to, signal);
        },
      }),
    };
  }
}

function contentAt(gid: bigint): Buffer {
  const content = Buffer.alloc(SIZE_LB * LB_SIZE);
  for (let at = 0; at < gid; at += 1) content.fill(at + 1, at * LB_SIZE, (at + 1) * LB_SIZE);
  return content;
}

interface Outcome {
  readonly apply: string;
  readonly restore: string;
}

/** Apply up to gid 5 is held at its n-th sync; a restore begins; the apply ends; the copy is made. */
async function race(gid: bigint, sync: number, maxOpenDiffs: number): Promise<Outcome> {
  const holds = new Holds();
  await using host = await testArchive({ config: { maxOpenDiffs } }, (env) => holds.adapt(env));
  const { channel } = host;
  await channel.unary(ControlRpc.initVolume, { volume, devicePath: '' });
  await fullBackup(channel, { image: new Uint8Array(SIZE_LB * LB_SIZE), uuid: UUID });
  for (let from = 0n; from < LAST; from += 1n) {
    const data = new Uint8Array(LB_SIZE).fill(Number(from) + 1);
    const diff = cleanDiff(from, from + 1n, { isMergeable: from > 0n });
    const ios = [dataIo(Number(from), data)];
    await sendDiff(channel, { uuid: UUID, diff, ios, sizeLb: SIZE_LB });
  }
  const outcome = (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => 'done',
      ({ code }: WalbError) => code,
    );
  holds.arm(sync);
  const accepted = await channel.unary(ArchiveRpc.apply, { volume, gid: 5n });
  const apply = outcome(finished(channel, accepted));
  // An apply of fewer syncs is over by then.
  await Promise.race([holds.syncReached.promise, apply]);
  const restoring = channel.unary(ArchiveRpc.restore, { volume, gid });
  const restore = outcome(restoring.then((task) => finished(channel, task)));
  await Promise.race([holds.copyReached.promise, restore]);
  holds.syncOpen.resolve();
  const applied = await apply;
  holds.copyOpen.resolve();
  const restored = await restore;
  const { images } = await channel.unary(ArchiveRpc.getRestored, { volume });
  expect(images.map((image) => image.gid)).toEqual(restored === 'done' ? [gid] : []);
  for (const { path } of images) expect(readFileSync(path).equals(contentAt(gid))).toBe(true);
  return { apply: applied, restore: restored };
}

const SYNCS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

it.each([
  [2n, 0],
  [2n, 1],
  [4n, 2],
])('of snapshot %i, inside what is applied (-maxopen %i)', async (gid, maxOpen) => {
  for (const sync of SYNCS) {
    const { apply, restore } = await race(gid, sync, maxOpen);
    // One of them may have come too late, but nobody waits in vain.
    expect([apply, restore], `sync ${sync}`).toContain('done');
    expect(['done', 'busy'], `sync ${sync}`).toContain(apply);
    expect(['done', 'busy', 'not-found'], `sync ${sync}`).toContain(restore);
  }
});

it.each([
  [5n, 0],
  [6n, 0],
  [6n, 1],
  [6n, 2],
])('of snapshot %i, which outlives the apply (-maxopen %i)', async (gid, maxOpen) => {
  for (const sync of SYNCS) {
    const outcome = await race(gid, sync, maxOpen);
    expect(outcome, `sync ${sync}`).toEqual({ apply: 'done', restore: 'done' });
  }
});
