/**
 * Server programs started as the Python library and start-up scripts start them: all options, in any
 * order; what they say of them; how they end (cli.md 2, controller-api.md 1.3 get_server_args).
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { startProcess } from '../../../src/cli/group-process.ts';
import { parseHostPort } from '../../../src/core/index.ts';
import {
  K_ARCHIVE,
  K_PROXY,
  K_STORAGE,
  ServerConnectionParam,
  type ServerKind,
  type ServerParam,
  serverKindMap,
} from '../../../src/walbc/index.ts';
import { ROOT, walb } from '../support.ts';
import { answer, pattern } from './walbc.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-servers-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Options as a dictionary keeps them: in no particular order. */
function inSomeOrder(options: Readonly<Record<string, string | number | null>>): string[] {
  const [names = []] = fc.sample(
    fc.shuffledSubarray(Object.keys(options), { minLength: Object.keys(options).length }),
    { numRuns: 1, seed: 20260102 },
  );
  return names.flatMap((name) => {
    const value = options[name];
    return value === null ? [`-${name}`] : [`-${name}`, String(value)];
  });
}

async function withServer(
  kind: ServerKind,
  name: string,
  options: Readonly<Record<string, string | number | null>>,
  use: (server: ServerParam) => Promise<void>,
): Promise<void> {
  const words = { p: 0, b: join(folder, name), l: `${name}.log`, id: name, ...options };
  mkdirSync(words.b, { recursive: true });
  const running = await startProcess({
    name,
    program: `walb-${serverKindMap[kind]}` as 'walb-proxy',
    args: inSomeOrder(words),
    ready: /listens on (\S+)$/,
    logFile: join(folder, `${name}.err`),
  });
  const { host, port } = parseHostPort(running.ready[1] as string);
  try {
    await use(new ServerConnectionParam(name, host, port, kind));
  } finally {
    await running.stop();
  }
}

describe('options of a start-up script', () => {
  test('walb-proxy', async () => {
    const options = {
      ...{ fg: 3, bg: 4, maxconn: 20, to: 30, debug: null, wd: 64, wn: 500 },
      ...{ delay: 2, maxdelay: 60, rto: 600, stop: null },
      ...{ ka: null, kaidle: 100, kaintvl: 20, kacnt: 3 },
    };
    await withServer(K_PROXY, 'p0', options, async (p0) => {
      expect(await answer(p0, 'status')).toMatch(
        pattern(
          '-----ProxyGlobal-----',
          'nodeId p0',
          `baseDir ${join(folder, 'p0')}`,
          'maxWdiffSendMb 64',
          'minDelaySecForRetry 2',
          'maxDelaySecForRetry 60',
          'retryTimeout 600',
          'maxConnections 20',
          'maxForegroundTasks 3',
          'maxBackgroundTasks 4',
          'socketTimeout 30',
          'keepAlive ON (idle 100 intvl 20 cnt 3)',
          '-----TaskQueue 0-----',
          '-----Volume-----',
        ),
      );
      // -l is in the base directory; -debug shows calls.
      const log = readFileSync(join(folder, 'p0/p0.log'), 'utf8');
      expect(log).toMatch(/listening/);
      expect(log).toMatch(/debug/);
    });
  });

  test('walb-archive', async () => {
    const options = {
      ...{ fg: 3, maxconn: 20, to: 30, wn: 500, discard: 'ignore', fi: '64M' },
      ...{ autoresize: null, 'keep-one-cold-snap': null, maxopen: 100, 'maxopen-virt': 50 },
      ...{ 'apply-sleep-pct': 10, 'lock-time-th': '2.5', 'sync-cmpr': 'none:0:1', ka: null },
    };
    await withServer(K_ARCHIVE, 'a0', options, async (a0) => {
      const text = await answer(a0, 'status');
      expect(text.split('\n').slice(4)).toEqual([
        'maxConnections 20',
        'maxForegroundTasks 3',
        'socketTimeout 30',
        'keepAlive ON (idle 1800 intvl 60 cnt 10)',
        'doAutoResize 1',
        'keepOneColdSnapshot 1',
        '-----Volume-----',
        '',
      ]);
    });
  });

  test('walb-storage: a longest delay below the shortest is raised, with a warning', async () => {
    const options = {
      ...{ archive: 'localhost:1', proxy: 'localhost:2,localhost:3', fg: 3, bg: 4, wl: 32 },
      ...{ snapintvl: 60, delay: 20, maxdelay: 10, fst: '1M', tsdintvl: 30, to: 5 },
      'sync-cmpr': 'zstd:3:2',
    };
    await withServer(K_STORAGE, 's0', options, async (s0) => {
      expect(await answer(s0, 'status')).toMatch(
        pattern(
          '-----StorageGlobal-----',
          'nodeId s0',
          `baseDir ${join(folder, 's0')}`,
          'maxWlogSendMb 32',
          'minDelaySecForRetry 20',
          'maxDelaySecForRetry 20',
          'maxConnections 10',
          'maxForegroundTasks 3',
          'maxBackgroundTasks 4',
          'socketTimeout 5',
          'keepAlive OFF',
          'fullScanLbPerSec 2048',
          '-----Archive-----',
          'host localhost:1:1',
          '-----Proxy-----',
          'host localhost:2:2 isAvailable {n} timeToNextCheck {int}',
          'host localhost:3:3 isAvailable {n} timeToNextCheck {int}',
          '-----TaskQueue-----',
          '-----Volume-----',
        ),
      );
      const log = readFileSync(join(folder, 's0/s0.log'), 'utf8');
      expect(log).toContain('-maxdelay 10 is less than -delay: 20 is taken');
    });
  });

  test('walb-proxy -stop: volumes stay Stopped at start', async () => {
    for (const [options, state] of [
      [{}, 'Stopped'],
      [{ stop: null }, 'Stopped'],
      [{}, 'Started'],
    ] as const) {
      await withServer(K_PROXY, 'p1', options, async (p1) => {
        if ((await answer(p1, 'get', 'vol')) === '') {
          await answer(p1, 'archive-info', 'add', 'vol', 'a0', 'localhost:1');
        }
        expect(await answer(p1, 'get', 'state', 'vol')).toBe(`${state}\n`);
      });
    }
  });
});

describe('a server that does not start: exit code 1', () => {
  it.each([
    ['walb-proxy', '-bg 0', /-bg must be at least 1/],
    ['walb-archive', '-fi 0', /-fi must be at least 1/],
    ['walb-storage', '-archive a:1 -proxy p:1 -wl 0', /-wl must be at least 1/],
  ] as const)('%s %s says why on stderr', async (program, line, reason) => {
    const base = join(folder, 'refused');
    mkdirSync(base, { recursive: true });
    const words = ['-p', '0', '-b', base, '-l', join(folder, 'refused.log'), ...line.split(' ')];
    const { code, out, err } = await walb(program, ...words);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(reason);
    expect(readFileSync(join(folder, 'refused.log'), 'utf8')).toMatch(reason);
  });

  it('its options do not parse: the reason and the usage on stdout', async () => {
    const { code, out, err } = await walb('walb-storage', '-proxy', 'p:1');
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out).toMatch(/^OptionError:opt is necessary:-archive\nusage: walb-storage /);
    expect(await walb('walb-proxy', 'word')).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^OptionError:redundant argVal:word\nusage: walb-proxy /),
      err: '',
    });
  });
});

test.each(['SIGINT', 'SIGQUIT', 'SIGABRT', 'SIGTERM'] as const)(
  '%s ends a server in order',
  async (signal) => {
    const base = join(folder, `signal-${signal}`);
    const child = execa(join(ROOT, 'bin/walb-proxy'), ['-p', '0', '-b', base], {
      reject: false,
      stdin: 'ignore',
    });
    const [line] = await once(child.stdout, 'data');
    expect(String(line)).toMatch(/^walb-proxy: \S+ listens on 127\.0\.0\.1:\d+\n$/);
    child.kill(signal);
    const { exitCode } = await child;
    expect(exitCode).toBe(0);
  },
);
