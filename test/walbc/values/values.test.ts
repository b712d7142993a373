/**
 * Value classes of the control library: text forms both ways, equality, what is refused; helpers and
 * checks (controller-api.md 1, 2, 4).
 */
import { describe, expect, it, test } from 'vitest';
import {
  aActive,
  CMPR_GZIP,
  CMPR_LZ4,
  CMPR_LZMA,
  CMPR_NONE,
  CMPR_SNAPPY,
  CMPR_ZSTD,
  CompressOpt,
  compress_kind_to_str,
  compress_str_to_kind,
  create_compress_opt_from_str,
  create_diff_from_str,
  create_meta_state_from_str,
  create_snapshot_from_str,
  create_ts_delta_from_str,
  DatetimeFormatDigits,
  DatetimeFormatPretty,
  Diff,
  datetime_to_str,
  GidInfo,
  get_server,
  K_ARCHIVE,
  K_PROXY,
  K_STORAGE,
  MetaState,
  parse_ltsv,
  printL,
  ServerConnectionParam,
  ServerLayout,
  Snapshot,
  SyncOpt,
  server_kind_to_str,
  str_to_datetime,
  str_to_server_kind,
  to_str,
  UINT64_MAX,
  verify_compress_kind,
  verify_function,
  verify_gid_range,
  verify_int,
  verify_iterable,
  verify_server_kind,
  verify_shutdown_mode,
  verify_size_unit,
  verify_type,
  verify_u64,
} from '../../../src/walbc/index.ts';

const MAX = '18446744073709551615';

describe('Snapshot', () => {
  it.each([
    ['|0|', 0n, 0n],
    ['|5,9|', 5n, 9n],
    [`|0,${MAX}|`, 0n, UINT64_MAX],
    [`|${MAX}|`, UINT64_MAX, UINT64_MAX],
  ])('%s', (text, gidB, gidE) => {
    const snapshot = new Snapshot(gidB, gidE);
    expect(String(snapshot)).toBe(text);
    expect(create_snapshot_from_str(text)).toEqual(snapshot);
    expect(snapshot.isDirty()).toBe(gidB !== gidE);
    const parsed = new Snapshot(1, 1);
    parsed.parse(text);
    expect(parsed.equals(snapshot)).toBe(true);
  });

  it('covers everything by default', () => {
    expect(String(new Snapshot())).toBe(`|0,${MAX}|`);
    expect(new Snapshot(1, 2).equals(new Snapshot(1, 3))).toBe(false);
    expect(new Snapshot(1, 2).equals('|1,2|')).toBe(false);
  });

  it.each(['', '5', '|5', '5|', '||', '|5,|', '|1,2,3|', '|a|', '|-1|', '| 5|'])(
    'refuses %j',
    (text) => {
      expect(() => create_snapshot_from_str(text)).toThrow();
    },
  );

  it('refuses a range that ends before it begins', () => {
    expect(() => new Snapshot(2, 1)).toThrow();
    expect(() => create_snapshot_from_str('|2,1|')).toThrow();
  });
});

describe('Diff', () => {
  it.each([
    ['|0|-->|1| -- 2026-01-02T03:04:05 4128', '20260102030405----0-1.wdiff'],
    ['|1|-->|2| M- 2026-01-02T03:04:05 0', '20260102030405-M--1-2.wdiff'],
    ['|1|-->|2| -C 2026-01-02T03:04:05 7', '20260102030405--C-1-2.wdiff'],
    ['|1,3|-->|4| MC 2026-01-02T03:04:05 7', '20260102030405-MC-1-3-4-4.wdiff'],
    ['|1|-->|2,5| -- 2026-01-02T03:04:05 7', '20260102030405----1-1-2-5.wdiff'],
  ])('%s', (text, fileName) => {
    const diff = create_diff_from_str(text);
    expect(String(diff)).toBe(text);
    expect(diff.genFileName()).toBe(fileName);
    diff.verify();
    expect(diff.isDirty()).toBe(text.includes(','));
    const other = create_diff_from_str(text);
    expect(diff.equals(other)).toBe(true);
  });

  it('is another one when any of its six fields is', () => {
    const text = '|1|-->|2| M- 2026-01-02T03:04:05 7';
    const diff = create_diff_from_str(text);
    for (const change of [
      ['|1|', '|0|'],
      ['|2|', '|3|'],
      ['M-', '--'],
      ['M-', 'MC'],
      [':05', ':06'],
      [' 7', ' 8'],
    ] as [string, string][]) {
      expect(diff.equals(create_diff_from_str(text.replace(...change)))).toBe(false);
    }
  });

  it('is not checked when it is made', () => {
    const diff = new Diff(new Snapshot(2, 2), new Snapshot(1, 1));
    expect([diff.isMergeable, diff.isCompDiff, diff.dataSize]).toEqual([false, false, 0]);
    expect(() => diff.verify()).toThrow();
    expect(() => new Diff().verify()).toThrow();
  });

  it.each([
    '',
    '|0|-->|1| -- 2026-01-02T03:04:05',
    '|0|-->|1| -- 2026-01-02T03:04:05 1 x',
    '|0|-->|1|  -- 2026-01-02T03:04:05 1',
    '|0|-->|1| XX 2026-01-02T03:04:05 1',
    '|0|-->|1| -- --- 1',
    '|0|-->|1| -- 2026-01-02 1',
    '|1|-->|0| -- 2026-01-02T03:04:05 1',
  ])('refuses %j', (text) => {
    expect(() => create_diff_from_str(text)).toThrow();
  });
});

describe('MetaState', () => {
  it.each([
    ['<|0,1|>-20260102030405', false],
    ['<|3|>-20260102030405', false],
    ['<|3|-->|7|>-20260102030405', true],
    ['<|3,5|-->|7,9|>-20260102030405', true],
  ])('%s', (text, isApplying) => {
    const state = create_meta_state_from_str(text);
    expect(String(state)).toBe(text);
    expect(state.is_applying()).toBe(isApplying);
    const parsed = new MetaState();
    parsed.parse(text);
    expect(parsed.equals(state)).toBe(true);
  });

  it('is the same whatever its time', () => {
    const text = '<|3|-->|7|>-20260102030405';
    const state = create_meta_state_from_str(text);
    expect(state.equals(create_meta_state_from_str(text.replace('2026', '2027')))).toBe(true);
    expect(state.equals(create_meta_state_from_str('<|3|>-20260102030405'))).toBe(false);
    expect(create_meta_state_from_str('<|3|>-20260102030405').equals(state)).toBe(false);
    expect(state.equals(create_meta_state_from_str('<|3|-->|8|>-20260102030405'))).toBe(false);
  });

  it.each(['', '<|3|>', '<3>-20260102030405', '<|7|-->|3|>-20260102030405', '|3|-20260102030405'])(
    'refuses %j',
    (text) => {
      expect(() => create_meta_state_from_str(text)).toThrow();
    },
  );

  it('is checked when it is made', () => {
    expect(() => new MetaState(new Snapshot(5, 5), new Snapshot(4, 4))).toThrow();
  });
});

describe('GidInfo', () => {
  it.each([
    ['5 2026-01-02T03:04:05 1', true],
    ['5 2026-01-02T03:04:05 0', false],
    ['5 2026-01-02T03:04:05', null],
  ])('%s', (text, isExplicit) => {
    const info = new GidInfo(text);
    expect(String(info)).toBe(text);
    expect([info.gid, info.is_explicit]).toEqual([5n, isExplicit]);
    expect(info.ts).toEqual(new Date(Date.UTC(2026, 0, 2, 3, 4, 5)));
    expect(info.equals(new GidInfo(text))).toBe(true);
    expect(info.equals(new GidInfo(text.replace('5', '6')))).toBe(false);
    expect(info.equals(new GidInfo(text.replace(':05', ':06')))).toBe(false);
  });

  it.each(['', '5', '5 2026-01-02T03:04:05 1 1', 'x 2026-01-02T03:04:05', '5 now 1', '5 --- 2'])(
    'refuses %j',
    (text) => {
      expect(() => new GidInfo(text)).toThrow();
    },
  );
});

describe('CompressOpt and SyncOpt', () => {
  const KINDS = [
    [CMPR_NONE, 'none'],
    [CMPR_SNAPPY, 'snappy'],
    [CMPR_GZIP, 'gzip'],
    [CMPR_LZMA, 'lzma'],
    [CMPR_LZ4, 'lz4'],
    [CMPR_ZSTD, 'zstd'],
  ] as const;

  it.each(KINDS)('kind %i is %s', (kind, name) => {
    expect(compress_kind_to_str(kind)).toBe(name);
    expect(compress_str_to_kind(name)).toBe(kind);
    const option = new CompressOpt(kind, 9, 4);
    expect(String(option)).toBe(`${name}:9:4`);
    expect(create_compress_opt_from_str(`${name}:9:4`).equals(option)).toBe(true);
    expect(option.equals(new CompressOpt(kind, 9, 5))).toBe(false);
    verify_compress_kind(kind);
  });

  it('numbers are those of the library', () => {
    expect(KINDS.map(([kind]) => kind)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(String(new CompressOpt())).toBe('snappy:0:1');
  });

  it.each([
    '',
    'gzip',
    'gzip:1',
    'gzip:1:1:1',
    'rar:1:1',
    'gzip:10:1',
    'gzip:-1:1',
    'gzip:1:0',
    'gzip:a:1',
  ])('refuses %j', (text) => {
    expect(() => create_compress_opt_from_str(text)).toThrow();
  });

  it('refuses wrong numbers when it is made', () => {
    for (const [level, cpus] of [
      [10, 1],
      [-1, 1],
      [1.5, 1],
      [0, 0],
    ] as const) {
      expect(() => new CompressOpt(CMPR_GZIP, level, cpus)).toThrow();
    }
    expect(() => verify_compress_kind(6)).toThrow();
  });

  it('SyncOpt gives the words that follow archive-info and replicate', () => {
    const option = new SyncOpt();
    expect(option.getArchiveInfoArgs()).toEqual(['snappy:0:1', '0']);
    expect(option.getReplicateArgs()).toEqual(['snappy:0:1', '1G', '64K']);
    expect(String(option)).toBe('cmpr=snappy:0:1 merge=1G bulk=64K');
    const other = new SyncOpt(new CompressOpt(CMPR_ZSTD, 3, 2), 10, '64M', '128K');
    expect(other.getArchiveInfoArgs()).toEqual(['zstd:3:2', '10']);
    expect(other.getReplicateArgs()).toEqual(['zstd:3:2', '64M', '128K']);
    for (const args of [
      [null, -1],
      [null, 0, 'big'],
      [null, 0, '1G', ''],
    ] as ConstructorParameters<typeof SyncOpt>[]) {
      expect(() => new SyncOpt(...args)).toThrow();
    }
  });
});

describe('helpers', () => {
  const s0 = new ServerConnectionParam('s0', 'h', 1, K_STORAGE);
  const a0 = new ServerConnectionParam('a0', 'h', 2, K_ARCHIVE);

  test('to_str, parse_ltsv, create_ts_delta_from_str, printL', () => {
    expect(to_str(['a', 'b'])).toBe('a b');
    expect(parse_ltsv('a:1\tb:x:y\tc:')).toEqual({ a: '1', b: 'x:y', c: '' });
    expect(create_ts_delta_from_str('name:v\tts_delta:3')).toEqual({ name: 'v', ts_delta: '3' });
    expect(() => parse_ltsv('a:1\tb')).toThrow();
    const lines: string[] = [];
    printL([1n, new Snapshot(1, 1)], (line) => void lines.push(line));
    expect(lines).toEqual(['1', '|1|']);
  });

  test('get_server wants exactly one', () => {
    expect(get_server('s0', [s0, a0])).toBe(s0);
    for (const list of [[a0], [], [s0, s0]]) {
      expect(() => get_server('s0', list)).toThrow('get_server:not one'.replace(':', ': '));
    }
  });

  test('kinds of servers', () => {
    expect([K_STORAGE, K_PROXY, K_ARCHIVE]).toEqual([0, 1, 2]);
    for (const [kind, name] of [
      [K_STORAGE, 'storage'],
      [K_PROXY, 'proxy'],
      [K_ARCHIVE, 'archive'],
    ] as const) {
      expect(server_kind_to_str(kind)).toBe(name);
      expect(str_to_server_kind(name)).toBe(kind);
    }
    expect(() => str_to_server_kind('controller')).toThrow();
    expect(() => server_kind_to_str(3 as never)).toThrow();
    expect(() => new ServerConnectionParam('x', 'h', 1, 3 as never)).toThrow();
    expect(aActive).toEqual(['Archived', 'WdiffRecv', 'HashSync', 'ReplSyncAsServer']);
  });

  test('times are UTC', () => {
    const time = new Date(Date.UTC(2026, 0, 2, 3, 4, 5));
    for (const [format, text] of [
      [DatetimeFormatPretty, '2026-01-02T03:04:05'],
      [DatetimeFormatDigits, '20260102030405'],
    ] as const) {
      expect(datetime_to_str(time, format)).toBe(text);
      expect(str_to_datetime(text, format)).toEqual(time);
      expect(() => str_to_datetime('x', format)).toThrow();
    }
    expect(() => str_to_datetime('---', DatetimeFormatPretty)).toThrow();
  });

  test('ServerConnectionParam and ServerLayout', () => {
    expect(s0.get_host_port()).toBe('h:1');
    expect(String(s0)).toBe('s0, h, 1, storage');
    const layout = new ServerLayout([s0], [], [a0]);
    expect(String(layout)).toBe('s0, a0');
    expect(layout.get_all()).toEqual([s0, a0]);
    expect(layout.get_primary_archive()).toBe(a0);
    expect(() => new ServerLayout([s0], [], []).get_primary_archive()).toThrow();
    expect(() => new ServerLayout([a0], [], [])).toThrow();
    expect(layout.replace([], null, null).storageL).toEqual([s0]);
    layout.verify(1, 0, 1);
    expect(() => layout.verify(1, 1, 1)).toThrow();
  });
});

describe('checks', () => {
  const s0 = new ServerConnectionParam('s0', 'h', 1, K_STORAGE);
  const good: readonly (readonly [string, () => void])[] = [
    ['type', () => verify_type('a', String)],
    ['one of two types', () => verify_type(1n, [String, BigInt])],
    ['a list of a type', () => verify_type(['a'], Array, String)],
    ['None where it is allowed', () => verify_type(null, String, null, true)],
    ['None in a list where it is allowed', () => verify_type(['a', null], Array, String, true)],
    ['int', () => verify_int(-5)],
    ['u64', () => verify_u64(UINT64_MAX)],
    ['function', () => verify_function(() => {})],
    ['iterable', () => verify_iterable([])],
    ['gid range', () => verify_gid_range(3, 3, 'x')],
    ['size', () => verify_size_unit('64K')],
    ['size None', () => verify_size_unit(null, true)],
    ['mode', () => verify_shutdown_mode('force', 'x')],
    ['kind', () => verify_server_kind(s0, [K_PROXY, K_STORAGE])],
  ];
  const wrong: readonly (readonly [string, () => void])[] = [
    ['type', () => verify_type(1, String)],
    ['None', () => verify_type(null, String)],
    ['element', () => verify_type(['a', 1], Array, String)],
    ['None in a list', () => verify_type(['a', null], Array, String)],
    ['fraction', () => verify_int(1.5)],
    ['text as int', () => verify_int('1')],
    ['negative u64', () => verify_u64(-1)],
    ['too large u64', () => verify_u64(UINT64_MAX + 1n)],
    ['no function', () => verify_function('f')],
    ['no iterable', () => verify_iterable(1)],
    ['gid range', () => verify_gid_range(3, 2, 'x')],
    ['size without digits', () => verify_size_unit('K')],
    ['size as number', () => verify_size_unit(64)],
    ['mode', () => verify_shutdown_mode('empty', 'x')],
    ['kind', () => verify_server_kind(s0, [K_PROXY])],
    ['no server', () => verify_server_kind('s0', [K_STORAGE])],
  ];

  it.each(good)('passes: %s', (_, check) => {
    expect(check()).toBeUndefined();
  });

  it.each(wrong)('throws invalid-argument: %s', (_, check) => {
    expect(check).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });
});
