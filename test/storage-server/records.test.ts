import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  dropDelivered,
  gidAt,
  INITIAL_RECORDS,
  type LsidGid,
  needsSnapshot,
  type PartSent,
  planDone,
  planSend,
  type Records,
  resetRecords,
  takeSnapshot,
} from '../../src/storage-server/records.ts';

const record = (lsid: bigint, gid: bigint, isMergeable = true, timestamp = 100): LsidGid => ({
  lsid,
  gid,
  isMergeable,
  timestamp,
});

const records = (done: LsidGid, ...queue: LsidGid[]): Records => ({ done, queue });

describe('gids (B.2)', () => {
  it.each([
    [0n, 1n],
    [99n, 1n],
    [100n, 2n],
    [1050n, 11n],
  ])('a snapshot %d blocks after gid 0 gets gid %d where a chunk has 100', (lsid, gid) => {
    expect(gidAt(resetRecords(0n, 5), lsid, 100)).toBe(gid);
  });

  it('counts from the newest snapshot, also at the same lsid', () => {
    const start = records(record(0n, 3n), record(70n, 4n));
    const { records: after, taken } = takeSnapshot(
      start,
      { lsid: 70n, isMergeable: false, now: 9 },
      100,
    );
    expect(taken).toEqual({ lsid: 70n, gid: 5n, isMergeable: false, timestamp: 9 });
    expect(after.queue).toEqual([...start.queue, taken]);
  });

  it('refuses a log that runs backwards', () => {
    expect(() => gidAt(records(record(50n, 3n)), 49n, 100)).toThrow(
      expect.objectContaining({ code: 'conflict' }),
    );
  });
});

describe('records after a delivery (B.4.7)', () => {
  it('keeps what lies behind done, and snapshots of the same place with a later gid', () => {
    const queue = [record(5n, 2n), record(7n, 3n), record(7n, 4n), record(9n, 5n)];
    expect(dropDelivered({ done: record(7n, 3n), queue }).queue).toEqual(queue.slice(2));
  });

  it('gives the same queue when nothing is dropped', () => {
    const queue = [record(9n, 5n)];
    expect(dropDelivered({ done: record(7n, 3n), queue }).queue).toBe(queue);
  });
});

describe('implicit snapshots (B.4.3)', () => {
  const done = record(10n, 1n, true, 100);
  it.each<[string, Records, bigint, number, boolean]>([
    ['an empty queue and new log', records(done), 11n, 100, true],
    ['an empty queue and no new log', records(done), 10n, 200, false],
    ['a young snapshot', records(done, record(11n, 2n, true, 100)), 20n, 109, false],
    ['an old snapshot and new log', records(done, record(11n, 2n, true, 100)), 20n, 110, true],
    ['an old snapshot of all log', records(done, record(20n, 2n, true, 100)), 20n, 500, false],
  ])('%s', (_, given, permanent, now, expected) => {
    expect(needsSnapshot(given, permanent, now, 10)).toBe(expected);
  });
});

describe('what is sent (B.4.3)', () => {
  const done = record(0n, 0n, false);
  const range = (given: Records, permanent: bigint, part?: PartSent) => {
    const plan = planSend(given, permanent, 100, part);
    return plan && [plan.target.gid, plan.limit];
  };

  it.each<[string, Records, bigint, [bigint, bigint] | undefined]>([
    ['the only snapshot', records(done, record(60n, 1n)), 60n, [1n, 60n]],
    ['nothing while it is not permanent', records(done, record(60n, 1n)), 59n, undefined],
    [
      'the last implicit one in reach',
      records(done, record(20n, 1n), record(99n, 2n), record(101n, 3n)),
      200n,
      [2n, 99n],
    ],
    [
      'the last implicit one that is permanent',
      records(done, record(20n, 1n), record(99n, 2n)),
      98n,
      [1n, 20n],
    ],
    [
      'never beyond an explicit one',
      records(done, record(20n, 1n), record(30n, 2n, false), record(40n, 3n)),
      200n,
      [2n, 30n],
    ],
    ['a part of a long range', records(done, record(350n, 4n)), 400n, [4n, 100n]],
    ['a long range whole where no gid is left', records(done, record(350n, 1n)), 400n, [1n, 350n]],
    ['an empty range', records(done, record(0n, 1n, false)), 0n, [1n, 0n]],
  ])('%s', (_, given, permanent, expected) => {
    expect(range(given, permanent)).toEqual(expected);
  });

  it('cuts a part that was sent before where it was cut then', () => {
    const given = records(done, record(350n, 4n));
    expect(range(given, 400n, { begin: done, end: 40n })).toEqual([4n, 40n]);
    expect(range(given, 400n, { begin: done, end: 150n })).toEqual([4n, 150n]);
    // Of another beginning: no concern of this one.
    expect(range(given, 400n, { begin: record(0n, 1n), end: 40n })).toEqual([4n, 100n]);
    expect(range(given, 400n, { begin: record(1n, 0n), end: 40n })).toEqual([4n, 100n]);
  });

  it('refuses an empty queue', () => {
    expect(() => planSend(INITIAL_RECORDS, 0n, 100)).toThrow(
      expect.objectContaining({ code: 'internal' }),
    );
  });

  it('takes the flag from the begin and the time from the target', () => {
    const plan = planSend(
      records(record(0n, 7n, false, 1), record(300n, 11n, true, 2)),
      300n,
      100,
    )!;
    const part = planDone(plan, 90n);
    expect(part.diff).toMatchObject({ isMergeable: false, timestamp: 2, isCompared: false });
    expect(part.done).toEqual(record(90n, 8n, true, 1));
    expect([part.diff.B.b, part.diff.E.b]).toEqual([7n, 8n]);
    expect(planDone(plan, 300n).done).toBe(plan.target);
  });
});

// ---- against a model

/** What happens to a volume: packs are logged, snapshots taken, transfers succeed or lose their ack. */
type Step =
  | { readonly kind: 'log'; readonly pb: number }
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'time'; readonly seconds: number }
  | { readonly kind: 'send'; readonly isAcknowledged: boolean }
  | { readonly kind: 'limit'; readonly maxPb: number };

const MAX_PACK = 20;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('log'), pb: fc.integer({ min: 1, max: MAX_PACK }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('snapshot') }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('time'), seconds: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send'), isAcknowledged: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('limit'),
      maxPb: fc.integer({ min: MAX_PACK, max: 90 }),
    }),
  },
) as fc.Arbitrary<Step>;

class Volume {
  #records = resetRecords(0n, 0);
  #partSent: PartSent | undefined;
  #packEnds = [0n];
  #now = 0;
  #maxPb = 50;
  /** Every diff a proxy may have, acknowledged or not: gid to lsid. */
  readonly gids = new Map<bigint, bigint>([[0n, 0n]]);
  readonly explicit: bigint[] = [];
  /** Ends of acknowledged ranges. */
  readonly delivered: LsidGid[] = [];

  get #latest(): bigint {
    return this.#packEnds.at(-1)!;
  }

  apply(given: Step): void {
    if (given.kind === 'log') this.#packEnds.push(this.#latest + BigInt(given.pb));
    if (given.kind === 'time') this.#now += given.seconds;
    if (given.kind === 'limit') this.#maxPb = given.maxPb;
    if (given.kind === 'snapshot') this.explicit.push(this.#take(false));
    if (given.kind === 'send') this.#send(given.isAcknowledged);
  }

  drain(): void {
    const isDue = () => this.#records.queue.length > 0 || this.#records.done.lsid < this.#latest;
    for (let round = 0; isDue(); round++) {
      if (round > 10_000) throw new Error('the log does not drain');
      this.#send(true);
    }
    expect(this.#records.done.lsid).toBe(this.#latest);
  }

  #take(isMergeable: boolean): bigint {
    const at = { lsid: this.#latest, isMergeable, now: this.#now };
    const { records: after, taken } = takeSnapshot(this.#records, at, this.#maxPb);
    this.#records = after;
    return taken.gid;
  }

  #send(isAcknowledged: boolean): void {
    this.#records = dropDelivered(this.#records);
    if (needsSnapshot(this.#records, this.#latest, this.#now, 5)) this.#take(true);
    if (this.#records.queue.length === 0) return;
    const plan = planSend(this.#records, this.#latest, this.#maxPb, this.#partSent)!;
    expect(plan.begin).toBe(this.#records.done);
    const end = this.#packEnds.findLast((packEnd) => packEnd <= plan.limit)!;
    // Chunks are never shorter than a pack here, so that something is always sent.
    if (plan.limit > plan.begin.lsid) expect(end).toBeGreaterThan(plan.begin.lsid);
    if (end !== plan.target.lsid) this.#partSent = { begin: plan.begin, end };
    const { done, diff } = planDone(plan, end);
    expect(diff.B.b).toBe(plan.begin.gid);
    expect(this.gids.get(done.gid) ?? done.lsid).toBe(done.lsid);
    this.gids.set(done.gid, done.lsid);
    if (!isAcknowledged) return;
    this.delivered.push(done);
    this.#records = dropDelivered({ done, queue: this.#records.queue });
  }
}

describe('any course of events', () => {
  it('delivers each block once and in order, never two contents under one gid, no explicit snapshot skipped', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 150, size: 'max' }), (steps) => {
        const volume = new Volume();
        for (const given of steps) volume.apply(given);
        volume.drain();
        const ends = volume.delivered;
        ends.forEach((end, i) => {
          const before = ends[i - 1] ?? { lsid: 0n, gid: 0n };
          expect(end.gid).toBeGreaterThan(before.gid);
          expect(end.lsid).toBeGreaterThanOrEqual(before.lsid);
        });
        expect(ends.map(({ gid }) => gid)).toEqual(expect.arrayContaining(volume.explicit));
      }),
      { numRuns: 1500, seed: 20260101 },
    );
  });
});
