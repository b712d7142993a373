import { describe, expect, it } from 'vitest';
import { LogRate } from '../../src/storage-server/log-rate.ts';

const at = (seconds: number, latest: number, oldest = 0) =>
  [seconds * 1000, { latest: BigInt(latest), oldest: BigInt(oldest) }] as const;

function rateOf(samples: readonly ReturnType<typeof at>[]): LogRate {
  const rate = new LogRate();
  for (const [time, position] of samples) rate.note(time, position);
  return rate;
}

describe('growth of a log', () => {
  it('is not known from one position', () => {
    expect(rateOf([]).perSecond).toBe(0);
    expect(rateOf([at(0, 5)]).growthPerSecond).toBe(0);
    expect(rateOf([at(7, 5), at(7, 9)]).perSecond).toBe(0);
  });

  it('is of the last minute for what is written, of five for how the ring fills', () => {
    // 10 a second for five minutes, all of it freed; then 100 a second, none freed.
    const calm = Array.from({ length: 30 }, (_, i) => at(i * 10, i * 100, i * 100));
    const busy = Array.from({ length: 7 }, (_, i) => at(300 + i * 10, 3000 + i * 1000, 3000));
    const rate = rateOf([...calm, ...busy]);
    expect(rate.perSecond).toBe(100);
    expect(rate.growthPerSecond).toBe(6000 / 300);
  });

  it('shrinks when log is freed', () => {
    expect(rateOf([at(0, 100, 0), at(10, 100, 50)]).growthPerSecond).toBe(-5);
  });

  it('begins anew after a reset of the log', () => {
    const rate = rateOf([at(0, 1000), at(10, 0)]);
    expect(rate.perSecond).toBe(0);
    rate.note(...at(20, 30));
    expect(rate.perSecond).toBe(3);
  });

  it('keeps a bounded number of positions, and the span', () => {
    const samples = Array.from({ length: 10_000 }, (_, i) => at(i / 100, i));
    const rate = rateOf(samples);
    expect(rate.growthPerSecond).toBeCloseTo(100, 0);
    expect(rate.perSecond).toBeCloseTo(100, 0);
  });
});
