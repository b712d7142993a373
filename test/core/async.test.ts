import { describe, expect, it } from 'vitest';
import {
  AsyncQueue,
  backoffPolicy,
  Mutex,
  Notifier,
  nextDelay,
  Semaphore,
  WalbError,
  Watch,
} from '../../src/core/index.ts';

const cancelled = expect.objectContaining({ code: 'cancelled' });

/** Lets every promise that can settle now do so. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}

describe('Semaphore and Mutex', () => {
  it('serves in order and never more than its limit', async () => {
    const semaphore = new Semaphore(2);
    const order: number[] = [];
    let running = 0;
    let most = 0;
    const work = [0, 1, 2, 3, 4].map((n) =>
      semaphore.run(async () => {
        running += 1;
        most = Math.max(most, running);
        order.push(n);
        await settle();
        running -= 1;
      }),
    );
    await Promise.all(work);
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(most).toBe(2);
    expect(semaphore.held).toBe(0);
  });

  it('tryAcquire takes a free place only, and cannot overtake', async () => {
    const semaphore = new Semaphore(1);
    const held = semaphore.tryAcquire();
    expect(semaphore.tryAcquire()).toBeUndefined();
    const next = semaphore.acquire();
    held?.release();
    held?.release();
    expect(semaphore.tryAcquire()).toBeUndefined();
    (await next).release();
    expect(semaphore.held).toBe(0);
    expect(semaphore.tryAcquire()).toBeDefined();
  });

  it('forgets a waiter whose signal aborts', async () => {
    const mutex = new Mutex('volume lock');
    const held = await mutex.lock();
    const abort = new AbortController();
    const waiting = mutex.lock(abort.signal);
    expect(mutex.waiting).toBe(1);
    abort.abort();
    await expect(waiting).rejects.toThrow('volume lock was cancelled');
    expect(mutex.waiting).toBe(0);
    held.release();
    expect(mutex.isLocked).toBe(false);
    await expect(mutex.lock(abort.signal)).rejects.toEqual(cancelled);
    expect(mutex.isLocked).toBe(false);
  });

  it('releases when the work throws, and at the end of a using scope', async () => {
    const mutex = new Mutex();
    await expect(mutex.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    {
      using _held = await mutex.lock();
      expect(mutex.isLocked).toBe(true);
    }
    expect(mutex.isLocked).toBe(false);
    expect(mutex.tryLock()).toBeDefined();
  });

  it('refuses a limit that is none', () => {
    expect(() => new Semaphore(0)).toThrow(/not a positive number/);
    expect(() => new Semaphore(1.5)).toThrow(/not a positive number/);
  });
});

describe('AsyncQueue', () => {
  it('makes the producer wait for room and keeps the order', async () => {
    const queue = new AsyncQueue<number>(2);
    let pushed = 0;
    let most = 0;
    const producer = (async () => {
      for (let n = 1; n <= 100; n += 1) {
        await queue.push(n);
        pushed = n;
      }
      queue.close();
    })();
    await settle();
    expect(pushed).toBe(2);
    const got: number[] = [];
    for await (const item of queue) {
      most = Math.max(most, queue.length);
      got.push(item);
    }
    await producer;
    expect(got).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(most).toBeLessThanOrEqual(2);
  });

  it('delivers what was queued before close, then ends', async () => {
    const queue = new AsyncQueue<string>(3);
    queue.tryPush('a');
    queue.close();
    queue.close();
    expect(() => queue.tryPush('b')).toThrow(/closed queue/);
    expect(await queue.shift()).toBe('a');
    expect(await queue.shift()).toBeUndefined();
    expect(await queue.shift()).toBeUndefined();
  });

  it('fail reaches both sides and drops what is queued', async () => {
    const queue = new AsyncQueue<number>(1);
    queue.tryPush(1);
    const pushing = queue.push(2);
    const error = new WalbError('io', 'disk broke');
    queue.fail(error);
    queue.fail(new Error('second'));
    await expect(pushing).rejects.toBe(error);
    await expect(queue.shift()).rejects.toBe(error);
    expect(queue.length).toBe(0);
  });

  it('a consumer that leaves the loop stops the producer', async () => {
    const queue = new AsyncQueue<number>(1);
    queue.tryPush(1);
    for await (const _item of queue) break;
    await expect(queue.push(2)).rejects.toEqual(cancelled);
    expect(queue.length).toBe(0);
  });

  it('cancels one wait without losing an item', async () => {
    const queue = new AsyncQueue<number>(1);
    const abort = new AbortController();
    const first = queue.shift(abort.signal);
    const second = queue.shift();
    queue.tryPush(7);
    abort.abort();
    // The first reader was woken for the item already, so it takes it in spite of the abort.
    expect(await first).toBe(7);
    queue.tryPush(8);
    expect(await second).toBe(8);
    await expect(queue.shift(abort.signal)).rejects.toEqual(cancelled);
    await expect(queue.push(9, abort.signal)).rejects.toEqual(cancelled);
    expect(queue.length).toBe(0);
  });

  it('refuses a capacity that is none', () => {
    expect(() => new AsyncQueue(0)).toThrow(/not a positive number/);
  });
});

describe('Notifier and Watch', () => {
  it('wakes a waiter for a state that lasts one moment', async () => {
    const watch = new Watch('a');
    const wait = watch.until((value) => value === 'b');
    watch.set('b');
    watch.set('c');
    expect(await wait).toBe('b');
    expect(watch.value).toBe('c');
  });

  it('resolves at once when the predicate holds already', async () => {
    await new Notifier().until(() => true);
  });

  it('leaves no listener behind, whether it ends well, by abort or by a throw', async () => {
    const notifier = new Notifier();
    const abort = new AbortController();
    let go = false;
    const good = notifier.until(() => go);
    const aborted = notifier.until(() => false, abort.signal);
    let calls = 0;
    const thrown = notifier.until(() => {
      calls += 1;
      if (calls > 1) throw new Error('predicate');
      return false;
    });
    expect(notifier.listeners).toBe(3);
    go = true;
    notifier.notify();
    const reason = new WalbError('timeout', 'too late');
    abort.abort(reason);
    await good;
    await expect(aborted).rejects.toBe(reason);
    await expect(thrown).rejects.toThrow('predicate');
    expect(notifier.listeners).toBe(0);
  });

  it('does not tell of a value that stays the same', () => {
    const watch = new Watch(1);
    const seen: number[] = [];
    const stop = watch.subscribe((value) => seen.push(value));
    watch.set(1);
    watch.set(2);
    stop();
    watch.set(3);
    expect(seen).toEqual([2]);
  });

  it('changes() yields the present value, then the newest each time, until aborted', async () => {
    const watch = new Watch(0);
    const abort = new AbortController();
    const changes = watch.changes(abort.signal);
    expect((await changes.next()).value).toBe(0);
    watch.set(1);
    watch.set(2);
    expect((await changes.next()).value).toBe(2);
    const next = changes.next();
    await settle();
    watch.set(3);
    expect((await next).value).toBe(3);
    const last = changes.next();
    abort.abort();
    expect((await last).done).toBe(true);
  });
});

describe('backoff', () => {
  it('starts at min, doubles, stays at max (semantics.md B.3)', () => {
    const policy = backoffPolicy(1000, 6000);
    const delays: number[] = [];
    let delay: number | undefined;
    for (let i = 0; i < 5; i += 1) delays.push((delay = nextDelay(policy, delay)));
    expect(delays).toEqual([1000, 2000, 4000, 6000, 6000]);
  });

  it('refuses senseless delays', () => {
    for (const [min, max] of [
      [0, 1],
      [2, 1],
      [1, Number.POSITIVE_INFINITY],
      [Number.NaN, 1],
    ] as const) {
      expect(() => backoffPolicy(min, max)).toThrow(/bad retry delays/);
    }
  });
});
