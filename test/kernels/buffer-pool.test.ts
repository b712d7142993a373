import { describe, expect, test } from 'vitest';
import {
  alignedBytesInUse,
  allocateAligned,
  BUFFER_ALIGNMENT,
  BufferPool,
  checksum,
  freeAligned,
} from '../../src/kernels/index.ts';
import { PageAllocator } from '../../src/kernels/page-allocator.ts';
import { seeded } from './support.ts';

const MIB = 1024 * 1024;

describe('PageAllocator', () => {
  test('random use against a map of pages: no overlap, no loss, neighbours join', () => {
    const SIZE = 200;
    const next = seeded(21);
    const pages = new PageAllocator();
    pages.add(0, SIZE);
    const owner = new Array<number | undefined>(SIZE);
    const runs = new Map<number, number>();
    for (let step = 0; step < 5000; step++) {
      if (next() % 2 === 0) {
        const count = 1 + (next() % 20);
        const start = pages.take(count);
        const longest = longestFreeRun(owner);
        expect(start !== undefined).toBe(longest >= count);
        if (start === undefined) continue;
        for (let page = start; page < start + count; page++) {
          expect(owner[page]).toBeUndefined();
          owner[page] = start;
        }
        runs.set(start, count);
      } else {
        const [start, count] = [...runs][next() % Math.max(1, runs.size)] ?? [];
        if (start === undefined || count === undefined) continue;
        pages.give(start);
        owner.fill(undefined, start, start + count);
        runs.delete(start);
      }
      expect(pages.usedPages).toBe(owner.filter((page) => page !== undefined).length);
    }
  });

  test('refuses to free what is not the start of a run', () => {
    const pages = new PageAllocator();
    pages.add(0, 10);
    pages.take(4);
    expect(() => pages.give(1)).toThrow('not the start');
    pages.give(0);
    expect(() => pages.give(0)).toThrow('not the start');
  });
});

function longestFreeRun(owner: readonly (number | undefined)[]): number {
  let longest = 0;
  let run = 0;
  for (const page of owner) {
    run = page === undefined ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}

describe('aligned buffers', () => {
  test('are page aligned, exactly as long as asked, and do not overlap', () => {
    const before = alignedBytesInUse();
    const buffers = [1, 4096, 4097, 512, 3 * MIB].map((size) => allocateAligned(size));
    buffers.forEach((buffer, index) => {
      buffer.fill(index + 1);
    });
    buffers.forEach((buffer, index) => {
      expect(buffer.byteOffset % BUFFER_ALIGNMENT).toBe(0);
      expect(buffer.every((byte) => byte === index + 1)).toBe(true);
    });
    buffers.forEach(freeAligned);
    expect(alignedBytesInUse()).toBe(before);
  });

  test('stay good when the memory grows: views are not detached, kernels still work in place', () => {
    const old = allocateAligned(64 * 1024).fill(3);
    const sum = checksum(old, 0);
    const big = allocateAligned(48 * MIB).fill(5);
    expect(old.length).toBe(64 * 1024);
    expect(old[65535]).toBe(3);
    expect(checksum(old, 0)).toBe(sum);
    old[0] = 4;
    expect(checksum(old, 0)).toBe((sum - 1) >>> 0);
    freeAligned(old);
    freeAligned(big);
  });

  test('sizes that can not be are refused', () => {
    for (const size of [0, -1, 1.5, Number.NaN]) {
      expect(() => allocateAligned(size)).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    }
    expect(() => allocateAligned(4 * 1024 * MIB)).toThrow(
      expect.objectContaining({ code: 'limit-exceeded' }),
    );
    expect(() => freeAligned(Buffer.alloc(4096))).toThrow('not of the kernel memory');
  });
});

describe('BufferPool', () => {
  test('hands out at most maxBuffers, reuses released ones, frees all when disposed', () => {
    const before = alignedBytesInUse();
    {
      using pool = new BufferPool({ bufferSize: 8192, maxBuffers: 2 });
      const [first, second] = [pool.tryAcquire()!, pool.tryAcquire()!];
      expect(first.byteOffset).not.toBe(second.byteOffset);
      expect(pool.tryAcquire()).toBeUndefined();
      pool.release(first);
      expect(pool.tryAcquire()).toBe(first);
      pool.release(first);
      pool.release(second);
      expect(pool.inUse).toBe(0);
      expect(alignedBytesInUse()).toBe(before + 2 * 8192);
    }
    expect(alignedBytesInUse()).toBe(before);
  });

  test('waiters are served in order, and cancelled ones are passed over', async () => {
    using pool = new BufferPool({ bufferSize: 4096, maxBuffers: 1 });
    const buffer = await pool.acquire();
    const order: string[] = [];
    const abort = new AbortController();
    const acquire = async (name: string) => {
      const acquired = await pool.acquire();
      order.push(name);
      return acquired;
    };
    const first = acquire('first');
    const second = pool.acquire(abort.signal);
    const third = acquire('third');
    expect(pool.waiting).toBe(3);
    abort.abort();
    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    await expect(pool.acquire(abort.signal)).rejects.toMatchObject({ code: 'cancelled' });
    pool.release(buffer);
    pool.release(await first);
    pool.release(await third);
    expect(order).toEqual(['first', 'third']);
    expect(pool.inUse).toBe(0);
  });

  test('a buffer released twice, or of another pool, is a defect', () => {
    using pool = new BufferPool({ bufferSize: 4096, maxBuffers: 1 });
    using other = new BufferPool({ bufferSize: 4096, maxBuffers: 1 });
    const buffer = pool.tryAcquire()!;
    expect(() => other.release(buffer)).toThrow('not in use');
    expect(() => pool.release(buffer.subarray(0, 10))).toThrow('not in use');
    pool.release(buffer);
    expect(() => pool.release(buffer)).toThrow('not in use');
  });

  test('disposing refuses waiters and frees buffers in use when they come back', async () => {
    const before = alignedBytesInUse();
    const pool = new BufferPool({ bufferSize: 4096, maxBuffers: 1 });
    const buffer = pool.tryAcquire()!;
    const waiting = pool.acquire();
    pool[Symbol.dispose]();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    expect(() => pool.tryAcquire()).toThrow('closed');
    expect(alignedBytesInUse()).toBe(before + 4096);
    pool.release(buffer);
    expect(alignedBytesInUse()).toBe(before);
  });

  test('options that can not be are refused', () => {
    expect(() => new BufferPool({ bufferSize: 0, maxBuffers: 1 })).toThrow('bufferSize');
    expect(() => new BufferPool({ bufferSize: 4096, maxBuffers: 0 })).toThrow('maxBuffers');
  });
});
