/** Facts and limits in, verdict out: each threshold at its edge, and the text monitoring systems read. */
import { describe, expect, it } from 'vitest';
import type { GroupStatus } from '../../../src/walbc/health/facts.ts';
import { judge } from '../../../src/walbc/health/judge.ts';
import {
  EXIT_CODES,
  firstLine,
  jsonText,
  performanceData,
  pluginText,
} from '../../../src/walbc/health/report.ts';
import { limitsOf } from '../../../src/walbc/health/thresholds.ts';
import { archive, failure, gap, group, NOW, queue, server, storage } from './support.ts';

const GIB = 1024 ** 3;
const USUAL = limitsOf();

const logUsed = (percent: number): GroupStatus =>
  group({ volumes: [storage({ logUsageBytes: (percent * GIB) / 100 })] });
const fullIn = (sec: number, percent = 20): GroupStatus =>
  group({
    volumes: [storage({ logUsageBytes: (percent * GIB) / 100, overflowInSec: sec })],
  });
const sendLag = (lagSec: number): GroupStatus => group({ volumes: [storage({ lagSec })] });
const queued = (ageSec: number): GroupStatus => group({ queues: [queue({ ageSec, numDiff: 3 })] });
const missing = (lagSec: number): GroupStatus =>
  group({ archives: [archive({ lagSec, isMissingData: true })] });
const snapshotAge = (sec: number): GroupStatus =>
  group({
    volumes: [storage({ latestGid: 11n })],
    archives: [archive({ restorableTime: NOW - sec })],
  });
const disk = (free: number): GroupStatus =>
  group({ servers: [server('archive', { diskFreeBytes: (free * 100 * GIB) / 100 })] });
const spool = (percent: number): GroupStatus =>
  group({
    servers: [server('proxy', { spoolUsedBytes: percent * 10, spoolLimitBytes: 1000 })],
  });
const failing = (since: number): GroupStatus =>
  group({ queues: [queue({ failure: failure(since) })] });

const CASES: readonly (readonly [string, GroupStatus, string])[] = [
  ['all is well', group(), 'ok'],
  ['log 59 % full', logUsed(59), 'ok'],
  ['log 60 % full', logUsed(60), 'warning'],
  ['log 79.9 % full', logUsed(79.9), 'warning'],
  ['log 80 % full', logUsed(80), 'critical'],
  ['overflow in more than 2 h', fullIn(7201), 'ok'],
  ['overflow in 2 h', fullIn(7200), 'warning'],
  ['overflow in 30 m', fullIn(1800), 'critical'],
  ['overflow soon of a ring that is hardly used', fullIn(60, 9), 'ok'],
  ['log has overflowed', group({ volumes: [storage({ isOverflow: true })] }), 'critical'],
  ['log waits for less than 15 m', sendLag(899), 'ok'],
  ['log waits for 15 m', sendLag(900), 'warning'],
  ['log waits for 1 h', sendLag(3600), 'critical'],
  ['diffs wait for less than 15 m', queued(899), 'ok'],
  ['diffs wait for 15 m', queued(900), 'warning'],
  ['diffs wait for 1 h', queued(3600), 'critical'],
  ['data are nowhere for 15 m', missing(900), 'warning'],
  ['data are nowhere for 1 h', missing(3600), 'critical'],
  [
    'an archive is behind for what waits elsewhere',
    group({ archives: [archive({ lagSec: 9999 })] }),
    'ok',
  ],
  ['snapshot less than 6 h old, newer data', snapshotAge(21_599), 'ok'],
  ['snapshot 6 h old, newer data', snapshotAge(21_600), 'warning'],
  ['snapshot 24 h old, newer data', snapshotAge(86_400), 'critical'],
  [
    'snapshot years old, nothing newer',
    group({ archives: [archive({ restorableTime: 1 })] }),
    'ok',
  ],
  [
    'no snapshot can be restored',
    group({ archives: [archive({ restorableGid: null, restorableTime: 0 })] }),
    'critical',
  ],
  [
    'an archive that waits for its first backup',
    group({ archives: [archive({ state: 'FullSync', latestGid: null, restorableGid: null })] }),
    'ok',
  ],
  ['disk 15.1 % free', disk(15.1), 'ok'],
  ['disk 15 % free', disk(15), 'warning'],
  ['disk 5 % free', disk(5), 'critical'],
  ['spool 69 % full', spool(69), 'ok'],
  ['spool 70 % full', spool(70), 'warning'],
  ['spool 90 % full', spool(90), 'critical'],
  ['sends fail for less than 5 m', failing(299), 'ok'],
  ['sends fail for 5 m', failing(300), 'warning'],
  ['sends fail for 1 h', failing(3600), 'critical'],
  ['sends fail for a month', failing(30 * 86_400), 'critical'],
  ['a gap that was just seen', group({ gaps: [gap({ ageSec: 0 })] }), 'warning'],
  ['a gap of 10 m', group({ gaps: [gap({ ageSec: 600 })] }), 'critical'],
  ['send error', group({ queues: [queue({ isSendError: true })] }), 'critical'],
  [
    'a server is down',
    group({ servers: [server('proxy', { isUp: false, reason: 'gone' })] }),
    'critical',
  ],
  ['a volume is stopped at a proxy', group({ queues: [queue({ state: 'Stopped' })] }), 'warning'],
  [
    'a volume is stopped at an archive',
    group({ archives: [archive({ state: 'Stopped' })] }),
    'warning',
  ],
  [
    'a volume is stopped at its storage',
    group({ volumes: [storage({ state: 'Stopped' })] }),
    'warning',
  ],
  ['a volume has only standbys', group({ volumes: [storage({ state: 'Standby' })] }), 'warning'],
  ['a backup is under way', group({ volumes: [storage({ state: 'HashSync' })] }), 'ok'],
  [
    'a standby beside its target',
    group({ volumes: [storage(), storage({ server: 's1', state: 'Standby' })] }),
    'ok',
  ],
  ['no proxy sends the volume', group({ queues: [] }), 'critical'],
  [
    'a storage does not reach a proxy that is up',
    group({ servers: [server('storage', { deadProxies: ['p0:1'] }), server('proxy')] }),
    'warning',
  ],
  [
    'a copy that is not synchronized, and not old',
    group({
      archives: [
        archive(),
        archive({ server: 'a1', isSynchronizing: false, lagSec: 9999, restorableTime: NOW - 9999 }),
      ],
    }),
    'ok',
  ],
  ['no servers', group({ servers: [], volumes: [], queues: [], archives: [] }), 'unknown'],
];

describe('verdict', () => {
  it.each(CASES)('%s', (_, facts, level) => {
    expect(judge(facts, USUAL).level).toBe(level);
  });

  it('lets the operator decide what is bad', () => {
    const down = group({ servers: [server('proxy', { isUp: false, reason: 'gone' })] });
    expect(judge(down, limitsOf({ down: 'warning' })).level).toBe('warning');
    expect(judge(down, limitsOf({ down: 'ok' })).level).toBe('ok');
    expect(judge(logUsed(99), limitsOf({ 'log-usage': 'off' })).level).toBe('ok');
    expect(judge(logUsed(99), limitsOf({ 'log-usage': '50%' })).level).toBe('warning');
    expect(judge(logUsed(51), limitsOf({ 'log-usage': ':50' })).level).toBe('critical');
    const behind = group({ archives: [archive({ lagBytes: 2 * GIB })] });
    expect(judge(behind, USUAL).level).toBe('ok');
    expect(judge(behind, limitsOf({ 'lag-bytes': '1g:10g' })).level).toBe('warning');
  });

  it('tells a proxy that is down once', () => {
    const servers = [
      server('storage', { deadProxies: ['p0:1'] }),
      server('proxy', { address: 'p0:1', isUp: false, reason: 'gone' }),
    ];
    expect(judge(group({ servers }), USUAL).findings.map(({ check }) => check)).toEqual(['down']);
  });

  it('misses a volume that was asked for', () => {
    const nothing = group({ volumes: [], queues: [], archives: [] });
    expect(judge(nothing, USUAL, 'vol').level).toBe('critical');
    // With a server that is down nobody can tell; that it is down is what has to be mended.
    const down = { ...nothing, servers: [server('storage', { isUp: false, reason: 'gone' })] };
    const { findings } = judge(down, USUAL, 'vol');
    expect(findings.map(({ check, level }) => [check, level])).toEqual([
      ['down', 'critical'],
      ['volume', 'unknown'],
    ]);
  });

  it('puts the worst first and names the last success', () => {
    const facts = group({
      volumes: [storage({ logUsageBytes: 0.7 * GIB })],
      queues: [queue({ failure: failure(30 * 86_400), lastSent: NOW - 30 * 86_400 })],
    });
    const { findings } = judge(facts, USUAL);
    expect(findings.map(({ level }) => level)).toEqual(['critical', 'warning']);
    expect(findings[0]?.text).toBe(
      'vol from p0 to a0 fails since 30d (7 times, last success 30d ago): no connection',
    );
  });
});

describe('plugin text', () => {
  it('is one line when all is well, with performance data', () => {
    const [first, ...rest] = pluginText(judge(group(), USUAL)).split('\n');
    expect(first).toMatch(/^WALB OK - 3 servers up, 1 volume, lag at most 0s, .* \| 's0_up'=1/);
    expect(first).toContain("'vol_s0_log_usage'=0%;60;80;0;100");
    expect(first).toContain("'a0_disk_free'=50%;15:;5:;0;100");
    expect(rest.join('\n')).not.toContain('|');
  });

  it('does not call up what is down, nor forget what waits for it, where that is no trouble', () => {
    const servers = [server('storage'), server('proxy'), server('archive', { isUp: false })];
    const facts = group({ servers, queues: [queue({ numDiff: 1, ageSec: 420 })], archives: [] });
    const [first] = pluginText(judge(facts, limitsOf({ down: 'ok' }))).split('\n');
    expect(first).toMatch(/^WALB OK - 2 of 3 servers up, 1 volume, lag at most 7m, /);
  });

  it('keeps what others say from breaking its form', () => {
    const reason = `broken | '${'x'.repeat(2000)}'\n| 'evil'=1`;
    const down = group({ servers: [server('proxy', { isUp: false, reason })] });
    const lines = pluginText(judge(down, USUAL)).split('\n');
    expect(lines[0]?.split('|')).toHaveLength(2);
    expect(lines[0]?.split('|')[0]?.length).toBeLessThan(450);
    expect(lines.slice(1).join('\n')).not.toContain('|');
  });

  it('names three troubles and counts the rest', () => {
    const gaps = Array.from({ length: 250 }, (_, i) => gap({ gidB: BigInt(i), ageSec: 900 }));
    const lines = pluginText(judge(group({ gaps }), USUAL)).split('\n');
    expect(lines[0]).toContain('(+247 more)');
    expect(lines.filter((line) => line.startsWith('CRITICAL: '))).toHaveLength(100);
    expect(lines).toContain('... and 150 more');
  });

  it('follows the plugin convention for values', () => {
    const metric = { name: 'x', unit: 'seconds', worse: 'lower', usual: '', about: '' } as const;
    const base = { label: "a 'b'=c|d", value: 1.23456, unit: 'seconds', metric } as const;
    const threshold = { warn: 5, critical: undefined };
    expect(performanceData({ ...base, threshold })).toBe("'a__b__c_d'=1.23s;5:;;0");
    expect(performanceData({ ...base, threshold, max: 9 })).toBe("'a__b__c_d'=1.23s;5:;;0;9");
    expect(EXIT_CODES).toEqual({ ok: 0, warning: 1, critical: 2, unknown: 3 });
    expect(firstLine('unknown', 'a\nb')).toBe('WALB UNKNOWN - a b');
  });

  it('gives the same as JSON, gids exact', () => {
    const facts = group({ archives: [archive({ latestGid: 2n ** 60n })] });
    const data = JSON.parse(jsonText(judge(facts, USUAL)));
    expect(data).toMatchObject({ level: 'ok', exitCode: 0, findings: [] });
    expect(data.group.archives[0].latestGid).toBe(String(2n ** 60n));
    expect(data.measurements[0]).toEqual({ label: 's0_up', value: 1, unit: 'count' });
  });
});
