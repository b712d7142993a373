/** Retention by example: what stays, what goes, how, and why. */
import { describe, expect, it } from 'vitest';
import { MAX_MERGED_DIFFS } from '../../../src/walbc/retention/merges.ts';
import { PERIODS } from '../../../src/walbc/retention/periods.ts';
import { isSettled, planRetention } from '../../../src/walbc/retention/plan.ts';
import { policyOf, retentionConfig, retentionPolicy } from '../../../src/walbc/retention/policy.ts';
import { planText } from '../../../src/walbc/retention/table.ts';
import type { ConfigTree } from '../../../src/walbc/worker/config-values.ts';
import { metaState, snapshot } from '../../../src/wdiff/algebra/index.ts';
import { ArchiveModel, clockwork } from './archive-model.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
/** Monday 2026-06-01T00:00:00Z. */
const MONDAY = Date.UTC(2026, 5, 1) / 1000;

/** Hourly explicit snapshots from Monday 00:00 on: gid n is hour n. */
function hours(count: number, flags = '') {
  return {
    base: metaState(snapshot(0n), MONDAY),
    diffs: clockwork(count, { start: MONDAY, flags }),
    replicas: [] as bigint[],
  };
}

const policy = (tree: ConfigTree) => retentionPolicy({ min_restorable: 1, ...tree });
const byFate = (plan: ReturnType<typeof planRetention>, fate: string) =>
  plan.snapshots.filter((one) => one.fate === fate).map(({ gid }) => Number(gid));

describe('what a policy keeps', () => {
  it('keeps all that is young, then the first of each day, and moves the base to the oldest', () => {
    const plan = planRetention(
      hours(72),
      policy({ keep_all: '6h', daily: '2d' }),
      MONDAY + 72 * HOUR,
    );
    expect(byFate(plan, 'keep')).toEqual([24, 48, 66, 67, 68, 69, 70, 71, 72]);
    expect(plan.apply).toBe(24n);
    expect(plan.applyBytes).toBe(2400);
    expect(plan.disable.map(Number)).toEqual([
      ...Array.from({ length: 23 }, (_, i) => 25 + i),
      ...Array.from({ length: 17 }, (_, i) => 49 + i),
    ]);
    expect(plan.merge).toMatchObject([
      { gidB: 24n, gidE: 48n, bytes: 2400, count: 24 },
      { gidB: 48n, gidE: 66n, bytes: 1800, count: 18 },
    ]);
    expect(plan.snapshots.find(({ gid }) => gid === 48n)?.why).toBe('daily');
    expect(plan.snapshots.find(({ gid }) => gid === 66n)?.why).toBe('keep_all');
  });

  it('keeps the first of a longer period until it ends, whatever comes after', () => {
    const settings = policy({ keep_all: '1h', daily: '3d', weekly: '30d' });
    const plan = planRetention(hours(10 * 24), settings, MONDAY + 10 * DAY);
    expect(byFate(plan, 'keep')).toEqual(
      [0, 168, 169, 192, 216, 239, 240].filter((n) => n !== 169),
    );
  });

  it('never goes below min_restorable, nor past the latest', () => {
    const facts = hours(48);
    const few = planRetention(
      facts,
      policy({ keep_all: 1, min_restorable: 4 }),
      MONDAY + 48 * HOUR,
    );
    expect(byFate(few, 'keep')).toEqual([45, 46, 47, 48]);
    const one = planRetention(facts, policy({ keep_all: 1 }), MONDAY + 48 * HOUR);
    expect(one.apply).toBe(48n);
  });

  it('keeps what is named, and says when it is not there', () => {
    const settings = policy({ keep_all: '1h', keep: [3, 1000] });
    const plan = planRetention(hours(48), settings, MONDAY + 48 * HOUR);
    expect(byFate(plan, 'keep')).toEqual([3, 47, 48]);
    expect(plan.notes).toEqual(["gid 1000 of 'keep' can not be restored here"]);
  });

  it('makes an implicit snapshot explicit where a period has no other', () => {
    const facts = hours(48, 'M'.repeat(48));
    const plan = planRetention(facts, policy({ keep_all: '2h', daily: '2d' }), MONDAY + 48 * HOUR);
    expect(plan.pin).toEqual([24n]);
    expect(byFate(plan, 'pin')).toEqual([24]);
    expect(plan.apply).toBeUndefined();
    expect(plan.merge).toMatchObject([
      { gidB: 0n, gidE: 24n },
      { gidB: 24n, gidE: 46n },
    ]);
    expect(byFate(plan, 'keep')).toEqual([0, 46, 47, 48]);
  });

  it('prefers an explicit snapshot to an earlier implicit one', () => {
    const flags = `-${'M'.repeat(29)}-${'M'.repeat(17)}`;
    const plan = planRetention(
      hours(48, flags),
      policy({ keep_all: '1h', daily: '30d' }),
      MONDAY + 48 * HOUR,
    );
    expect(byFate(plan, 'keep')).toEqual([0, 30, 47, 48]);
  });

  it('leaves the gid of a replication destination, and says when the base passes one', () => {
    const facts = { ...hours(48), replicas: [40n, 10n] };
    const plan = planRetention(facts, policy({ keep_all: '2h', daily: '1d' }), MONDAY + 48 * HOUR);
    expect(plan.apply).toBe(24n);
    expect(byFate(plan, 'later')).toEqual([40]);
    expect(plan.merge.map(({ gidB, gidE }) => [gidB, gidE])).toEqual([
      [24n, 40n],
      [40n, 46n],
    ]);
    expect(plan.notes[0]).toMatch(/destination is at gid 10, behind the new base image/);
  });
});

describe('merges', () => {
  const settings = policy({ keep_all: '1h', keep: [0] });
  const now = (count: number) => MONDAY + count * HOUR;

  it('take at most a hundred diffs each; a few rounds are enough for any number', () => {
    const count = 2500;
    const model = new ArchiveModel(hours(count));
    let rounds = 0;
    for (; rounds < 5; rounds += 1) {
      const plan = planRetention(model.facts(), settings, now(count));
      if (isSettled(plan)) break;
      expect(plan.merge.every((range) => range.count <= MAX_MERGED_DIFFS)).toBe(true);
      for (const step of model.steps(plan)) step();
    }
    expect(rounds).toBe(2);
    expect(model.restorable()).toEqual([0n, 2499n, 2500n]);
  });

  it('obey a limit of size, and say what stays because of it', () => {
    const facts = { ...hours(10), maxMergeSize: 300 };
    const plan = planRetention(facts, settings, now(10));
    expect(plan.merge.map(({ bytes }) => bytes)).toEqual([300, 300, 300]);
    expect(byFate(plan, 'later')).toEqual([3, 6]);
    expect(plan.snapshots[3]?.why).toMatch(/can not be merged yet/);
  });
});

describe('the preview', () => {
  const text = (plan: ReturnType<typeof planRetention>) =>
    planText('vol', plan, (time) => `+${(time - MONDAY) / HOUR}h`);

  it('has a line for each snapshot, the steps, and what is left', () => {
    const plan = planRetention(hours(4), policy({ keep_all: '1h' }), MONDAY + 4 * HOUR);
    expect(text(plan)).toEqual([
      'GID  UTC                  LOCAL   DIFF  ACTION  WHY',
      '  0  2026-06-01T00:00:00  +0h      0 B  DROP    no rule; the base image moves to 3',
      '  1  2026-06-01T01:00:00  +1h    100 B  DROP    no rule; the base image moves to 3',
      '  2  2026-06-01T02:00:00  +2h    100 B  DROP    no rule; the base image moves to 3',
      '  3  2026-06-01T03:00:00  +3h    100 B  keep    keep_all',
      '  4  2026-06-01T04:00:00  +4h    100 B  keep    latest, keep_all',
      'vol: move the base image to gid 3: frees 300 B of diffs',
      'vol: afterwards 2 snapshots can be restored, 3 (2026-06-01T03:00:00) to 4 (2026-06-01T04:00:00); 3 dropped',
    ]);
  });

  it('says first why nothing is dropped', () => {
    const plan = planRetention(hours(4), policy({ keep_all: '1h' }), MONDAY);
    expect(text(plan)[0]).toMatch(/^vol: nothing is dropped: snapshot 4 is 14400 s in the future/);
    expect(text(plan)).toContain('vol: nothing to do');
  });

  it('says that there is nothing', () => {
    const facts = { base: metaState(snapshot(0n, 5n), MONDAY), diffs: [], replicas: [] };
    expect(text(planRetention(facts, policy({ keep_all: '1h' }), MONDAY))).toEqual([
      'vol: nothing is dropped: no snapshot can be restored',
      'vol: nothing to do',
      'vol: afterwards no snapshot can be restored',
    ]);
  });
});

describe('when nothing is dropped', () => {
  const settings = policy({ keep_all: '1h' });

  it('counts ages from the newest snapshot: a month without backups drops nothing', () => {
    const facts = hours(3);
    const plan = planRetention(facts, policy({ keep_all: '1d' }), MONDAY + 90 * DAY);
    expect(isSettled(plan)).toBe(true);
    expect(byFate(plan, 'keep')).toEqual([0, 1, 2, 3]);
  });

  it('holds while a snapshot is in the future, naming it', () => {
    const plan = planRetention(hours(48), settings, MONDAY + 40 * HOUR);
    expect(plan.hold).toBe(
      'snapshot 48 is 28800 s in the future: check the clocks of its storage and of this machine',
    );
    expect(isSettled(plan)).toBe(true);
  });

  it('lets a clock that is a little behind pass', () => {
    expect(planRetention(hours(48), settings, MONDAY + 48 * HOUR - 300).hold).toBeUndefined();
  });

  it('takes snapshots after a clock went back for no older than those before', () => {
    const facts = hours(10);
    const diffs = facts.diffs.map((diff, i) => (i < 7 ? diff : { ...diff, timestamp: MONDAY + i }));
    const plan = planRetention({ ...facts, diffs }, policy({ keep_all: '30m' }), MONDAY + 8 * HOUR);
    expect(byFate(plan, 'keep')).toEqual([7, 8, 9, 10]);
    expect(plan.snapshots.find(({ gid }) => gid === 7n)?.rules).toContain('clock');
  });

  it('finishes an interrupted apply first', () => {
    const facts = { ...hours(48), base: metaState(snapshot(0n), MONDAY, snapshot(5n)) };
    const plan = planRetention(facts, settings, MONDAY + 48 * HOUR);
    expect(plan).toMatchObject({ apply: 5n, disable: [], merge: [], pin: [] });
    expect(plan.hold).toMatch(/half-way in <\|0\|-->\|5\|>/);
  });

  it('drops nothing of a volume that is switched off', () => {
    const plan = planRetention(
      hours(48),
      policy({ keep_all: '1h', enabled: false }),
      MONDAY + 48 * HOUR,
    );
    expect(isSettled(plan)).toBe(true);
    expect(plan.hold).toMatch(/switched off/);
  });
});

describe('periods (UTC)', () => {
  it.each([
    ['hourly', '2026-06-01T00:59:59Z', '2026-06-01T01:00:00Z'],
    ['daily', '2026-06-01T23:59:59Z', '2026-06-02T00:00:00Z'],
    ['weekly', '2026-06-07T23:59:59Z', '2026-06-08T00:00:00Z'],
    ['weekly', '1970-01-04T23:59:59Z', '1970-01-05T00:00:00Z'],
    ['monthly', '2026-12-31T23:59:59Z', '2027-01-01T00:00:00Z'],
    ['yearly', '2026-12-31T23:59:59Z', '2027-01-01T00:00:00Z'],
  ] as const)('%s changes between %s and %s', (name, before, after) => {
    const at = (text: string) => PERIODS[name](Date.parse(text) / 1000);
    expect(at(after)).toBe(at(before) + 1);
    expect(at(before)).toBe(PERIODS[name](Date.parse(before) / 1000 - HOUR + 1));
  });
});

describe('the section retention', () => {
  it('reads periods and overrides key by key', () => {
    const config = retentionConfig({
      keep_all: '3d',
      hourly: '7d',
      volumes: {
        db: { daily: '90d', keep: [12, '18446744073709551615'] },
        scratch: { enabled: false },
      },
    });
    expect(policyOf(config, 'other')).toEqual({
      enabled: true,
      keepAll: 3 * DAY,
      periods: { hourly: 7 * DAY },
      minRestorable: 3,
      keep: [],
    });
    expect(policyOf(config, 'db')).toMatchObject({
      periods: { hourly: 7 * DAY, daily: 90 * DAY },
      keep: [12n, 18446744073709551615n],
    });
    expect(policyOf(config, 'scratch').enabled).toBe(false);
  });

  it.each([
    [{}, 'retention.keep_all is missing'],
    [{ keep_all: 0 }, 'retention.keep_all must be more than 0'],
    [{ keep_all: '3d', hourly: 0 }, 'retention.hourly must be more than 0'],
    [{ keep_all: '3d', min_restorable: 0 }, 'retention.min_restorable must be more than 0'],
    [{ keep_all: '3d', dayly: '3d' }, 'retention.dayly is not a known key'],
    [{ keep_all: '3d', keep: [1] }, 'retention.keep belongs to one volume'],
    [{ keep_all: '3d', volumes: { v: { keep: 1 } } }, 'retention.volumes.v.keep must be a list'],
    [{ keep_all: '3d', volumes: { v: { keep: ['x'] } } }, 'retention.volumes.v.keep'],
    [{ keep_all: '3d', volumes: { v_1: {} } }, 'volume id'],
    [{ keep_all: '3d', volumes: { v: { hourly: '-1' } } }, 'retention.volumes.v.hourly'],
    [{ keep_all: '3d', enabled: 'no' }, 'retention.enabled must be true or false'],
  ])('refuses %j', (tree, message) => {
    expect(() => retentionConfig(tree as never)).toThrow(message);
  });
});
