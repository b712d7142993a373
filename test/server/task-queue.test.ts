import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/core/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { ForegroundLimit } from '../../src/server/foreground.ts';
import { TaskQueue } from '../../src/server/task-queue.ts';

/** A clock that moves only when told to. */
class ManualClock implements Clock {
  #now = 0;
  #timers: { at: number; fn: () => void }[] = [];
  now(): number {
    return this.#now;
  }
  monotonic(): number {
    return this.#now;
  }
  after(delay: number, fn: () => void): () => void {
    const timer = { at: this.#now + delay, fn };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }
  sleep(): Promise<void> {
    throw new Error('not used');
  }
  async yield(): Promise<void> {}
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      for (let i = 0; i < 5; i++) await Promise.resolve();
      const due = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#now = due.at;
      due.fn();
    }
    this.#now = end;
  }
}

function setUp(workers = 1) {
  const clock = new ManualClock();
  const started: string[] = [];
  const finish = new Map<string, () => void>();
  const queue = new TaskQueue({
    clock,
    log: silentLogger,
    workers,
    run: (key) => {
      started.push(key);
      return new Promise((resolve) => finish.set(key, resolve));
    },
  });
  return { clock, started, finish, queue };
}

describe('task queue (semantics.md F.1)', () => {
  it('push keeps the time of a queued entry, force replaces it', async () => {
    const { clock, started, queue } = setUp();
    queue.push('v', 1000);
    queue.push('v', 0);
    await clock.advance(500);
    expect(started).toEqual([]);
    queue.force('v', 100);
    await clock.advance(100);
    expect(started).toEqual(['v']);
  });

  it('runs the oldest due first and no more than the workers allow', async () => {
    const { clock, started, finish, queue } = setUp(2);
    queue.push('late', 30);
    queue.push('early', 10);
    queue.push('middle', 20);
    await clock.advance(50);
    expect(started).toEqual(['early', 'middle']);
    finish.get('early')!();
    await clock.advance(1);
    expect(started).toEqual(['early', 'middle', 'late']);
  });

  it('runs one task per key at a time and keeps what was pushed meanwhile', async () => {
    const { clock, started, finish, queue } = setUp(3);
    queue.push('v');
    await clock.advance(1);
    queue.push('v');
    await clock.advance(100);
    expect(started).toEqual(['v']);
    expect(queue.entries().map((e) => e.key)).toEqual(['v']);
    finish.get('v')!();
    await clock.advance(1);
    expect(started).toEqual(['v', 'v']);
  });

  it('runNow makes delayed tasks due, remove drops them', async () => {
    const { clock, started, queue } = setUp(5);
    queue.push('a', 60_000);
    queue.push('b', 60_000);
    queue.remove((key) => key === 'a');
    queue.runNow();
    await clock.advance(1);
    expect(started).toEqual(['b']);
  });

  it('stop waits for running tasks and takes no new ones', async () => {
    const { clock, started, finish, queue } = setUp();
    queue.push('a');
    await clock.advance(1);
    let stopped = false;
    const stopping = queue.stop().then(() => {
      stopped = true;
    });
    queue.push('b');
    await clock.advance(1000);
    expect(stopped).toBe(false);
    finish.get('a')!();
    await stopping;
    expect(started).toEqual(['a']);
  });
});

describe('foreground limit (semantics.md F.1)', () => {
  it('refuses the task over the limit with the text operators know, and counts down once', () => {
    const limit = new ForegroundLimit(1);
    const first = limit.acquire('restore');
    expect(() => limit.acquire('restore')).toThrow(/exceeds max foreground tasks/);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(limit.running).toBe(0);
    limit.acquire('restore');
  });
});
