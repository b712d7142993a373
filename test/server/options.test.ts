/** Options of the servers: defaults, refusals and warnings of each (cli.md 2). */
import { describe, expect, it, test } from 'vitest';
import { ARCHIVE_OPTIONS, archiveConfig } from '../../src/archive-server/config.ts';
import { type Logger, MIB, silentLogger } from '../../src/core/index.ts';
import { type OptionSpec, parseOriginal } from '../../src/core/original-options.ts';
import { PROXY_OPTIONS, proxyConfig } from '../../src/proxy-server/config.ts';
import {
  COMMON_OPTIONS,
  checkCommonOptions,
  keepAliveOf,
  OptionValues,
} from '../../src/server/common-options.ts';
import { STORAGE_OPTIONS, storageConfig } from '../../src/storage-server/config.ts';

const MUST = ['-archive', 'a0.example:10200', '-proxy', 'p0:10100,p1:10101'];

function optionsOf(specs: readonly OptionSpec[], words: readonly string[]): OptionValues {
  const options = [...COMMON_OPTIONS, ...specs];
  return new OptionValues(options, parseOriginal({ program: 'x', about: '', options }, words));
}

/** What a program does with its words before it touches anything. */
function storage(...words: string[]) {
  const options = optionsOf(STORAGE_OPTIONS, [...MUST, ...words]);
  checkCommonOptions(options);
  return storageConfig(options);
}

function proxy(...words: string[]) {
  const options = optionsOf(PROXY_OPTIONS, words);
  checkCommonOptions(options);
  return proxyConfig(options);
}

function archive(...words: string[]) {
  const options = optionsOf(ARCHIVE_OPTIONS, words);
  checkCommonOptions(options);
  return archiveConfig(options);
}

const KINDS = { storage, proxy, archive } as const;
type Kind = keyof typeof KINDS;

describe('defaults', () => {
  const SNAPPY = { kind: 'snappy', level: 0, nrCpu: 1 };

  it('common ones', () => {
    const options = optionsOf(PROXY_OPTIONS, []);
    const expected = { p: '5000', l: '-', maxconn: '10', fg: '2', to: '10', kaidle: '1800' };
    for (const [name, value] of Object.entries({ ...expected, kaintvl: '60', kacnt: '10' })) {
      expect([name, options.text(name)]).toEqual([name, value]);
    }
    for (const name of ['debug', 'ka', 'allow-exec']) expect(options.has(name)).toBe(false);
  });

  it('walb-storage', () => {
    expect(storage()).toEqual({
      baseDirectory: '/var/forest/walb/storage',
      archive: 'a0.example:10200',
      proxies: ['p0:10100', 'p1:10101'],
      maxBackgroundTasks: 1,
      maxWlogSend: 128 * MIB,
      snapshotInterval: 10,
      minDelay: 1000,
      maxDelay: 300_000,
      fullScanLbPerSec: 0,
      tsDeltaInterval: 60,
      syncCompression: SNAPPY,
    });
  });

  it('walb-proxy', () => {
    expect(proxy()).toEqual({
      baseDirectory: '/var/forest/walb/proxy',
      maxBackgroundTasks: 1,
      maxWdiffSend: 128 * MIB,
      maxWdiffFiles: 1000,
      minDelay: 1000,
      maxDelay: 300_000,
      retryTimeout: 1800,
      startStopped: false,
      spoolLimit: 0,
    });
  });

  it('walb-archive', () => {
    expect(archive()).toEqual({
      baseDirectory: '/var/forest/walb/archive',
      maxWdiffFiles: 1000,
      discard: 'zero',
      fsyncInterval: 1024 * MIB,
      autoResize: false,
      keepOneColdSnapshot: false,
      maxOpenDiffs: 0,
      maxOpenDiffsVirtual: 0,
      applySleepPercent: 0,
      lockTimeThreshold: 10_000,
      syncCompression: SNAPPY,
    });
  });
});

describe('values', () => {
  it.each<[Kind, string, object]>([
    ['storage', '-b /srv/s0', { baseDirectory: '/srv/s0' }],
    ['storage', '-bg 4', { maxBackgroundTasks: 4 }],
    ['storage', '-wl 0x10', { maxWlogSend: 16 * MIB }],
    ['storage', '-snapintvl 60', { snapshotInterval: 60 }],
    ['storage', '-delay 5 -maxdelay 60', { minDelay: 5000, maxDelay: 60_000 }],
    ['storage', '-fst 10M', { fullScanLbPerSec: 20_480 }],
    ['storage', '-fst 1m', { fullScanLbPerSec: 1953 }],
    ['storage', '-fst 511', { fullScanLbPerSec: 0 }],
    ['storage', '-tsdintvl 5', { tsDeltaInterval: 5 }],
    ['storage', '-sync-cmpr zstd:3:2', { syncCompression: { kind: 'zstd', level: 3, nrCpu: 2 } }],
    ['proxy', '-wd 64 -wn 10', { maxWdiffSend: 64 * MIB, maxWdiffFiles: 10 }],
    ['proxy', '-rto 0 -stop', { retryTimeout: 0, startStopped: true }],
    ['archive', '-vg vg0 -tp tp0', { lvm: { group: 'vg0', pool: 'tp0' } }],
    ['archive', '-vg vg0', { lvm: { group: 'vg0', pool: '' } }],
    ['archive', '-discard ignore', { discard: 'ignore' }],
    ['archive', '-discard passdown', { discard: 'passdown' }],
    ['archive', '-fi 2G -autoresize', { fsyncInterval: 2048 * MIB, autoResize: true }],
    ['archive', '-keep-one-cold-snap', { keepOneColdSnapshot: true }],
    ['archive', '-maxopen 100 -maxopen-virt 50', { maxOpenDiffs: 100, maxOpenDiffsVirtual: 50 }],
    ['archive', '-apply-sleep-pct 99', { applySleepPercent: 99 }],
    ['archive', '-lock-time-th 0.5', { lockTimeThreshold: 500 }],
    ['archive', '-sync-cmpr none:0:1', { syncCompression: { kind: 'none', level: 0, nrCpu: 1 } }],
  ])('walb-%s %s', (kind, words, expected) => {
    expect(KINDS[kind](...words.split(' '))).toMatchObject(expected);
  });
});

describe('refused', () => {
  const ZEROS: Readonly<Record<Kind, readonly string[]>> = {
    storage: ['bg', 'fg', 'wl', 'snapintvl', 'tsdintvl', 'maxconn', 'to', 'delay', 'maxdelay'],
    proxy: ['bg', 'fg', 'wd', 'wn', 'maxconn', 'to', 'delay', 'maxdelay'],
    archive: ['maxconn', 'fg', 'wn', 'fi', 'to'],
  };
  const zeros = Object.entries(ZEROS).flatMap(([kind, names]) =>
    names.map((name) => [kind as Kind, name] as const),
  );

  it.each(zeros)('walb-%s -%s 0', (kind, name) => {
    expect(() => KINDS[kind](`-${name}`, '0')).toThrow(`-${name} must be at least 1`);
  });

  it.each<[Kind, string, string]>([
    ['archive', '-bg 1', 'bad opt:-bg'],
    ['proxy', '-wl 128', 'bad opt:-wl'],
    ['archive', '-stop', 'bad opt:-stop'],
    ['archive', '-wl 1', 'bad opt:-wl'],
    ['archive', '-wd 1', 'bad opt:-wd'],
    ['archive', '-rto 1', 'bad opt:-rto'],
    ['archive', '-delay 1', 'bad opt:-delay'],
    ['proxy', '-archive a0:1', 'bad opt:-archive'],
    ['proxy', '--maxconn 5', 'bad opt:--maxconn'],
    ['proxy', '-maxconn=5', 'bad opt:-maxconn=5'],
    ['proxy', '-maxconn', 'no value:-maxconn'],
    ['proxy', '-maxconn -debug', 'no value:-maxconn'],
    ['proxy', '-maxconn -1', 'out of range'],
    ['proxy', '-p 65536', 'bad value:-p:65536'],
    ['proxy', '-p 5k', 'bad value:-p:5k'],
    ['proxy', '-wn 1t', 'bad value:-wn:1t'],
    ['archive', '-discard sometimes', '-discard is one of'],
    ['archive', '-apply-sleep-pct 100', 'sleep'],
    ['archive', '-lock-time-th soon', '-lock-time-th'],
    ['archive', '-sync-cmpr snappy:0:0', 'snappy:0:0'],
    ['archive', '-sync-cmpr snappy:10:1', 'snappy:10:1'],
    ['archive', '-tp tp0', 'needs -vg'],
    ['storage', '-archive nowhere', '-archive'],
    ['storage', '-proxy p0:1,p1', '-proxy'],
    ['storage', '-proxy p0:0', '-proxy'],
    ['proxy', '-kaidle 86401', 'at most 86400'],
    ['proxy', '-kaintvl 3601', 'at most 3600'],
    ['proxy', '-kacnt 101', 'at most 100'],
    ['proxy', '-ka -kacnt 0', '-kacnt must be at least 1'],
  ])('walb-%s %s', (kind, words, reason) => {
    expect(() => KINDS[kind](...words.split(' '))).toThrow(reason);
  });

  it('a storage without its archive or its proxies', () => {
    for (const [i, missing] of [
      [2, '-archive'],
      [0, '-proxy'],
    ] as const) {
      const words = MUST.slice(i, i + 2);
      expect(() => optionsOf(STORAGE_OPTIONS, words)).toThrow(`opt is necessary:${missing}`);
    }
  });
});

test.each([
  ['walb-storage', STORAGE_OPTIONS, storageConfig, MUST],
  ['walb-proxy', PROXY_OPTIONS, proxyConfig, []],
] as const)('%s raises -maxdelay to -delay, with a warning', (_, specs, configOf, must) => {
  const warnings: string[] = [];
  const log: Logger = { ...silentLogger, warn: (_fields, text) => void warnings.push(text) };
  const of = (...words: string[]) => configOf(optionsOf(specs, [...must, ...words]), log);
  expect(of('-delay', '20', '-maxdelay', '20')).toMatchObject({ maxDelay: 20_000 });
  expect(warnings).toEqual([]);
  expect(of('-delay', '20', '-maxdelay', '10')).toMatchObject({
    minDelay: 20_000,
    maxDelay: 20_000,
  });
  expect(warnings).toEqual(['-maxdelay 10 is less than -delay: 20 is taken']);
});

test('-ka alone takes the defaults of its values; without it they mean nothing', () => {
  const of = (...words: string[]) => keepAliveOf(optionsOf([], words));
  expect(of()).toBeUndefined();
  expect(of('-kaidle', '5')).toBeUndefined();
  expect(of('-ka')).toEqual({ idleSec: 1800, intervalSec: 60, count: 10 });
  const words = ['-kacnt', '100', '-ka', '-kaintvl', '3600', '-kaidle', '86400'];
  expect(of(...words)).toEqual({ idleSec: 86_400, intervalSec: 3600, count: 100 });
});
