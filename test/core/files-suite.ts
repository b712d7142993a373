/**
 * Conformance suite of `Files` (src/core/files.ts): every implementation runs it, so that server
 * logic tested on simulated disks meets the same behaviour on real ones.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ErrorCode, hasCode, WalbError } from '../../src/core/errors.ts';
import type { FileHandle, Files, OpenMode } from '../../src/core/files.ts';

export interface FilesUnderTest {
  readonly files: Files;
  /** An empty directory that exists. */
  readonly directory: string;
  /** True when punching gives space back and holes are reported in steps of at most 4 KiB. */
  readonly reportsHoles: boolean;
  dispose(): void;
}

const BLOCK = 4096;

export function filesSuite(name: string, makeFiles: () => FilesUnderTest): void {
  describe(`Files: ${name}`, () => {
    let subject: FilesUnderTest;
    let files: Files;
    const handles: FileHandle[] = [];

    beforeEach(() => {
      subject = makeFiles();
      files = subject.files;
    });

    afterEach(() => {
      for (const handle of handles.splice(0)) handle.close();
      subject.dispose();
    });

    const at = (name: string) => `${subject.directory}/${name}`;

    function open(name: string, mode: OpenMode): FileHandle {
      const handle = files.open(at(name), mode);
      handles.push(handle);
      return handle;
    }

    function fileWith(name: string, content: Uint8Array): FileHandle {
      const handle = open(name, 'create');
      handle.write(content, 0);
      return handle;
    }

    function contentOf(name: string): Uint8Array {
      const handle = open(name, 'read');
      const bytes = new Uint8Array(handle.size());
      expect(handle.read(bytes, 0)).toBe(bytes.length);
      return bytes;
    }

    describe('open', () => {
      it('creates, updates, replaces and reads', () => {
        fileWith('f', bytes(10, 1)).close();
        expect(open('f', 'read').size()).toBe(10);
        open('f', 'update').write(bytes(2, 9), 4);
        expect([...contentOf('f')]).toEqual([1, 1, 1, 1, 9, 9, 1, 1, 1, 1]);
        expect(open('f', 'replace').size()).toBe(0);
        expect(open('new', 'replace').size()).toBe(0);
      });

      it('refuses what the mode does not allow', () => {
        fileWith('f', bytes(1, 1));
        refuses('already-exists', at('f'), () => open('f', 'create'));
        refuses('not-found', at('g'), () => open('g', 'read'));
        refuses('not-found', at('g'), () => open('g', 'update'));
        refuses('not-found', at('none/g'), () => open('none/g', 'create'));
        refuses('not-found', at('f/g'), () => open('f/g', 'create'));
        files.makeDirectory(at('d'));
        refuses('invalid-argument', at('d'), () => open('d', 'read'));
        refuses('invalid-argument', at('d'), () => open('d', 'update'));
      });

      it('does not write through a handle opened for reading', () => {
        fileWith('f', bytes(4, 1));
        const handle = open('f', 'read');
        expect(() => handle.write(bytes(1, 2), 0)).toThrow(WalbError);
        expect(() => handle.writev([bytes(1, 2)], 0)).toThrow(WalbError);
        expect(() => handle.truncate(0)).toThrow(WalbError);
        expect([...contentOf('f')]).toEqual([1, 1, 1, 1]);
      });

      it('is no block device and knows its path', () => {
        const handle = fileWith('f', bytes(1, 1));
        expect(handle.isBlockDevice).toBe(false);
        expect(handle.path).toBe(at('f'));
      });
    });

    describe('data', () => {
      it('reads short only at the end', () => {
        const handle = fileWith('f', bytes(10, 7));
        const into = bytes(8, 0);
        expect(handle.read(into, 0)).toBe(8);
        expect(handle.read(into, 6)).toBe(4);
        expect([...into]).toEqual([7, 7, 7, 7, 7, 7, 7, 7]);
        expect(handle.read(into, 10)).toBe(0);
        expect(handle.read(into, 1_000_000)).toBe(0);
        expect(handle.read(new Uint8Array(0), 0)).toBe(0);
      });

      it('reads zeros where nothing was written', () => {
        const handle = open('f', 'create');
        handle.write(bytes(3, 5), 100_000);
        expect(handle.size()).toBe(100_003);
        const into = bytes(5, 9);
        handle.read(into, 99_998);
        expect([...into]).toEqual([0, 0, 5, 5, 5]);
      });

      it('writes an empty buffer without growing', () => {
        const handle = open('f', 'create');
        handle.write(new Uint8Array(0), 50);
        handle.writev([], 50);
        handle.writev([new Uint8Array(0)], 50);
        expect(handle.size()).toBe(0);
      });

      it('writes parts one after another, empty ones too', () => {
        const handle = open('f', 'create');
        handle.writev([bytes(2, 1), new Uint8Array(0), bytes(3, 2), bytes(1, 3)], 1);
        expect([...contentOf('f')]).toEqual([0, 1, 1, 2, 2, 2, 3]);
      });

      it('writes more parts than one system call takes', () => {
        const handle = open('f', 'create');
        const parts = Array.from({ length: 3000 }, (_, i) => bytes(i % 3, i % 251));
        handle.writev(parts, 0);
        expect(Buffer.compare(contentOf('f'), Buffer.concat(parts))).toBe(0);
      });

      it('leaves the caller free to reuse its buffer', () => {
        const buffer = bytes(4, 1);
        const handle = fileWith('f', buffer);
        buffer.fill(2);
        expect([...contentOf('f')]).toEqual([1, 1, 1, 1]);
        const into = bytes(4, 0);
        handle.read(into, 0);
        into.fill(3);
        expect([...contentOf('f')]).toEqual([1, 1, 1, 1]);
      });

      it('shows writes to every handle of the file at once', () => {
        const one = fileWith('f', bytes(4, 1));
        const two = open('f', 'read');
        one.write(bytes(2, 8), 1);
        const into = bytes(4, 0);
        two.read(into, 0);
        expect([...into]).toEqual([1, 8, 8, 1]);
      });

      it('refuses positions that are no byte count', () => {
        const handle = fileWith('f', bytes(4, 1));
        for (const position of [-1, 0.5, Number.NaN, 2 ** 53]) {
          refuses('invalid-argument', at('f'), () => handle.read(bytes(1, 0), position));
          refuses('invalid-argument', at('f'), () => handle.write(bytes(1, 0), position));
          refuses('invalid-argument', at('f'), () => handle.writev([bytes(1, 0)], position));
          refuses('invalid-argument', at('f'), () => handle.truncate(position));
          refuses('invalid-argument', at('f'), () => handle.punch(position, 1));
          refuses('invalid-argument', at('f'), () => handle.punch(0, position));
          refuses('invalid-argument', at('f'), () => handle.nextData(position));
        }
        expect(handle.size()).toBe(4);
      });

      it('truncates and extends with zeros', () => {
        const handle = fileWith('f', bytes(10, 1));
        handle.truncate(4);
        handle.truncate(8);
        expect([...contentOf('f')]).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
        handle.truncate(0);
        expect(handle.size()).toBe(0);
      });
    });

    describe('punch and nextData', () => {
      it('makes the range read as zeros and keeps the size', () => {
        const handle = fileWith('f', bytes(5 * BLOCK, 1));
        handle.punch(BLOCK - 10, 2 * BLOCK + 20);
        const expected = bytes(5 * BLOCK, 1).fill(0, BLOCK - 10, 3 * BLOCK + 10);
        expect(Buffer.compare(contentOf('f'), expected)).toBe(0);
      });

      it('does not grow a file when punching beyond its end', () => {
        const handle = fileWith('f', bytes(100, 1));
        handle.punch(50, 10 * BLOCK);
        handle.punch(BLOCK, BLOCK);
        handle.punch(10, 0);
        expect([...contentOf('f')]).toEqual([...bytes(100, 1).fill(0, 50)]);
      });

      it('covers all data and nothing beyond the end', () => {
        const handle = open('f', 'create');
        handle.truncate(64 * BLOCK);
        handle.write(bytes(100, 1), 10 * BLOCK + 5);
        handle.write(bytes(BLOCK, 1), 40 * BLOCK);
        const ranges = dataRanges(handle);
        for (const position of [10 * BLOCK + 5, 10 * BLOCK + 104, 40 * BLOCK, 41 * BLOCK - 1]) {
          expect(ranges.some(({ start, end }) => start <= position && position < end)).toBe(true);
        }
        expect(ranges.at(-1)!.end).toBeLessThanOrEqual(64 * BLOCK);
        if (!subject.reportsHoles) return;
        expect(ranges).toEqual([
          { start: 10 * BLOCK, end: 11 * BLOCK },
          { start: 40 * BLOCK, end: 41 * BLOCK },
        ]);
        expect(handle.nextData(10 * BLOCK + 7)).toEqual({
          start: 10 * BLOCK + 7,
          end: 11 * BLOCK,
        });
      });

      it('answers undefined at and beyond the end', () => {
        const handle = fileWith('f', bytes(BLOCK, 1));
        expect(handle.nextData(BLOCK)).toBeUndefined();
        expect(handle.nextData(100 * BLOCK)).toBeUndefined();
        expect(open('empty', 'create').nextData(0)).toBeUndefined();
      });

      it('gives space back', () => {
        if (!subject.reportsHoles) return;
        const handle = fileWith('f', bytes(64 * BLOCK, 1));
        const before = files.info(at('f'))!.allocated;
        handle.punch(8 * BLOCK, 48 * BLOCK);
        expect(files.info(at('f'))!.allocated).toBe(before - 48 * BLOCK);
        expect(handle.nextData(8 * BLOCK)).toEqual({ start: 56 * BLOCK, end: 64 * BLOCK });
      });
    });

    describe('sync and close', () => {
      it('syncs once and many times at the same time', async () => {
        const handle = fileWith('f', bytes(4, 1));
        await handle.sync();
        await Promise.all([handle.sync(), handle.sync(), handle.sync(), handle.sync()]);
      });

      it('refuses every call after close, closing twice is fine', async () => {
        const handle = fileWith('f', bytes(4, 1));
        handle.close();
        handle.close();
        const calls: (() => unknown)[] = [
          () => handle.size(),
          () => handle.read(bytes(1, 0), 0),
          () => handle.write(bytes(1, 0), 0),
          () => handle.writev([bytes(1, 0)], 0),
          () => handle.truncate(0),
          () => handle.punch(0, 1),
          () => handle.nextData(0),
        ];
        for (const call of calls) refuses('internal', at('f'), call);
        await expect(handle.sync()).rejects.toSatisfy((error) => hasCode(error, 'internal'));
      });

      it('finishes a sync that was under way when it was closed', async () => {
        const handle = fileWith('f', bytes(4, 1));
        const syncs = [handle.sync(), handle.sync()];
        handle.close();
        await Promise.all(syncs);
      });

      it('keeps the file of an open handle after removal', () => {
        const handle = fileWith('f', bytes(4, 1));
        files.remove(at('f'));
        expect(files.info(at('f'))).toBeUndefined();
        handle.write(bytes(1, 2), 0);
        const into = bytes(4, 0);
        expect(handle.read(into, 0)).toBe(4);
        expect([...into]).toEqual([2, 1, 1, 1]);
      });
    });

    describe('names', () => {
      it('lists names in order, and nothing of a missing directory', () => {
        for (const name of ['b', 'a', 'c10', 'c2', 'B']) open(name, 'create');
        expect(files.list(subject.directory)).toEqual(['B', 'a', 'b', 'c10', 'c2']);
        expect(files.list(at('none'))).toEqual([]);
        expect(() => files.list(at('a'))).toThrow(WalbError);
      });

      it('makes nested directories, again too, but not over a file', () => {
        files.makeDirectory(at('x/y/z'));
        files.makeDirectory(at('x/y/z'));
        expect(files.info(at('x/y'))!.kind).toBe('directory');
        expect(files.list(at('x/y'))).toEqual(['z']);
        open('f', 'create');
        refuses('already-exists', at('f'), () => files.makeDirectory(at('f')));
        expect(() => files.makeDirectory(at('f/g'))).toThrow(WalbError);
      });

      it('informs about a file', () => {
        const handle = open('f', 'create');
        handle.truncate(100 * BLOCK);
        handle.write(bytes(BLOCK, 1), 0);
        const info = files.info(at('f'))!;
        expect(info).toMatchObject({ kind: 'file', size: 100 * BLOCK });
        if (subject.reportsHoles) expect(info.allocated).toBe(BLOCK);
        expect(Number.isInteger(info.modified)).toBe(true);
        expect(files.info(at('none'))).toBeUndefined();
        expect(files.info(at('f/g'))).toBeUndefined();
        expect(files.info(subject.directory)!.kind).toBe('directory');
      });

      it('renames over an existing file', () => {
        fileWith('a', bytes(2, 1));
        fileWith('b', bytes(3, 2));
        files.rename(at('a'), at('b'));
        expect(files.list(subject.directory)).toEqual(['b']);
        expect([...contentOf('b')]).toEqual([1, 1]);
        refuses('not-found', at('a'), () => files.rename(at('a'), at('b')));
        refuses('not-found', at('none/b'), () => files.rename(at('b'), at('none/b')));
      });

      it('renames directories with all they hold, but not over a full one', () => {
        files.makeDirectory(at('d/e'));
        files.makeDirectory(at('other/full'));
        open('d/f', 'create');
        files.rename(at('d'), at('g'));
        expect(files.list(at('g'))).toEqual(['e', 'f']);
        refuses('already-exists', at('other'), () => files.rename(at('g'), at('other')));
        files.makeDirectory(at('empty'));
        files.rename(at('g'), at('empty'));
        expect(files.list(at('empty'))).toEqual(['e', 'f']);
        expect(() => files.rename(at('empty'), at('empty/e/f'))).toThrow(WalbError);
      });

      it('links one file to two names', () => {
        fileWith('a', bytes(2, 1));
        files.link(at('a'), at('b'));
        open('b', 'update').write(bytes(1, 9), 0);
        expect([...contentOf('a')]).toEqual([9, 1]);
        files.remove(at('a'));
        expect([...contentOf('b')]).toEqual([9, 1]);
        open('c', 'create');
        refuses('already-exists', at('c'), () => files.link(at('b'), at('c')));
        refuses('not-found', at('none'), () => files.link(at('none'), at('d')));
      });

      it('removes files, also ones that are gone, but no directory', () => {
        open('f', 'create');
        files.remove(at('f'));
        files.remove(at('f'));
        expect(files.list(subject.directory)).toEqual([]);
        files.makeDirectory(at('d'));
        expect(() => files.remove(at('d'))).toThrow(WalbError);
        expect(files.info(at('d'))!.kind).toBe('directory');
      });

      it('removes trees, also ones that are gone', () => {
        files.makeDirectory(at('d/e'));
        open('d/e/f', 'create');
        files.removeTree(at('d'));
        files.removeTree(at('d'));
        expect(files.list(subject.directory)).toEqual([]);
      });

      it('syncs directories', async () => {
        open('f', 'create');
        await files.syncDirectory(subject.directory);
        const missing = files.syncDirectory(at('none'));
        await expect(missing).rejects.toSatisfy((error) => hasCode(error, 'not-found'));
      });
    });

    describe('clone', () => {
      it('copies data, size and holes', async () => {
        const source = open('a', 'create');
        source.truncate(1000 * BLOCK + 17);
        source.write(bytes(3 * BLOCK, 1), 5 * BLOCK);
        source.write(bytes(10, 2), 700 * BLOCK + 3);
        expect(['reflink', 'copy']).toContain(await files.clone(at('a'), at('b')));
        expect(Buffer.compare(contentOf('a'), contentOf('b'))).toBe(0);
        if (subject.reportsHoles) expect(files.info(at('b'))!.allocated).toBe(4 * BLOCK);
        source.write(bytes(1, 9), 5 * BLOCK);
        expect(contentOf('b')[5 * BLOCK]).toBe(1);
      });

      it('copies an empty file', async () => {
        open('a', 'create');
        await files.clone(at('a'), at('b'));
        expect(files.info(at('b'))!.size).toBe(0);
      });

      it('refuses a missing source and an existing target', async () => {
        fileWith('a', bytes(2, 1));
        fileWith('b', bytes(3, 2));
        const over = files.clone(at('a'), at('b'));
        await expect(over).rejects.toSatisfy((error) => hasCode(error, 'already-exists'));
        expect([...contentOf('b')]).toEqual([2, 2, 2]);
        const missing = files.clone(at('none'), at('c'));
        await expect(missing).rejects.toSatisfy((error) => hasCode(error, 'not-found'));
        expect(files.info(at('c'))).toBeUndefined();
      });

      it('stops when told and leaves no target', async () => {
        fileWith('a', bytes(64 * BLOCK, 1));
        const clone = files.clone(at('a'), at('b'), AbortSignal.abort());
        await expect(clone).rejects.toSatisfy((error) => hasCode(error, 'cancelled'));
        expect(files.list(subject.directory)).toEqual(['a']);
      });
    });

    describe('the rest', () => {
      it('measures free space', () => {
        expect(files.freeBytes(subject.directory)).toBeGreaterThan(0);
        expect(files.totalBytes(subject.directory)).toBeGreaterThanOrEqual(
          files.freeBytes(subject.directory),
        );
        refuses('not-found', at('none'), () => files.freeBytes(at('none')));
        refuses('not-found', at('none'), () => files.totalBytes(at('none')));
      });

      it('locks once until released', () => {
        const lock = files.lock(at('lock'));
        refuses('busy', at('lock'), () => files.lock(at('lock')));
        files.lock(at('lock2')).release();
        lock.release();
        lock.release();
        files.lock(at('lock')).release();
        refuses('not-found', at('none/lock'), () => files.lock(at('none/lock')));
      });
    });
  });
}

function bytes(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}

function dataRanges(handle: FileHandle): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  let range = handle.nextData(0);
  while (range !== undefined) {
    ranges.push(range);
    range = handle.nextData(range.end);
  }
  return ranges;
}

/** The call throws a WalbError of this code that names the path. */
function refuses(code: ErrorCode, path: string, call: () => unknown): void {
  let thrown: unknown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(WalbError);
  expect(thrown).toMatchObject({ code });
  expect((thrown as WalbError).message).toContain(path);
}
