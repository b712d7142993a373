import { describe, expect, it } from 'vitest';
import type { BidiStream, Clock } from '../../src/core/index.ts';
import { withStallLimit } from '../../src/server/stall-limit.ts';

/** A clock whose timers fire when the test says so. */
class HandClock {
  readonly pending = new Map<() => void, number>();

  after(delay: number, fn: () => void): () => void {
    this.pending.set(fn, delay);
    return () => void this.pending.delete(fn);
  }

  fire(): void {
    for (const fn of [...this.pending.keys()]) fn();
  }
}

describe('a peer that stays connected but does nothing', () => {
  const start = () => {
    const clock = new HandClock();
    const answer = Promise.withResolvers<string | undefined>();
    const inner: BidiStream<string, string> = {
      send: async () => {},
      end: async () => {},
      receive: () => answer.promise,
      cancel: (reason) => answer.reject(reason),
    };
    const stream = withStallLimit(inner, clock as unknown as Clock, 'the peer', 1000);
    return { clock, answer, stream };
  };

  it('is given up after the limit, with a timeout', async () => {
    const { clock, stream } = start();
    const received = stream.receive();
    expect([...clock.pending.values()]).toEqual([1000]);
    clock.fire();
    await expect(received).rejects.toMatchObject({ code: 'timeout' });
    expect(clock.pending.size).toBe(0);
  });

  it('costs no timer once it has answered', async () => {
    const { clock, answer, stream } = start();
    await stream.send('question');
    expect(clock.pending.size).toBe(0);
    const received = stream.receive();
    answer.resolve('answer');
    expect(await received).toBe('answer');
    expect(clock.pending.size).toBe(0);
  });
});
