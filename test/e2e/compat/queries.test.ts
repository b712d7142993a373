/** Every `get` target and `status` at real servers, line by line (cli.md 1.5, 1.6). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServerParam } from '../../../src/walbc/index.ts';
import { Cluster, SIZE, SOON, VOLUME } from '../scenarios/support/cluster.ts';
import { until } from '../support.ts';
import { answer, pattern, refusal, writeAndSnapshot } from './walbc.ts';

const SIZE_LB = SIZE / 512;
const MAX_GID = '18446744073709551615';

let cluster: Cluster;
let s0: ServerParam;
let p0: ServerParam;
let a0: ServerParam;
let a1: ServerParam;

/** A volume at gid 2, all by commands: backed up to a0, replicated to a1, one snapshot taken. */
beforeAll(async () => {
  cluster = await Cluster.start({ archives: 2, storage: ['-tsdintvl', '1', '-fst', '1G'] });
  ({ s0, p0, a0, a1 } = cluster);
  const { walbc } = cluster;
  await answer(s0, 'init-vol', VOLUME, cluster.disk().path);
  await answer(p0, 'archive-info', 'add', VOLUME, 'a0', a0.get_host_port());
  await answer(p0, 'start', VOLUME);
  await answer(a0, 'init-vol', VOLUME);
  await answer(s0, 'full-bkp', VOLUME);
  await walbc.wait_for_restorable(a0, VOLUME, 1, SOON);
  expect(await writeAndSnapshot(cluster)).toBe(2n);
  await answer(a1, 'init-vol', VOLUME);
  await answer(a0, 'replicate', VOLUME, 'gid', '2', a1.get_host_port());
  await walbc.wait_for_replicated(a0, VOLUME, a1, 2, SOON);
});

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

describe('any server', () => {
  it('host-type, vol, pid, version', async () => {
    const kinds = [
      [s0, 'storage'],
      [p0, 'proxy'],
      [a0, 'archive'],
    ] as const;
    for (const [server, kind] of kinds) {
      expect(await answer(server, 'get', 'host-type')).toBe(`${kind}\n`);
      expect(await answer(server, 'get', 'vol')).toBe(`${VOLUME}\n`);
      expect(await answer(server, 'get', 'pid')).toMatch(/^[1-9]\d*\n$/);
      expect(await answer(server, 'version')).toMatch(
        /^version:\d+\.\d+\.\d+\S*\tbuild_date:[^\t]*\tlog_version:2(\tcommit:\S+)?\n$/,
      );
    }
  });

  it('state; unknown volumes are Clear', async () => {
    expect(await answer(s0, 'get', 'state', VOLUME)).toBe('Target\n');
    expect(await answer(p0, 'get', 'state', VOLUME)).toBe('Started\n');
    expect(await answer(a0, 'get', 'state', VOLUME)).toBe('Archived\n');
    for (const server of [s0, p0, a0]) {
      expect(await answer(server, 'get', 'state', 'unknown')).toBe('Clear\n');
    }
  });

  it('handler-stat: counts by client, latencies, get targets; each call begins anew', async () => {
    await answer(a1, 'get', 'handler-stat');
    await answer(a1, 'version');
    await answer(a1, 'version');
    await answer(a1, 'status');
    await answer(a1, 'get', 'state', VOLUME);
    expect(await answer(a1, 'get', 'handler-stat')).toMatch(
      pattern(
        'PROTOCOL_COUNT\tversion\tctl\t2',
        'PROTOCOL_COUNT\tstatus\tctl\t1',
        'PROTOCOL_LATENCY\tversion\t{sec}',
        'PROTOCOL_LATENCY\tstatus\t{sec}',
        'GET_COUNT\tstate\tctl\t1',
        'GET_COUNT\thandler-stat\tctl\t1',
      ),
    );
    expect(await answer(a1, 'get', 'handler-stat')).toBe('GET_COUNT\thandler-stat\tctl\t1\n');
  });

  it('a target another kind has is refused', async () => {
    const missing: readonly (readonly [ServerParam, readonly string[]])[] = [
      [s0, ['is-wdiff-send-error vol0 a0', 'proxy-diff vol0', 'diff vol0', 'base-all', 'thinpool']],
      [p0, ['is-overflow vol0', 'log-usage', 'uuid vol0', 'ts-delta', 'restorable vol0']],
      [a0, ['is-overflow vol0', 'log-usage', 'proxy-diff vol0', 'is-wdiff-send-error vol0 a0']],
    ];
    for (const [server, targets] of missing) {
      for (const target of [...targets, 'nonsense']) {
        const words = target.split(' ');
        expect(await refusal(server, 'get', ...words)).toContain(`no such target:${words[0]}`);
      }
    }
  });
});

describe('a storage', () => {
  it('is-overflow, log-usage, uuid', async () => {
    expect(await answer(s0, 'get', 'is-overflow', VOLUME)).toBe('0\n');
    const usage = pattern(`name:${VOLUME}\tusage_pb:{n}\tcapacity_pb:{n}\tpbs:512`);
    expect(await answer(s0, 'get', 'log-usage')).toMatch(usage);
    expect(await answer(s0, 'get', 'log-usage', VOLUME)).toMatch(usage);
    expect(await answer(s0, 'get', 'uuid', VOLUME)).toMatch(pattern('{hex}'));
    for (const target of ['is-overflow', 'log-usage', 'uuid']) {
      expect(await refusal(s0, 'get', target, 'unknown')).toContain('Clear');
    }
  });

  it('latest-snap, of targets only', async () => {
    const line = pattern(`name:${VOLUME}\tkind:storage\tgid:2\tlsid:{n}\ttimestamp:{time}`);
    expect(await answer(s0, 'get', 'latest-snap')).toMatch(line);
    expect(await answer(s0, 'get', 'latest-snap', VOLUME)).toMatch(line);
    expect(await refusal(s0, 'get', 'latest-snap', 'unknown')).toContain('unknown');
  });

  it('ts-delta', async () => {
    await until('ts-delta knows the archive', async () =>
      (await answer(s0, 'get', 'ts-delta')).includes('dest_gid:2'),
    );
    const left = `name:${VOLUME}\tdest:a0\tkind:storage\tdest_kind:archive\tgid:2\tts:{time}`;
    expect(await answer(s0, 'get', 'ts-delta')).toMatch(
      pattern(`${left}\tdest_gid:2\tdest_ts:{time}\tts_delta:0`),
    );
  });

  it('status of the server', async () => {
    const archive = `${a0.get_host_port()}:${a0.port}`;
    const proxy = `${p0.get_host_port()}:${p0.port}`;
    expect(await answer(s0, 'status')).toMatch(
      pattern(
        '-----StorageGlobal-----',
        'nodeId s0',
        `baseDir ${cluster.dataFolder('s0')}`,
        'maxWlogSendMb 128',
        'minDelaySecForRetry 1',
        'maxDelaySecForRetry 1',
        'maxConnections 10',
        'maxForegroundTasks 6',
        'maxBackgroundTasks 1',
        'socketTimeout 10',
        'keepAlive OFF',
        'fullScanLbPerSec 2097152',
        '-----Archive-----',
        `host ${archive}`,
        '-----Proxy-----',
        `host ${proxy} isAvailable 1 timeToNextCheck {int}`,
        '-----TaskQueue-----',
        '-----Volume-----',
        `volume ${VOLUME} state Target logUsagePb {n} logCapacityPb {n} oldestGid 2 latestGid 2 oldestLsid {n} permanentLsid {n}`,
      ),
    );
  });

  it('status of a volume', async () => {
    expect(await answer(s0, 'status', VOLUME)).toMatch(
      pattern(
        'hostType storage',
        `volId ${VOLUME}`,
        'state Target',
        'action WlogSend 0 WlogRemove 0',
        'stopState NotStopping',
        'isUnderMonitoring 1',
        `wdevPath ${cluster.disk().path}`,
        `sizeLb ${SIZE_LB}`,
        'size 12m',
        'isOverflow 0',
        'logUsagePb {n}',
        'logCapacityPb {n}',
        'uuid {hex}',
        'pbs 512',
        'salt {salt}',
        '-----DoneFile-----',
        'LsidGid timestamp {time} isMergeable 0 lsid {n} gid 2',
        '-----QueueFile-----',
      ),
    );
    const clear = 'hostType storage\nvolId unknown\nstate Clear\n';
    expect(await answer(s0, 'status', 'unknown')).toBe(clear);
  });
});

describe('a proxy', () => {
  it('latest-snap: a line per archive, empty where nothing is queued', async () => {
    const line = `name:${VOLUME}\tkind:proxy\tarchive:a0\tgid:\ttimestamp:\n`;
    expect(await answer(p0, 'get', 'latest-snap')).toBe(line);
    expect(await answer(p0, 'get', 'latest-snap', VOLUME)).toBe(line);
    expect(await refusal(p0, 'get', 'latest-snap', 'unknown')).toContain('unknown');
  });

  it('is-wdiff-send-error', async () => {
    expect(await answer(p0, 'get', 'is-wdiff-send-error', VOLUME, 'a0')).toBe('0\n');
    expect(await refusal(p0, 'get', 'is-wdiff-send-error', VOLUME, 'a9')).toContain('a9');
    expect(await refusal(p0, 'get', 'is-wdiff-send-error', 'unknown', 'a0')).toContain('Clear');
  });

  it('proxy-diff: queues that are empty', async () => {
    expect(await answer(p0, 'get', 'proxy-diff', VOLUME)).toBe('');
    expect(await answer(p0, 'get', 'proxy-diff', VOLUME, 'a0')).toBe('');
    expect(await refusal(p0, 'get', 'proxy-diff', VOLUME, 'a9')).toContain('a9');
  });

  it('status of the server', async () => {
    expect(await answer(p0, 'status')).toMatch(
      pattern(
        '-----ProxyGlobal-----',
        'nodeId p0',
        `baseDir ${cluster.dataFolder('p0')}`,
        'maxWdiffSendMb 128',
        'minDelaySecForRetry 1',
        'maxDelaySecForRetry 1',
        'retryTimeout 1800',
        'maxConnections 10',
        'maxForegroundTasks 6',
        'maxBackgroundTasks 1',
        'socketTimeout 10',
        'keepAlive OFF',
        '-----TaskQueue 0-----',
        '-----Volume-----',
        `volume ${VOLUME} state Started numDiff 0 totalSize 0 timestamp {time}`,
        '  archive a0 action None numDiff 0 totalSize 0 minGid {n} maxGid {n} {time}',
      ),
    );
  });

  it('status of a volume', async () => {
    expect(await answer(p0, 'status', VOLUME)).toMatch(
      pattern(
        'hostType proxy',
        `volume ${VOLUME}`,
        'state Started',
        `sizeLb ${SIZE_LB}`,
        'size 12m',
        'numDiff 0',
        'totalSize 0',
        'lastWlogReceivedTime {time}',
        'totalNumAction 0',
        '-----Archive-----',
        '  archive a0',
        `  host ${a0.get_host_port()}`,
        '  compression snappy:0:1',
        '  wdiffSendDelay 0',
        '  action None',
        '  numDiff 0',
        '  lastWdiffSentTime {time}',
        '  isWdiffSendError 0',
        '  wdiffTotalSize 0',
        '  wdiffSendDelayMeasured 0',
      ),
    );
    const clear = 'hostType proxy\nvolume unknown\nstate Clear\n';
    expect(await answer(p0, 'status', 'unknown')).toBe(clear);
  });
});

describe('an archive', () => {
  const DIFFS = ['|0|-->|1| -- {time} {n}', '|1|-->|2| -- {time} {n}'] as const;

  it('diff, num-diff and total-diff-size of a range of gids', async () => {
    const ranges: readonly (readonly [string, readonly string[]])[] = [
      ['', DIFFS],
      [`0 ${MAX_GID}`, DIFFS],
      ['0 1', [DIFFS[0]]],
      ['1', [DIFFS[1]]],
      ['1 2', [DIFFS[1]]],
      ['2', []],
      ['2 100', []],
    ];
    for (const [range, expected] of ranges) {
      const words = [VOLUME, ...range.split(' ').filter((word) => word !== '')];
      const text = await answer(a0, 'get', 'diff', ...words);
      expect(text).toMatch(pattern(...expected));
      expect(await answer(a0, 'get', 'num-diff', ...words)).toBe(`${expected.length}\n`);
      const sizes = text.split('\n').filter(Boolean);
      const sum = sizes.reduce((total, line) => total + Number(line.split(' ').at(-1)), 0);
      expect(await answer(a0, 'get', 'total-diff-size', ...words)).toBe(`${sum}\n`);
    }
    for (const target of ['diff', 'num-diff', 'total-diff-size']) {
      expect(await refusal(a0, 'get', target, VOLUME, '5', '5')).toMatch(/gid/);
      expect(await refusal(a0, 'get', target, VOLUME, '6', '5')).toMatch(/gid/);
    }
  });

  it('applicable-diff', async () => {
    expect(await answer(a0, 'get', 'applicable-diff', VOLUME)).toMatch(pattern(...DIFFS));
    expect(await answer(a0, 'get', 'applicable-diff', VOLUME, '2')).toMatch(pattern(...DIFFS));
    expect(await answer(a0, 'get', 'applicable-diff', VOLUME, '1')).toMatch(pattern(DIFFS[0]));
    expect(await answer(a0, 'get', 'applicable-diff', VOLUME, '0')).toBe('');
  });

  it('exists-diff, exists-base-image', async () => {
    expect(await answer(a0, 'get', 'exists-diff', VOLUME, '0', '0', '1', '1')).toBe('1\n');
    expect(await answer(a0, 'get', 'exists-diff', VOLUME, '1', '1', '2', '2')).toBe('1\n');
    expect(await answer(a0, 'get', 'exists-diff', VOLUME, '0', '0', '2', '2')).toBe('0\n');
    expect(await answer(a0, 'get', 'exists-diff', VOLUME, '0', '1', '1', '1')).toBe('0\n');
    expect(await answer(a0, 'get', 'exists-base-image', VOLUME)).toBe('1\n');
  });

  it('restorable, plain and all', async () => {
    const both = pattern('1 {time} 1', '2 {time} 1');
    expect(await answer(a0, 'get', 'restorable', VOLUME)).toMatch(both);
    expect(await answer(a0, 'get', 'restorable', VOLUME, 'all')).toMatch(both);
    expect(await refusal(a0, 'get', 'restorable', VOLUME, 'some')).toContain('some');
    expect(await answer(a0, 'get', 'restorable', 'unknown')).toBe('');
  });

  it('restored and cold: nothing yet', async () => {
    expect(await answer(a0, 'get', 'restored', VOLUME)).toBe('');
    expect(await answer(a0, 'get', 'cold', VOLUME)).toBe('');
    expect(await refusal(a0, 'get', 'restored', 'unknown')).toContain('Clear');
  });

  it('base, base-all, meta-snap, meta-state', async () => {
    expect(await answer(a0, 'get', 'base', VOLUME)).toMatch(pattern('<|0,1|>-{digits}'));
    expect(await answer(a0, 'get', 'base-all')).toMatch(
      pattern(`name:${VOLUME}\tmetastate:<|0,1|>-{digits}`),
    );
    expect(await answer(a0, 'get', 'meta-snap', VOLUME)).toBe('|2|\n');
    expect(await answer(a0, 'get', 'meta-snap', VOLUME, '1')).toBe('|1|\n');
    expect(await answer(a0, 'get', 'meta-snap', VOLUME, '0')).toBe('|0,1|\n');
    const states = [
      ['0', [], '<|2|>-{digits}'],
      ['0', ['1'], '<|1|>-{digits}'],
      ['1', [], '<|0,1|-->|2|>-{digits}'],
      ['1', ['1'], '<|0,1|-->|1|>-{digits}'],
      ['0', ['0'], '<|0,1|>-{digits}'],
    ] as const;
    for (const [isApplying, gid, text] of states) {
      const found = await answer(a0, 'get', 'meta-state', VOLUME, isApplying, ...gid);
      expect(found).toMatch(pattern(text));
    }
    expect(await refusal(a0, 'get', 'meta-state', VOLUME, '2')).toContain('0 or 1');
  });

  it('uuid, archive-uuid: those of the storage and of both archives', async () => {
    expect(await answer(a0, 'get', 'uuid', VOLUME)).toBe(await answer(s0, 'get', 'uuid', VOLUME));
    const uuid = await answer(a0, 'get', 'archive-uuid', VOLUME);
    expect(uuid).toMatch(pattern('{hex}'));
    expect(await answer(a1, 'get', 'archive-uuid', VOLUME)).toBe(uuid);
    for (const target of ['uuid', 'archive-uuid', 'base']) {
      expect(await refusal(a0, 'get', target, 'unknown')).toContain('Clear');
    }
  });

  it('vol-size, progress, volume-group, thinpool', async () => {
    expect(await answer(a0, 'get', 'vol-size', VOLUME)).toBe(`${SIZE_LB}\n`);
    expect(await refusal(a0, 'get', 'vol-size', 'unknown')).toContain('unknown');
    expect(await answer(a0, 'get', 'progress', VOLUME)).toBe('0\n');
    // Images in files: there is no volume group.
    expect(await answer(a0, 'get', 'volume-group')).toBe('\n');
    expect(await answer(a0, 'get', 'thinpool')).toBe('\n');
  });

  it('num-action, all-actions', async () => {
    for (const action of ['Merge', 'Apply', 'Restore', 'ReplSyncAsClient', 'Resize']) {
      expect(await answer(a0, 'get', 'num-action', VOLUME, action)).toBe('0\n');
    }
    expect(await refusal(a0, 'get', 'num-action', VOLUME, 'WlogSend')).toContain('WlogSend');
    expect(await refusal(a0, 'get', 'num-action', 'unknown', 'Apply')).toContain('Clear');
    expect(await answer(a0, 'get', 'all-actions')).toMatch(
      pattern(
        `${VOLUME} Merge 0 --- Apply 0 --- Restore 0 --- ReplSyncAsClient 0 {time} Resize 0 ---`,
      ),
    );
  });

  it('latest-snap, ts-delta', async () => {
    const line = pattern(`name:${VOLUME}\tkind:archive\tgid:2\ttimestamp:{time}`);
    expect(await answer(a0, 'get', 'latest-snap')).toMatch(line);
    expect(await answer(a0, 'get', 'latest-snap', VOLUME)).toMatch(line);
    expect(await refusal(a0, 'get', 'latest-snap', 'unknown')).toContain('unknown');
    const left = `name:${VOLUME}\tdest:a1\tkind:archive\tdest_kind:archive\tgid:2\tts:{time}`;
    expect(await answer(a0, 'get', 'ts-delta')).toMatch(
      pattern(`${left}\tdest_gid:2\tdest_ts:{time}\tts_delta:0`),
    );
    expect(await answer(a1, 'get', 'ts-delta')).toBe('');
  });

  it('status of the server', async () => {
    const [head, ...rest] = (await answer(a0, 'status')).split(/(?<=\nbaseDir [^\n]*\n)/);
    expect(head).toBe(`-----ArchiveGlobal-----\nnodeId a0\nbaseDir ${cluster.dataFolder('a0')}\n`);
    expect(rest.join('')).toMatch(
      pattern(
        `volumeGroup ${cluster.dataFolder('a0')}`,
        'maxConnections 10',
        'maxForegroundTasks 6',
        'socketTimeout 10',
        'keepAlive OFF',
        'doAutoResize 0',
        'keepOneColdSnapshot 0',
        '-----Volume-----',
        `volume ${VOLUME} state Archived totalNumAction 0 stopState NotStopping lastSyncTime {time} lastWdiffReceivedTime {time} numDiff 2 latestSnapshot |2| size 12m`,
      ),
    );
  });

  it('status of a volume', async () => {
    expect(await answer(a0, 'status', VOLUME)).toMatch(
      pattern(
        'hostType archive',
        `volume ${VOLUME}`,
        'state Archived',
        'action Merge 0 Apply 0 Restore 0 ReplSyncAsClient 0 Resize 0',
        'stopState NotStopping',
        'lastSyncTime {time}',
        'lastWdiffReceivedTime {time}',
        'progressLb 0',
        `sizeLb ${SIZE_LB}`,
        'size 12m',
        'uuid {hex}',
        'archiveUuid {hex}',
        'base <|0,1|>',
        'latest |2|',
        'numCold 0',
        'numRestored 0',
        'numRestorable 2',
        'numRestorableAll 2',
        'numDiff 2',
        'wdiffTotalSize {n}',
        'fullReplState None',
      ),
    );
    const clear = 'hostType archive\nvolume unknown\nstate Clear\n';
    expect(await answer(a0, 'status', 'unknown')).toBe(clear);
  });

  it('a volume without a base image', async () => {
    await answer(a1, 'init-vol', 'empty');
    expect(await answer(a1, 'get', 'exists-base-image', 'empty')).toBe('0\n');
    expect(await refusal(a1, 'get', 'vol-size', 'empty')).toContain('base');
    expect(await answer(a1, 'get', 'restorable', 'empty')).toBe('');
    expect(await answer(a1, 'status', 'empty')).toBe(
      [
        'hostType archive',
        'volume empty',
        'state SyncReady',
        'action Merge 0 Apply 0 Restore 0 ReplSyncAsClient 0 Resize 0',
        'stopState NotStopping',
        'lastSyncTime ---',
        'lastWdiffReceivedTime ---',
        'progressLb 0',
        'baseLv NOT FOUND',
        '',
      ].join('\n'),
    );
    expect(await answer(a1, 'status')).toContain(
      '\nvolume empty state SyncReady totalNumAction 0 stopState NotStopping lastSyncTime --- lastWdiffReceivedTime --- numDiff 0 baseLv NOT FOUND\n',
    );
    await answer(a1, 'clear-vol', 'empty');
    expect(await answer(a1, 'get', 'vol')).toBe(`${VOLUME}\n`);
  });
});
