/** The one-shot command line against a real group: words, stdout, exit codes (cli.md 0, 1). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { K_ARCHIVE, K_PROXY, K_STORAGE, type ServerKind } from '../../../src/walbc/constants.ts';
import { Controller } from '../../../src/walbc/controller/controller.ts';
import { ServerLayout } from '../../../src/walbc/layout.ts';
import { ServerConnectionParam } from '../../../src/walbc/servers.ts';
import { type Group, type GroupServer, startGroup } from '../../suite/in-process-group.ts';
import { type Outcome, walbc } from '../../support/walbc.ts';

const VOL = 'vol-1';
const SIZE_LB = 4 * 2048;
const TIME = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d';
/** A volume has no uuid of its own at first: whatever it is, it is 32 hex digits. */
const HEX32 = /^[0-9a-f]{32}\n$/;

let group: Group;
let gids: bigint[];

const addressOf = ({ address }: GroupServer): [string, string] => {
  const [host = '', port = ''] = address.split(':');
  return [host, port];
};

const at = (server: GroupServer, ...words: string[]): Promise<Outcome> => {
  const [host, port] = addressOf(server);
  return walbc('-id', 'ctl', '-a', host, '-p', port, ...words);
};

/** stdout of a command that has to succeed. */
async function answer(server: GroupServer, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await at(server, ...words);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout;
}

function param(name: string, server: GroupServer, kind: ServerKind): ServerConnectionParam {
  const [host, port] = addressOf(server);
  return new ServerConnectionParam(name, host, Number(port), kind);
}

beforeAll(async () => {
  group = await startGroup();
  const s0 = param('s0', group.storage, K_STORAGE);
  const p0 = param('p0', group.proxy, K_PROXY);
  const a0 = param('a0', group.archive, K_ARCHIVE);
  using controller = new Controller('walbc', new ServerLayout([s0], [p0], [a0]));
  const { path, device } = await group.device('d0', SIZE_LB);
  await controller.init_storage(s0, VOL, path);
  gids = [await controller.full_backup(s0, VOL)] as bigint[];
  await device.submit([{ kind: 'write', offset: 8, data: new Uint8Array(4096).fill(7) }]);
  gids.push(await controller.snapshot(s0, VOL, [a0]));
});

afterAll(async () => {
  await group[Symbol.asyncDispose]();
});

describe('questions any server answers', () => {
  it('tells its kind, its volumes and their states; unknown volumes are Clear', async () => {
    expect(await answer(group.storage, 'get', 'host-type')).toBe('storage\n');
    expect(await answer(group.proxy, 'get', 'host-type')).toBe('proxy\n');
    expect(await answer(group.archive, 'get', 'host-type')).toBe('archive\n');
    expect(await answer(group.archive, 'get', 'vol')).toBe(`${VOL}\n`);
    expect(await answer(group.storage, 'get', 'state', VOL)).toBe('Target\n');
    expect(await answer(group.proxy, 'get', 'state', VOL)).toBe('Started\n');
    expect(await answer(group.archive, 'get', 'state', 'nobody')).toBe('Clear\n');
    expect(await answer(group.archive, 'get', 'pid')).toBe(`${process.pid}\n`);
    expect(await answer(group.storage, 'version')).toMatch(
      /^version:\S+\tbuild_date:.*\tlog_version:2/,
    );
  });

  it('counts calls under the names of the original', async () => {
    expect(await answer(group.archive, 'get', 'handler-stat')).toBe('');
  });
});

describe('a storage (cli.md 1.5)', () => {
  it('answers in the documented lines', async () => {
    const { storage } = group;
    expect(await answer(storage, 'get', 'is-overflow', VOL)).toBe('0\n');
    expect(await answer(storage, 'get', 'uuid', VOL)).toMatch(HEX32);
    expect(await answer(storage, 'get', 'log-usage')).toMatch(
      new RegExp(`^name:${VOL}\\tusage_pb:\\d+\\tcapacity_pb:\\d+\\tpbs:512\\n$`),
    );
    expect(await answer(storage, 'get', 'latest-snap', VOL)).toMatch(
      new RegExp(`^name:${VOL}\\tkind:storage\\tgid:\\d+\\tlsid:\\d+\\ttimestamp:${TIME}\\n$`),
    );
    expect(await answer(storage, 'set-full-scan-bps', '10M')).toBe('');
  });

  it('prints the gid of a snapshot, greater than all before', async () => {
    const gid = BigInt(await answer(group.storage, 'snapshot', VOL));
    expect(gid > (gids.at(-1) as bigint)).toBe(true);
  });

  it('says its status line by line, complete and in order', async () => {
    const lines = (await answer(group.storage, 'status', VOL)).split('\n');
    expect(lines.slice(0, 3)).toEqual(['hostType storage', `volId ${VOL}`, 'state Target']);
    const names = lines.map((line) => line.split(' ')[0]);
    const wanted = ['action', 'stopState', 'isUnderMonitoring', 'wdevPath', 'sizeLb', 'size'];
    const after = ['isOverflow', 'logUsagePb', 'logCapacityPb', 'uuid', 'pbs', 'salt'];
    expect(names.slice(3, 15)).toEqual([...wanted, ...after]);
    expect(lines).toContain('size 4m');
    expect(names).toContain('-----DoneFile-----');
    expect(names).toContain('-----QueueFile-----');
  });
});

describe('a proxy (cli.md 1.4, 1.5)', () => {
  it('lists and shows archives', async () => {
    const { proxy, archive } = group;
    expect(await answer(proxy, 'archive-info', 'list', VOL)).toBe('a0\n');
    expect(await answer(proxy, 'archive-info', 'get', VOL, 'a0')).toBe(
      `${archive.address} snappy:0:1 0\n`,
    );
    expect(await answer(proxy, 'archive-info', 'list', 'nobody')).toBe('');
    expect(await answer(proxy, 'get', 'is-wdiff-send-error', VOL, 'a0')).toBe('0\n');
    // What was sent last may still be on its way.
    await expect.poll(() => answer(proxy, 'get', 'proxy-diff', VOL, 'a0')).toBe('');
    expect(await answer(proxy, 'kick')).toBe('');
  });
});

describe('an archive (cli.md 1.5)', () => {
  it('lists snapshots, diffs and sizes', async () => {
    const { archive } = group;
    const last = gids.at(-1);
    const restorable = await answer(archive, 'get', 'restorable', VOL, 'all');
    expect(restorable).toMatch(new RegExp(`^(\\d+ ${TIME} [01]\\n)+$`));
    expect(restorable).toMatch(new RegExp(`^${last} `, 'm'));
    const diffs = await answer(archive, 'get', 'diff', VOL);
    expect(diffs).toMatch(new RegExp(`^(\\|\\d+\\|-->\\|\\d+\\| [M-]- ${TIME} \\d+\\n)+$`));
    const count = diffs.trim().split('\n').length;
    expect(await answer(archive, 'get', 'num-diff', VOL)).toBe(`${count}\n`);
    expect(await answer(archive, 'get', 'vol-size', VOL)).toBe(`${SIZE_LB}\n`);
    expect(await answer(archive, 'get', 'base', VOL)).toMatch(/^<\|0,1\|>-\d{14}\n$/);
    expect(await answer(archive, 'get', 'restored', VOL)).toBe('');
    expect(await answer(archive, 'get', 'num-action', VOL, 'Restore')).toBe('0\n');
    expect(await answer(archive, 'get', 'all-actions')).toBe(
      `${VOL} Merge 0 --- Apply 0 --- Restore 0 --- ReplSyncAsClient 0 --- Resize 0 ---\n`,
    );
    expect(await answer(archive, 'get', 'archive-uuid', VOL)).toMatch(HEX32);
    expect(await answer(archive, 'get', 'exists-base-image', VOL)).toBe('1\n');
  });

  it('hashes a snapshot: the same twice, another for another bulk size', async () => {
    const gid = String(gids.at(-1));
    const hash = await answer(group.archive, 'bhash', VOL, gid, '64K');
    expect(hash).toMatch(HEX32);
    expect(await answer(group.archive, 'bhash', VOL, gid, '64K')).toBe(hash);
    expect(await answer(group.archive, 'bhash', VOL, gid, '32K')).not.toBe(hash);
  });
});

describe('what goes wrong (cli.md 0, 1.2)', () => {
  const FAILURE = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ERROR walbc error: /;

  it.each([
    [['-x'], 'OptionError:bad opt:-x'],
    [['-a', 'h'], 'OptionError:opt is necessary:-p'],
    [['-a', 'h', '-p', 'x', 'status'], 'OptionError:bad value:-p:x'],
    [['-a', 'h', '-p', '1'], 'OptionError:param is necessary:COMMAND'],
    [['-a', 'h', '-p', '1', 'nope'], 'OptionError:bad opt:nope'],
    [['-a', 'h', '-p', '1', 'status', '-to', '5'], 'OptionError:bad opt:-to'],
    [['-a', 'h', '-p', '1', 'clear-vol'], 'OptionError:'],
    [['-a', 'h', '-p', '1', 'exec'], 'OptionError:'],
  ])('%j prints the reason and the usage on stdout, exit 1', async (words, reason) => {
    const { code, stdout } = await walbc(...words);
    expect(code).toBe(1);
    expect(stdout).toContain(reason);
    expect(stdout).toContain('usage: walbc');
  });

  it.each<[string, 'storage' | 'proxy' | 'archive', string[], string]>([
    ['a target of another kind', 'archive', ['get', 'is-overflow', VOL], 'no such target'],
    ['an unknown target', 'archive', ['get', 'nonsense'], 'no such target'],
    [
      'an unknown archive',
      'proxy',
      ['archive-info', 'get', VOL, 'zz'],
      'archive info not exists:zz',
    ],
    ['a bad volume id', 'storage', ['get', 'state', 'a_b'], 'a_b'],
    ['a wrong state', 'storage', ['full-bkp', VOL], 'Target'],
    ['an unknown snapshot', 'archive', ['restore', VOL, '99999'], '99999'],
    ['a number of another kind', 'archive', ['get', 'diff', VOL, '5', '5'], '5'],
    [
      'remote programs that are not allowed',
      'storage',
      ['exec', '/bin/true'],
      'exec command is disabled',
    ],
    ['-retry where nothing is retried', 'storage', ['snapshot', 'nobody'], 'nobody'],
  ])('%s: one line on stderr, nothing on stdout, exit 1', async (_, server, words, text) => {
    const { code, stdout, stderr } = await at(group[server], ...words);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    const last = stderr.trim().split('\n').at(-1) ?? '';
    expect(last).toMatch(FAILURE);
    expect(last).toContain(text);
  });

  it('asks again before it gives a query up', async () => {
    const { code, stderr } = await walbc('-a', '127.0.0.1', '-p', '1', 'get', 'host-type');
    expect(code).toBe(1);
    expect(stderr).toContain('retry 1\n');
    expect(stderr).toContain('retry 2\n');
    expect(stderr).not.toContain('retry 3\n');
  });

  it('helps on stdout, exit 0', async () => {
    const { code, stdout } = await walbc('-h');
    expect(code).toBe(0);
    for (const command of ['full-bkp', 'archive-info', 'virt-full-scan', 'gc-diff']) {
      expect(stdout).toContain(command);
    }
  });
});
