/** What get_server_args emits is what our servers take (controller-api.md 1.3, cli.md 2). */
import { describe, expect, test } from 'vitest';
import { ARCHIVE_OPTIONS, archiveConfig } from '../../src/archive-server/config.ts';
import { type OptionSpec, parseOriginal } from '../../src/core/original-options.ts';
import { PROXY_OPTIONS, proxyConfig } from '../../src/proxy-server/config.ts';
import {
  COMMON_OPTIONS,
  checkCommonOptions,
  OptionValues,
} from '../../src/server/common-options.ts';
import { STORAGE_OPTIONS, storageConfig } from '../../src/storage-server/config.ts';
import { K_ARCHIVE, K_PROXY, K_STORAGE, type ServerKind } from '../../src/walbc/constants.ts';
import { ServerLayout } from '../../src/walbc/layout.ts';
import { get_server_args, get_server_params, shellLine } from '../../src/walbc/server-params.ts';
import { ServerConnectionParam, ServerStartupParam } from '../../src/walbc/servers.ts';

const server = (name: string, kind: ServerKind, ...vg: string[]) =>
  new ServerStartupParam(
    new ServerConnectionParam(name, 'localhost', 10_000 + kind, kind),
    '/usr/bin/',
    `/srv/${name}`,
    null,
    ...vg,
  );
const [s0, p0, p1] = [server('s0', K_STORAGE), server('p0', K_PROXY), server('p1', K_PROXY)];
const [a0, a1] = [server('a0', K_ARCHIVE, 'vg0', 'pool'), server('a1', K_ARCHIVE)];
const sLayout = new ServerLayout([s0], [p0, p1], [a0, a1]);

function parsed(s: ServerStartupParam, options: readonly OptionSpec[]): OptionValues {
  const [program = '', ...words] = get_server_args(s, sLayout, true);
  const all = [...COMMON_OPTIONS, ...options];
  const values = new OptionValues(all, parseOriginal({ program, about: '', options: all }, words));
  checkCommonOptions(values);
  return values;
}

describe('options of a server that is started', () => {
  test('storage', () => {
    const values = parsed(s0, STORAGE_OPTIONS);
    expect(values.text('proxy')).toBe('localhost:10001,localhost:10001');
    expect(values.text('archive')).toBe('localhost:10002');
    expect(() => storageConfig(values)).not.toThrow();
  });

  test('proxy', () => {
    const values = parsed(p0, PROXY_OPTIONS);
    expect(values.text('bg')).toBe('1');
    expect(() => proxyConfig(values)).not.toThrow();
  });

  test('archive, on LVM and on files', () => {
    expect(archiveConfig(parsed(a0, ARCHIVE_OPTIONS)).lvm).toEqual({ group: 'vg0', pool: 'pool' });
    expect(archiveConfig(parsed(a1, ARCHIVE_OPTIONS)).lvm).toBeUndefined();
    expect(parsed(a0, ARCHIVE_OPTIONS).has('bg')).toBe(false);
  });
});

test('behind a repeater, with limits', () => {
  expect(get_server_params(p0, null, false, true, null, null, 5, 30)).toEqual({
    p: 20_001,
    b: '/srv/p0',
    l: '/srv/p0/p0.log',
    id: 'p0',
    maxconn: 5,
    to: 30,
  });
});

test('a storage without the layout is refused, a server that is only reached too', () => {
  expect(() => get_server_args(s0)).toThrow(/needs the server layout/);
  expect(() => get_server_params(s0.connParam, sLayout)).toThrow(/no ServerStartupParam/);
});

test.each([
  [['a', 'b c', "d'e", '$f', ''], `a 'b c' 'd'\\''e' '$f' ''`],
  [['-p', '5', '/x/y_z-1.log', 'a=b'], '-p 5 /x/y_z-1.log a=b'],
  [['*', '~', 'a\nb'], "'*' '~' 'a\nb'"],
])('%j for a shell', (words, line) => expect(shellLine(words)).toBe(line));
