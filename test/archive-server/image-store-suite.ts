/**
 * Conformance suite of `ImageStore` (src/archive-server/image-store.ts): files, the model of LVM, and,
 * in the guest of test/rig, LVM itself.
 *
 * Source: semantics.md D.1, D.3.1, D.6, D.7, D.10, A.8.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ColdImages, ImageStore } from '../../src/archive-server/image-store.ts';
import { type ErrorCode, type FileHandle, hasCode } from '../../src/core/index.ts';
import { RealFiles } from '../../src/core/real-files.ts';
import { type DiffIo, redo } from '../../src/wdiff/index.ts';

export interface ImageStoreUnderTest {
  readonly store: ImageStore;
  /** The store of another volume in the same place. */
  readonly neighbour: ImageStore;
  /** A new store over the same images, as after a restart; nothing of the old one is used any more. */
  restart(): Promise<ImageStore>;
  /**
   * Makes the image look used by somebody else, until the function returned is called. Undefined where
   * use does not keep an image from being removed (a file stays with who has it open).
   */
  readonly use: ((path: string) => Promise<() => Promise<void>>) | undefined;
  dispose(): Promise<void>;
}

export interface StoreTraits {
  readonly kind: string;
  /** Sizes are multiples of it. */
  readonly sizeStep: number;
  readonly newBaseIsZero: boolean;
  readonly keepsCold: boolean;
  /** Whether a base with restored images can grow. */
  readonly growsWithRestored: boolean;
  /** Whether zeros that are punched give their space back. */
  readonly givesBack: boolean;
}

const BLOCK = 4096;
const NEVER = new AbortController().signal;

export function imageStoreSuite(
  name: string,
  traits: StoreTraits,
  make: () => Promise<ImageStoreUnderTest>,
): void {
  describe(`ImageStore: ${name}`, () => {
    const size = 2 * Math.max(traits.sizeStep, 256 * 1024);
    let subject: ImageStoreUnderTest;
    let store: ImageStore;

    beforeEach(async () => {
      subject = await make();
      store = subject.store;
    });

    afterEach(() => subject.dispose());

    /** A base image with `mark` in its first and last block and zeros between. */
    async function makeBase(mark = 1, bytes = size): Promise<void> {
      await store.createBase(bytes);
      using base = opened(store.openBase('update'));
      if (!traits.newBaseIsZero) base.handle.punch(0, bytes);
      base.handle.write(block(mark), 0);
      base.handle.write(block(mark), bytes - BLOCK);
      await base.handle.sync();
    }

    /** Restores `gid` as a copy whose second block is marked, and keeps it cold where asked. */
    async function restore(
      gid: bigint,
      mark: number,
      options: RestoreOptions = {},
    ): Promise<string> {
      const handle = await store.beginRestore(gid, NEVER, options.source);
      handle.write(block(mark), BLOCK);
      if (options.keepCold === true) await cold().keep(gid, handle);
      return (await store.commitRestore(gid, handle)).path;
    }

    function cold(): ColdImages {
      if (store.coldImages === undefined) throw new Error('the store keeps no cold snapshots');
      return store.coldImages;
    }

    function baseMark(position: number): number {
      using base = opened(store.openBase('read'));
      return markAt(base.handle, position);
    }

    describe('base image', () => {
      it('tells its traits', () => {
        expect(store.kind).toBe(traits.kind);
        expect(store.newBaseIsZero).toBe(traits.newBaseIsZero);
        expect(store.coldImages !== undefined).toBe(traits.keepsCold);
      });

      it('is not there at first', async () => {
        expect(store.baseSize()).toBeUndefined();
        expect(store.baseAllocated()).toBe(0);
        expect(store.restored()).toEqual([]);
        expect(store.cold()).toEqual([]);
        expect(() => store.openBase('read')).toThrow(/full backup/);
        refuses('not-found', () => store.openBase('update'));
        await rejects('not-found', store.growBase(size));
        await rejects('not-found', store.beginRestore(1n, NEVER));
      });

      it('has exactly the size asked for, and keeps what is written (D.3.1)', async () => {
        await makeBase(7);
        expect(store.baseSize()).toBe(size);
        using base = opened(store.openBase('read'));
        expect(base.handle.size()).toBe(size);
        expect(markAt(base.handle, 0)).toBe(7);
        expect(markAt(base.handle, size - BLOCK)).toBe(7);
        expect(markAt(base.handle, BLOCK)).toBe(0);
        expect(store.baseAllocated()).toBeGreaterThanOrEqual(0);
        expect(store.baseAllocated()).toBeLessThanOrEqual(size);
      });

      it('does not write through a handle opened for reading', async () => {
        await makeBase();
        using base = opened(store.openBase('read'));
        expect(() => base.handle.write(block(2), 0)).toThrow();
      });

      it('is still there after a restart', async () => {
        await makeBase(3);
        store = await subject.restart();
        expect(store.baseSize()).toBe(size);
        expect(baseMark(0)).toBe(3);
      });

      it('takes sizes that are not multiples of its step, or says why not', async () => {
        const odd = size + 512;
        store.requireCreatable(size);
        if (odd % traits.sizeStep === 0) {
          store.requireCreatable(odd);
          await store.createBase(odd);
          expect(store.baseSize()).toBe(odd);
          using base = opened(store.openBase('read'));
          expect(base.handle.size()).toBe(odd);
          return;
        }
        refuses('invalid-argument', () => store.requireCreatable(odd));
        await rejects('invalid-argument', store.createBase(odd));
        await expect(store.createBase(odd)).rejects.toThrow(`extent size ${traits.sizeStep}`);
        expect(store.baseSize()).toBeUndefined();
        await store.createBase(size);
        await rejects('invalid-argument', store.growBase(odd));
        expect(store.baseSize()).toBe(size);
      });

      const again = traits.newBaseIsZero ? 'is empty again' : 'keeps what it held';
      it(`${again} when it is used again (D.3.1)`, async () => {
        await makeBase(9);
        await store.createBase(size);
        const kept = traits.newBaseIsZero ? 0 : 9;
        expect([0, BLOCK, size - BLOCK].map(baseMark)).toEqual([kept, 0, kept]);
      });

      it('grows when it is used again for a larger volume', async () => {
        await makeBase(9);
        await store.createBase(2 * size);
        expect(store.baseSize()).toBe(2 * size);
        using base = opened(store.openBase('update'));
        expect(base.handle.size()).toBe(2 * size);
        base.handle.write(block(4), 2 * size - BLOCK);
        await base.handle.sync();
        expect(markAt(base.handle, 2 * size - BLOCK)).toBe(4);
      });

      it('is left alone when it is larger than the volume (D.3.1)', async () => {
        await makeBase(5, 2 * size);
        await rejects('conflict', store.createBase(size));
        expect(store.baseSize()).toBe(2 * size);
        expect(baseMark(0)).toBe(5);
      });

      it('grows with zeros and keeps what it holds (D.10)', async () => {
        await makeBase(6);
        await store.growBase(2 * size);
        expect(store.baseSize()).toBe(2 * size);
        expect(baseMark(0)).toBe(6);
        expect(baseMark(size - BLOCK)).toBe(6);
        using base = opened(store.openBase('read'));
        expect(base.handle.size()).toBe(2 * size);
        expect(isZero(base.handle, size, size)).toBe(true);
      });

      it('never shrinks, and growing to the same size changes nothing (D.10)', async () => {
        await makeBase(6, 2 * size);
        await store.growBase(2 * size);
        await store.growBase(size);
        expect(store.baseSize()).toBe(2 * size);
        expect(baseMark(2 * size - BLOCK)).toBe(6);
      });

      const grows = traits.growsWithRestored ? 'grows while' : 'grows only when no longer';
      it(`${grows} it has restored images (D.10)`, async () => {
        await makeBase(6);
        const path = await restore(1n, 2);
        if (!traits.growsWithRestored) {
          await rejects('busy', store.growBase(2 * size));
          await expect(store.growBase(2 * size)).rejects.toThrow(/del-restored/);
          expect(store.baseSize()).toBe(size);
          await store.deleteRestored(1n);
        }
        await store.growBase(2 * size);
        expect(store.baseSize()).toBe(2 * size);
        using base = opened(store.openBase('read'));
        expect(isZero(base.handle, size, size)).toBe(true);
        if (!traits.growsWithRestored) return;
        using restored = opened(new RealFiles().open(path, 'read'));
        expect(restored.handle.size()).toBe(size);
      });
    });

    describe('zeros and discards (D.6, D.7)', () => {
      /** Not at the edges of anything, but with whole blocks of any pool inside. */
      const hole = { start: BLOCK + 512, end: size - 3 * BLOCK - 512 };

      async function fullBase(mark: number): Promise<void> {
        await makeBase(mark);
        using base = opened(store.openBase('update'));
        base.handle.write(new Uint8Array(size).fill(mark), 0);
        await base.handle.sync();
      }

      function contentOf(handle: FileHandle): Buffer {
        const bytes = Buffer.alloc(size);
        expect(handle.read(bytes, 0)).toBe(size);
        return bytes;
      }

      it('punch the range asked for, and nothing else', async () => {
        await fullBase(7);
        const handle = await store.beginRestore(8n, NEVER);
        handle.punch(hole.start, hole.end - hole.start);
        handle.punch(512, 1024);
        handle.punch(size - 512, size);
        const expected = Buffer.alloc(size, 7).fill(0, hole.start, hole.end);
        expected.fill(0, 512, 1536).fill(0, size - 512);
        expect(contentOf(handle).equals(expected)).toBe(true);
        const { path } = await store.commitRestore(8n, handle);
        using restored = opened(new RealFiles().open(path, 'read'));
        expect(contentOf(restored.handle).equals(expected)).toBe(true);
        using base = opened(store.openBase('read'));
        expect(contentOf(base.handle).equals(Buffer.alloc(size, 7))).toBe(true);
      });

      it('leave a restored image what it has when the base is punched', async () => {
        await fullBase(7);
        const { path } = await store.commitRestore(8n, await store.beginRestore(8n, NEVER));
        using base = opened(store.openBase('update'));
        base.handle.punch(0, size);
        base.handle.write(block(9), BLOCK);
        await base.handle.sync();
        using restored = opened(new RealFiles().open(path, 'read'));
        expect(contentOf(restored.handle).equals(Buffer.alloc(size, 7))).toBe(true);
        const expected = Buffer.alloc(size).fill(9, BLOCK, 2 * BLOCK);
        expect(contentOf(base.handle).equals(expected)).toBe(true);
      });

      for (const discard of ['ignore', 'zero', 'passdown'] as const) {
        it(`apply a diff with -discard ${discard}`, async () => {
          await fullBase(7);
          const pieces: DiffIo[] = [
            { kind: 'discard', address: 1, blocks: 1 },
            { kind: 'zero', address: 4, blocks: 3 },
            { kind: 'discard', address: hole.start / 512, blocks: (hole.end - hole.start) / 512 },
          ];
          using base = opened(store.openBase('update'));
          await redo([pieces], base.handle, { discard });
          await base.handle.sync();
          const expected = Buffer.alloc(size, 7).fill(0, 4 * 512, 7 * 512);
          if (discard !== 'ignore') {
            expected.fill(0, 512, 1024).fill(0, hole.start, hole.end);
          }
          expect(contentOf(base.handle).equals(expected)).toBe(true);
        });
      }

      if (!traits.givesBack) return;
      it('take no space (-discard passdown)', async () => {
        await fullBase(7);
        const before = await subject.restart();
        expect(before.baseAllocated()).toBe(size);
        using base = opened(before.openBase('update'));
        const discard: DiffIo = { kind: 'discard', address: 0, blocks: size / 512 };
        await redo([[discard]], base.handle, { discard: 'passdown' });
        await base.handle.sync();
        store = await subject.restart();
        expect(store.baseAllocated()).toBe(0);
        expect(baseMark(0)).toBe(0);
      });
    });

    describe('restored images (D.6)', () => {
      it('are copies of the base, listed when committed', async () => {
        await makeBase(1);
        const handle = await store.beginRestore(8n, NEVER);
        expect(handle.size()).toBe(size);
        expect(markAt(handle, 0)).toBe(1);
        expect(markAt(handle, size - BLOCK)).toBe(1);
        handle.write(block(2), BLOCK);
        expect(store.restored()).toEqual([]);
        const stored = await store.commitRestore(8n, handle);
        expect(store.restored()).toEqual([stored]);
        expect(stored.gid).toBe(8n);
        expect(() => handle.size()).toThrow();
        expect(markIn(stored.path, BLOCK)).toBe(2);
      });

      it('have names an operator can guess', async () => {
        await makeBase(1);
        const path = await restore(8n, 2);
        expect(path.endsWith(traits.kind === 'file' ? 'restored-8.img' : '_8')).toBe(true);
      });

      it('share nothing with the base that a write could change', async () => {
        await makeBase(1);
        const path = await restore(8n, 2);
        using base = opened(store.openBase('update'));
        expect(markAt(base.handle, BLOCK)).toBe(0);
        base.handle.write(block(9), 0);
        await base.handle.sync();
        expect(markIn(path, 0)).toBe(1);
      });

      it('take a change of every block', async () => {
        await makeBase(1);
        const handle = await store.beginRestore(8n, NEVER);
        for (let at = 0; at < size; at += BLOCK) handle.write(block(3), at);
        const { path } = await store.commitRestore(8n, handle);
        using base = opened(store.openBase('update'));
        for (let at = 0; at < size; at += BLOCK) base.handle.write(block(4), at);
        await base.handle.sync();
        for (const at of [0, size / 2, size - BLOCK]) expect(markIn(path, at)).toBe(3);
      });

      it('are listed ascending by gid, to the largest one', async () => {
        await makeBase(1);
        for (const gid of [10n, 9n, 2n ** 64n - 2n, 0n]) await restore(gid, 2);
        expect(store.restored().map(({ gid }) => gid)).toEqual([0n, 9n, 10n, 2n ** 64n - 2n]);
        store = await subject.restart();
        expect(store.restored().map(({ gid }) => gid)).toEqual([0n, 9n, 10n, 2n ** 64n - 2n]);
      });

      it('leave nothing when abandoned, with or without a handle', async () => {
        await makeBase(1);
        await store.abandonRestore(8n, undefined);
        const handle = await store.beginRestore(8n, NEVER);
        await store.abandonRestore(8n, handle);
        await store.abandonRestore(8n, handle);
        expect(store.restored()).toEqual([]);
        await restore(8n, 2);
        expect(store.restored()).toHaveLength(1);
      });

      it('begin anew over what an interrupted restore left', async () => {
        await makeBase(1);
        const lost = await store.beginRestore(8n, NEVER);
        lost.write(block(9), 2 * BLOCK);
        await lost.sync();
        lost.close();
        store = await subject.restart();
        const path = await restore(8n, 2);
        expect(markIn(path, 2 * BLOCK)).toBe(0);
      });

      it('do not begin once the restore is stopped', async () => {
        await makeBase(1);
        await rejects('cancelled', store.beginRestore(8n, AbortSignal.abort()));
        await store.abandonRestore(8n, undefined);
        expect(store.restored()).toEqual([]);
      });

      it('are deleted one by one; an unknown one names those there are', async () => {
        await makeBase(1);
        await restore(8n, 2);
        await restore(9n, 2);
        await rejects('not-found', store.deleteRestored(10n));
        await expect(store.deleteRestored(10n)).rejects.toThrow('8, 9');
        await store.deleteRestored(8n);
        expect(store.restored().map(({ gid }) => gid)).toEqual([9n]);
        await rejects('not-found', store.deleteRestored(8n));
        expect(baseMark(0)).toBe(1);
      });

      if (traits.kind === 'file') {
        it('that are deleted stay with who has them open', async () => {
          await makeBase(1);
          using image = opened(new RealFiles().open(await restore(8n, 2), 'read'));
          await store.deleteRestored(8n);
          expect(store.restored()).toEqual([]);
          expect(markAt(image.handle, BLOCK)).toBe(2);
        });
        return;
      }

      it('are not deleted while somebody uses them', async () => {
        await makeBase(1);
        const path = await restore(8n, 2);
        const { use } = subject;
        if (use === undefined) throw new Error('this store does not say how an image is used');
        const release = await use(path);
        try {
          await rejects('busy', store.deleteRestored(8n));
          expect(store.restored()).toHaveLength(1);
          // Not even with everything else: the base stays as well.
          await rejects('busy', store.destroy());
          expect(store.baseSize()).toBe(size);
        } finally {
          await release();
        }
        await store.deleteRestored(8n);
        expect(store.restored()).toEqual([]);
      });
    });

    describe('start-up and end', () => {
      it('removes what an interrupted restore left, and nothing else', async () => {
        await makeBase(1);
        await restore(8n, 2);
        (await store.beginRestore(9n, NEVER)).close();
        store = await subject.restart();
        await store.cleanTemporary();
        await store.cleanTemporary();
        expect(store.restored().map(({ gid }) => gid)).toEqual([8n]);
        expect(baseMark(0)).toBe(1);
        await restore(9n, 2);
      });

      it('has nothing to clean before the first image', async () => {
        await store.cleanTemporary();
        expect(store.baseSize()).toBeUndefined();
      });

      it('removes every image of the volume, and can do so twice', async () => {
        await makeBase(1);
        await restore(8n, 2, { keepCold: traits.keepsCold });
        (await store.beginRestore(9n, NEVER)).close();
        await store.destroy();
        await store.destroy();
        expect(store.baseSize()).toBeUndefined();
        expect(store.restored()).toEqual([]);
        expect(store.cold()).toEqual([]);
        await makeBase(2);
        expect(baseMark(0)).toBe(2);
      });

      it('does not touch the images of other volumes', async () => {
        await makeBase(1);
        await restore(8n, 2);
        const { neighbour } = subject;
        expect(neighbour.baseSize()).toBeUndefined();
        await neighbour.createBase(2 * size);
        (await neighbour.beginRestore(8n, NEVER)).close();
        await store.cleanTemporary();
        await store.destroy();
        expect(neighbour.baseSize()).toBe(2 * size);
        const handle = await neighbour.beginRestore(9n, NEVER);
        await neighbour.commitRestore(9n, handle);
        expect(neighbour.restored().map(({ gid }) => gid)).toEqual([9n]);
        await neighbour.destroy();
      });
    });

    if (!traits.keepsCold) return;
    describe('cold snapshots (A.8)', () => {
      it('hold what the restore held when they were made, read-only', async () => {
        await makeBase(1);
        const handle = await store.beginRestore(8n, NEVER);
        handle.write(block(2), BLOCK);
        await cold().keep(8n, handle);
        handle.write(block(3), BLOCK);
        const { path } = await store.commitRestore(8n, handle);
        expect(store.cold().map(({ gid }) => gid)).toEqual([8n]);
        using image = opened(cold().open(8n));
        expect(image.handle.size()).toBe(size);
        expect(markAt(image.handle, 0)).toBe(1);
        expect(markAt(image.handle, BLOCK)).toBe(2);
        expect(() => image.handle.write(block(9), 0)).toThrow();
        expect(markIn(path, BLOCK)).toBe(3);
      });

      it('outlive the restored image, and are kept once', async () => {
        await makeBase(1);
        await restore(8n, 2, { keepCold: true });
        await store.deleteRestored(8n);
        expect(store.cold().map(({ gid }) => gid)).toEqual([8n]);
        const handle = await store.beginRestore(8n, NEVER);
        await cold().keep(8n, handle);
        await store.abandonRestore(8n, handle);
        using image = opened(cold().open(8n));
        expect(markAt(image.handle, BLOCK)).toBe(2);
      });

      it('are nearer starting points of restores (D.6)', async () => {
        await makeBase(1);
        await restore(8n, 2, { keepCold: true });
        const handle = await store.beginRestore(9n, NEVER, 8n);
        expect(markAt(handle, BLOCK)).toBe(2);
        handle.write(block(5), BLOCK);
        const { path } = await store.commitRestore(9n, handle);
        expect(markIn(path, BLOCK)).toBe(5);
        await rejects('not-found', store.beginRestore(10n, NEVER, 7n));
      });

      it('start restores as large as a base that grew meanwhile (D.10)', async () => {
        await makeBase(1);
        await restore(8n, 2, { keepCold: true });
        await store.growBase(2 * size);
        using small = opened(cold().open(8n));
        expect(small.handle.size()).toBe(size);
        using large = opened(await store.beginRestore(9n, NEVER, 8n));
        expect(large.handle.size()).toBe(2 * size);
        expect(isZero(large.handle, size, size)).toBe(true);
        await store.abandonRestore(9n, large.handle);
      });

      it('are deleted one by one', async () => {
        await makeBase(1);
        await restore(8n, 2, { keepCold: true });
        await restore(9n, 2, { keepCold: true });
        await rejects('not-found', cold().delete(7n));
        refuses('not-found', () => cold().open(7n));
        await cold().delete(8n);
        expect(store.cold().map(({ gid }) => gid)).toEqual([9n]);
        expect(store.restored().map(({ gid }) => gid)).toEqual([8n, 9n]);
      });

      it('become the base, with its size (D.7)', async () => {
        await makeBase(1);
        await restore(8n, 2, { keepCold: true });
        await store.growBase(2 * size);
        await cold().beginPromotion(8n);
        expect(store.cold()).toEqual([]);
        await cold().finishPromotion(8n);
        expect(store.baseSize()).toBe(2 * size);
        using base = opened(store.openBase('update'));
        expect(markAt(base.handle, BLOCK)).toBe(2);
        base.handle.write(block(4), BLOCK);
        await base.handle.sync();
        expect(baseMark(BLOCK)).toBe(4);
        expect(store.restored()).toHaveLength(1);
      });

      it('go on to be the base when the old one is gone already (D.7)', async () => {
        await makeBase(1);
        await restore(8n, 2, { keepCold: true });
        await cold().beginPromotion(8n);
        store = await subject.restart();
        await store.cleanTemporary();
        expect(await cold().recoverPromotion(0n)).toBe(8n);
        await cold().finishPromotion(8n);
        expect(await cold().recoverPromotion(8n)).toBeUndefined();
        expect(baseMark(BLOCK)).toBe(2);
      });

      it('have nothing to recover without a promotion', async () => {
        expect(await cold().recoverPromotion(0n)).toBeUndefined();
        await makeBase(1);
        await restore(8n, 2, { keepCold: true });
        await rejects('not-found', cold().beginPromotion(7n));
        await rejects('not-found', cold().finishPromotion(8n));
        expect(await cold().recoverPromotion(0n)).toBeUndefined();
        expect(store.cold()).toHaveLength(1);
      });
    });
  });
}

interface RestoreOptions {
  readonly source?: bigint;
  readonly keepCold?: boolean;
}

/** Closes the handle at the end of the block. */
export function opened(handle: FileHandle): Disposable & { readonly handle: FileHandle } {
  return { handle, [Symbol.dispose]: () => handle.close() };
}

function block(mark: number): Uint8Array {
  return new Uint8Array(BLOCK).fill(mark);
}

/** The byte that fills the block; fails when it is not filled evenly. */
function markAt(handle: FileHandle, position: number): number {
  const bytes = new Uint8Array(BLOCK);
  expect(handle.read(bytes, position)).toBe(BLOCK);
  const [mark] = bytes;
  expect(bytes.every((byte) => byte === mark)).toBe(true);
  return mark as number;
}

function markIn(path: string, position: number): number {
  using image = opened(new RealFiles().open(path, 'read'));
  return markAt(image.handle, position);
}

function isZero(handle: FileHandle, position: number, length: number): boolean {
  const bytes = new Uint8Array(length);
  expect(handle.read(bytes, position)).toBe(length);
  return bytes.every((byte) => byte === 0);
}

function refuses(code: ErrorCode, action: () => unknown): void {
  expect(action).toThrow(expect.toSatisfy((error: unknown) => hasCode(error, code)));
}

async function rejects(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await expect(promise).rejects.toSatisfy((error) => hasCode(error, code));
}
