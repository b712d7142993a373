import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { groupTable } from '../../../src/walbc/health/table.ts';
import { archive, failure, gap, group, NOW, queue, server, storage } from './support.ts';

const BROKEN = group({
  servers: [
    server('storage'),
    server('proxy', { spoolUsedBytes: 900, spoolLimitBytes: 1000 }),
    server('archive', { isUp: false, reason: 'no answer within 10 s' }),
  ],
  volumes: [
    storage({
      logUsageBytes: 800 * 2 ** 20,
      overflowInSec: 600,
      lagSec: 4000,
      lagBytes: 2 ** 29,
      failure: failure(4000, { message: `no available proxy: ${'p0:1 refused; '.repeat(20)}` }),
    }),
    storage({ volume: 'other', isOverflow: true, lastSent: 0 }),
  ],
  queues: [queue({ isSendError: true, numDiff: 12, bytes: 5e6, ageSec: 7200 })],
  archives: [
    archive({ restorableGid: null }),
    archive({ volume: 'new', lagSec: null, lagBytes: null }),
  ],
  gaps: [gap()],
});

describe('table of the group', () => {
  it('shows a group that is well', () => {
    const text = groupTable(group(), { columns: 80, colors: false });
    expect(text.split('\n')).toEqual([
      'server  kind     address      state  running  disk free   spool',
      's0      storage  localhost:1  up     1h       50 GiB 50%',
      'p0      proxy    localhost:1  up     1h       50 GiB 50%  0 B',
      'a0      archive  localhost:1  up     1h       50 GiB 50%',
      '',
      'volume  at  state   log  of     writes  full in  unsent  sent',
      'vol     s0  Target   0%  1 GiB  0 B/s   -        0 B 0s  5s ago',
      '',
      'volume  from  to  state    queued  behind  sent    send error',
      'vol     p0    a0  Started       0  0 B 0s  4s ago  no',
      '',
      'volume  at  state     restorable              behind  received  applied',
      `vol     a0  Archived  10 ${new Date((NOW - 6) * 1000).toISOString().slice(0, 19)}  0 B 0s  4s ago    never`,
      '',
      'all is well',
    ]);
  });

  it('does not call a group well that backs nothing up', () => {
    const empty = { ...group(), volumes: [], queues: [], archives: [] };
    const text = groupTable(empty, { columns: 80, colors: false });
    expect(text).toMatch(/\nnothing is backed up yet: walbc\.init_storage/);
    expect(text).not.toContain('all is well');
  });

  it('shows what is wrong, since when, and what is lost', () => {
    const text = groupTable(BROKEN, { columns: 80, colors: false });
    for (const part of ['DOWN', 'OVERFLOW', 'YES', 'never', 'Target!', '10m', '512 MiB 1h6m']) {
      expect(text).toContain(part);
    }
    expect(text).toMatch(/CRITICAL: a0 is down: no answer within 10 s/);
    expect(text).toMatch(/GAP in vol at a0: diffs from gid 5 to 8 are missing/);
    expect(text).not.toContain('all is well');
  });

  it('colours only what must be seen, and the same text', () => {
    const plain = groupTable(BROKEN, { columns: 80, colors: false });
    const colored = groupTable(BROKEN, { columns: 80, colors: true });
    expect(stripVTControlCharacters(colored)).toBe(plain);
    expect(colored).toContain('\x1b[31mOVERFLOW\x1b[39m');
    expect(colored).toContain('\x1b[31mDOWN');
  });

  it('is never wider than the terminal', () => {
    const name = fc.stringMatching(/^[0-9A-Za-z-]{1,64}$/);
    fc.assert(
      fc.property(name, name, fc.integer({ min: 60, max: 200 }), (volume, at, columns) => {
        const facts = group({
          servers: [server('proxy', { server: at, address: `${at}.example.org:10000` })],
          volumes: [storage({ volume, server: at, lastSent: 0, writeRate: 123_456_789 })],
          queues: [queue({ volume, server: at, archive: at, failure: failure(9e6), bytes: 1e15 })],
          archives: [archive({ volume, server: at, lagBytes: 1e15, lagSec: 1e7 })],
        });
        const lines = groupTable(facts, { columns, colors: false }).split('\n');
        for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});
