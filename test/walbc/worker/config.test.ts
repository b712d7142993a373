import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { workerConfig } from '../../../src/walbc/worker/config.ts';
import { configTree } from '../../../src/walbc/worker/config-tree.ts';
import { parsePeriod, parseWorkerSize } from '../../../src/walbc/worker/config-values.ts';

const MINIMAL = {
  general: { addr: 'localhost', port: 10200, walbc_path: '/usr/bin/walbc' },
  apply: { keep_period: '3d' },
  merge: { interval: '10m' },
};

describe('worker configuration (worker.md 2)', () => {
  it('fills in the documented defaults', () => {
    const config = workerConfig([MINIMAL]);
    expect(config.general).toMatchObject({
      maxTask: 1,
      maxReplicationTask: 1,
      kickInterval: 1,
      timeout: 0,
    });
    expect(config.apply).toEqual({ keepPeriod: 3 * 86400, interval: 86400 });
    expect(config.merge).toEqual({
      interval: 600,
      maxNr: Number.POSITIVE_INFINITY,
      maxSize: Number.POSITIVE_INFINITY,
      thresholdNr: Number.POSITIVE_INFINITY,
    });
    expect(config.repl).toEqual({ servers: [], disabledVolumes: [] });
  });

  it('lets later files override earlier ones key by key, replacing the list of volumes', () => {
    const repl = {
      servers: { a1: { addr: 'h', port: 1, interval: '1h' } },
      disabled_volumes: ['x', 'y'],
    };
    const config = workerConfig([
      { ...MINIMAL, repl },
      {
        general: { port: 7 },
        repl: { servers: { a1: { bulk_size: '1M' } }, disabled_volumes: ['z'] },
      },
    ]);
    expect(config.general).toMatchObject({ addr: 'localhost', port: 7 });
    expect(config.repl.servers).toMatchObject([
      { name: 'a1', addr: 'h', port: 1, interval: 3600, bulkSize: '1M', compress: 'snappy:0:1' },
    ]);
    expect(config.repl.disabledVolumes).toEqual(['z']);
  });

  it('has what is kept said once: by keep_period or by retention', () => {
    const retention = { keep_all: '3d', daily: '30d' };
    const config = workerConfig([{ ...MINIMAL, apply: { interval: '1h' }, retention }]);
    expect(config.apply).toEqual({ keepPeriod: undefined, interval: 3600 });
    expect(config.retention?.general).toMatchObject({ keepAll: 3 * 86400 });
    expect(() => workerConfig([{ ...MINIMAL, retention }])).toThrow(
      'apply.keep_period and retention both say what is kept',
    );
    expect(workerConfig([{ ...MINIMAL, retention: null }]).retention).toBeUndefined();
  });

  it('prints what it has read as a file that says the same', () => {
    const full = {
      general: { addr: 'a', port: 1, max_task: 2, kick_interval: '1m' },
      apply: { interval: '01:00:00' },
      merge: { interval: '1h', max_nr: 7, max_size: '3M', threshold_nr: 9 },
      retention: {
        keep_all: '3d',
        hourly: '7d',
        yearly: '1000d',
        volumes: { db: { keep: [12, '18446744073709551615'] }, tmp: { enabled: false } },
      },
      repl: {
        servers: { a1: { addr: 'h', port: 2, interval: '1h', compress: 'zstd:3:1' } },
        disabled_volumes: ['x'],
      },
    };
    for (const tree of [MINIMAL, full]) {
      const config = workerConfig([tree]);
      expect(workerConfig([parse(stringify(configTree(config)))])).toEqual(config);
    }
  });

  it('asks nothing of a destination that is not enabled', () => {
    const config = workerConfig([{ ...MINIMAL, repl: { servers: { a1: { enabled: false } } } }]);
    expect(config.repl.servers[0]).toMatchObject({ enabled: false });
  });

  it.each([
    [{ ...MINIMAL, general: { addr: 'h', walbc_path: '/x' } }, 'general.port is missing'],
    [{ ...MINIMAL, general: { ...MINIMAL.general, port: 0 } }, 'general.port 0 is not a port'],
    [{ ...MINIMAL, apply: {} }, 'apply.keep_period is missing'],
    [{ ...MINIMAL, apply: { keep_period: 0 } }, 'apply.keep_period must be more than 0'],
    [{ ...MINIMAL, apply: { keep_perod: '3d' } }, 'apply.keep_perod is not a known key'],
    [{ ...MINIMAL, merge: { interval: 'soon' } }, "merge.interval 'soon' is no period"],
    [{ ...MINIMAL, merge: { interval: 1, max_size: '1m' } }, "merge.max_size '1m' is no size"],
    [
      { ...MINIMAL, repl: { servers: { a1: { addr: 'h', port: 1 } } } },
      'repl.servers.a1.interval must be',
    ],
    [{ ...MINIMAL, repl: { disabled_volumes: 'v' } }, 'repl.disabled_volumes must be a list'],
    [{ ...MINIMAL, generel: {} }, 'generel is not a known key'],
  ])('refuses %j', (tree, message) => {
    expect(() => workerConfig([tree as never])).toThrow(message);
  });

  it.each([
    ['90', 90],
    ['2m', 120],
    ['2h', 7200],
    ['3d', 259200],
    ['01:02:03', 3723],
    ['100:00:00', 360000],
  ])('reads the period %s', (text, seconds) => {
    expect(parsePeriod(text, 'key')).toBe(seconds);
  });

  it.each(['', '-1', '1s', '1:70:00', 'h'])('refuses the period %j', (text) => {
    expect(() => parsePeriod(text, 'key')).toThrow('is no period');
  });

  it('reads sizes in powers of 1024', () => {
    expect(parseWorkerSize('2K', 'key')).toBe(2048);
    expect(parseWorkerSize(7, 'key')).toBe(7);
  });
});
