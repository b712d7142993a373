/** How the real server processes start, fail to start, and end (cli.md 2, semantics.md F.1). */
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Channel, LB_SIZE, silentLogger } from '../../src/core/index.ts';
import {
  ArchiveRpc,
  ControlRpc,
  diffToMessage,
  grpcNetwork,
  ProxyRpc,
} from '../../src/rpc/index.ts';
import { cleanDiff, fullBackup, sendDiff, VOLUME } from '../archive-server/support.ts';
import { infoOf, sendLog, startVolume } from '../proxy-server/support.ts';
import { ROOT, until } from './support.ts';

type Program = 'walb-storage' | 'walb-proxy' | 'walb-archive';
const PROGRAMS: readonly Program[] = ['walb-storage', 'walb-proxy', 'walb-archive'];
/** What each needs to start. */
const NEEDED: Record<Program, readonly string[]> = {
  'walb-storage': ['-archive', '127.0.0.1:1', '-proxy', '127.0.0.1:1'],
  'walb-proxy': [],
  'walb-archive': [],
};
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGABRT'] as const;
const UUID = new Uint8Array(16).fill(3);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-shutdown-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let bases = 0;
/** An archive does not make its own. */
function newBase(): string {
  const base = join(folder, `base-${++bases}`);
  mkdirSync(base);
  return base;
}

/** A server process and a connection to it; killed at the end of the test, if it still runs. */
class Running implements AsyncDisposable {
  readonly channel: Channel;
  readonly address: string;
  readonly child: ReturnType<typeof spawnServer>;

  private constructor(child: ReturnType<typeof spawnServer>, address: string) {
    this.child = child;
    this.address = address;
    this.channel = grpcNetwork({ log: silentLogger }).connect(address, { clientId: 'test' });
  }

  static async start(program: Program, base: string, ...more: string[]): Promise<Running> {
    const child = spawnServer(program, base, ...more);
    const line = String((await Promise.race([once(child.stdout, 'data'), failure(child)]))[0]);
    return new Running(child, /listens on (\S+)/.exec(line)?.[1] as string);
  }

  /** Waits for the end; the lines of its log. */
  async ended(): Promise<{ code: number | undefined; log: Record<string, unknown>[] }> {
    const { exitCode, stderr } = await this.child;
    const log = stderr.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    return { code: exitCode, log };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.channel.close();
    this.child.kill('SIGKILL');
    await this.child;
  }
}

function spawnServer(program: Program, base: string, ...more: string[]) {
  const words = ['-p', '0', '-id', 'x0', '-b', base, ...NEEDED[program], ...more];
  return execa(join(ROOT, 'bin', program), words, { reject: false, stdin: 'ignore' });
}

async function failure(child: ReturnType<typeof spawnServer>): Promise<never> {
  const { exitCode, stderr } = await child;
  throw new Error(`it ended with ${exitCode}: ${stderr}`);
}

/** Names of files that only an interrupted write leaves. */
function temporaryFiles(base: string): string[] {
  return readdirSync(base, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /(^|\/)tmp[^/]{6}$|_tmp$/.test(name),
  );
}

describe.each(PROGRAMS)('%s', (program) => {
  // What all do alike is tried with all signals in one of them.
  test.each(program === 'walb-proxy' ? SIGNALS : (['SIGTERM'] as const))(
    'ends in order at %s, and starts again on the same folder',
    async (signal) => {
      const base = newBase();
      for (let round = 0; round < 2; round++) {
        await using server = await Running.start(program, base);
        server.child.kill(signal);
        const { code, log } = await server.ended();
        expect(code).toBe(0);
        expect(log.map(({ msg }) => msg)).toEqual(['listening', 'shutdown asked for', 'ended']);
        expect(log[1]).toMatchObject({ level: 'info', mode: 'force' });
        expect(temporaryFiles(base)).toEqual([]);
      }
    },
  );

  test('graceful answers the call that runs, takes no new one, and ends', async () => {
    await using server = await Running.start(program, newBase());
    const { channel } = server;
    const running = channel.unary(ControlRpc.sleep, { seconds: 2 });
    await until('the call runs', async () => (await callsRunning(channel)) > 1);
    await channel.unary(ControlRpc.shutdown, { mode: 'graceful' });
    await expect(running).resolves.toEqual({});
    const other = grpcNetwork({ log: silentLogger }).connect(server.address, { clientId: 'late' });
    await expect(other.unary(ControlRpc.getPid, {}, { timeout: 5000 })).rejects.toMatchObject({
      code: 'unavailable',
    });
    other.close();
    const { code, log } = await server.ended();
    expect(code).toBe(0);
    expect(log.at(-1)?.['msg']).toBe('ended');
  });

  test.each(['force', 'a signal after graceful'])('%s cuts a long call short', async (how) => {
    await using server = await Running.start(program, newBase());
    const { channel } = server;
    const running = channel.unary(ControlRpc.sleep, { seconds: 600 });
    running.catch(() => {});
    await until('the call runs', async () => (await callsRunning(channel)) > 1);
    const mode = how === 'force' ? 'force' : 'graceful';
    await channel.unary(ControlRpc.shutdown, { mode });
    if (how !== 'force') server.child.kill('SIGTERM');
    await expect(running).rejects.toMatchObject({
      code: expect.stringMatching(/cancelled|unavailable/),
    });
    expect((await server.ended()).code).toBe(0);
  });

  test('a watch that its reader left, or a shutdown ends, is no news', async () => {
    await using server = await Running.start(program, newBase());
    const { channel } = server;
    const left = new AbortController();
    const watch = async (signal?: AbortSignal): Promise<void> => {
      const options = signal === undefined ? {} : { signal };
      for await (const _ of channel.serverStream(ControlRpc.watch, { volumes: [] }, options)) {
        left.abort();
      }
    };
    await expect(watch(left.signal)).rejects.toMatchObject({ code: 'cancelled' });
    const other = watch();
    other.catch(() => {});
    await channel.unary(ControlRpc.getPid, {});
    server.child.kill('SIGTERM');
    await expect(other).rejects.toBeDefined();
    const { log } = await server.ended();
    expect(log.map(({ msg }) => msg)).toEqual(['listening', 'shutdown asked for', 'ended']);
  });
});

async function callsRunning(channel: Channel): Promise<number> {
  const { status } = await channel.unary(ControlRpc.status, { volume: '' });
  if (status?.$case !== 'proxy' && status?.$case !== 'storage' && status?.$case !== 'archive')
    return 0;
  return status.value.common?.connections ?? 0;
}

describe('what a forced end interrupts is gone, and can be done again', () => {
  test('a diff on its way to an archive', async () => {
    const base = newBase();
    const sizeLb = 64;
    const sent = { uuid: UUID, diff: cleanDiff(0n, 1n), ios: [], sizeLb };
    {
      await using server = await Running.start('walb-archive', base);
      const { channel } = server;
      await channel.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: '' });
      await fullBackup(channel, { image: new Uint8Array(sizeLb * LB_SIZE), uuid: UUID });
      const stream = channel.bidi(ArchiveRpc.transferWdiff);
      const hello = {
        volume: VOLUME,
        hostType: 'proxy',
        uuid: UUID,
        sizeLb,
        diff: diffToMessage(sent.diff),
      } as const;
      await stream.send({ message: { $case: 'hello', value: hello } });
      expect((await stream.receive())?.message?.$case).toBe('answer');
      await until('the file is begun', () => temporaryFiles(base).length === 1);
      server.child.kill('SIGTERM');
      await expect(stream.receive()).rejects.toMatchObject({ code: expect.any(String) });
      expect((await server.ended()).code).toBe(0);
      expect(temporaryFiles(base)).toEqual([]);
    }
    await using again = await Running.start('walb-archive', base);
    expect((await sendDiff(again.channel, sent)).answer).toBe('accept');
  });

  test('log on its way to a proxy', async () => {
    const base = newBase();
    {
      await using server = await Running.start('walb-proxy', base);
      const { channel } = server;
      const info = { ...infoOf('a0'), address: '127.0.0.1:1' };
      await channel.unary(ProxyRpc.addArchiveInfo, { volume: VOLUME, info });
      await startVolume(channel);
      const sending = sendLog(channel, 0n, 1n, {
        meanwhile: async () => {
          await until('the file is begun', () => temporaryFiles(base).length === 1);
          server.child.kill('SIGTERM');
          await server.child;
        },
      });
      await expect(sending).rejects.toMatchObject({ code: expect.any(String) });
      expect((await server.ended()).code).toBe(0);
      expect(temporaryFiles(base)).toEqual([]);
    }
    await using again = await Running.start('walb-proxy', base);
    await sendLog(again.channel, 0n, 1n);
  });
});

describe('a start that fails ends with 1 and says why, on stderr and in the log', () => {
  const certificate = (): string[] => {
    const file = join(folder, 'not-a-certificate.pem');
    writeFileSync(file, 'nothing of the kind');
    return ['-tls-cert', file, '-tls-key', file, '-tls-ca', file];
  };
  const cases: readonly [name: string, words: () => string[], reason: RegExp][] = [
    [
      'half of the TLS options',
      () => ['-tls-cert', '/x'],
      /-tls-cert, -tls-key and -tls-ca together/,
    ],
    [
      'a certificate that is not there',
      () => ['-tls-cert', '/none/c', '-tls-key', '/none/k', '-tls-ca', '/none/a'],
      /-tls-ca \/none\/a|-tls-cert \/none\/c/,
    ],
    ['a certificate that is none', certificate, /certificate|PEM/i],
    ['plain text beyond loopback', () => ['-listen', '0.0.0.0'], /TLS/],
    ['no foreground tasks', () => ['-fg', '0'], /-fg must be at least 1/],
    ['exec of a program that is no path', () => ['-allow-exec', 'sh'], /full paths/],
  ];

  describe.each(PROGRAMS)('%s', (program) => {
    // The options are those of all: one program shows each, the others one.
    const shown = program === 'walb-proxy' ? cases : cases.slice(0, 1);
    test.each(shown)('%s', async (_name, words, reason) => {
      const base = newBase();
      const log = join(folder, `${bases}.log`);
      const { exitCode, stdout, stderr } = await spawnServer(program, base, ...words(), '-l', log);
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      expect(stderr).toMatch(reason);
      expect(stderr.split('\n')).toHaveLength(1);
      expect(stderr.startsWith(`${program}: `)).toBe(true);
      const last = readFileSync(log, 'utf8').trimEnd().split('\n').at(-1) as string;
      expect(JSON.parse(last)).toMatchObject({ level: 'error', msg: 'server failed' });
      // Nothing is left that would keep the next one from starting.
      await using _next = await Running.start(program, base);
    });

    test('another process has its folder', async () => {
      const base = newBase();
      await using _first = await Running.start(program, base);
      const { exitCode, stderr } = await spawnServer(program, base);
      expect(exitCode).toBe(1);
      expect(stderr).toContain(base);
    });

    test('its folder, or that of its log, can not be made', async () => {
      const file = join(folder, 'a-file');
      writeFileSync(file, '');
      const below = await spawnServer(program, join(file, 'base'));
      expect(below.exitCode).toBe(1);
      expect(below.stderr).toContain(join(file, 'base'));
      const log = await spawnServer(program, newBase(), '-l', join(file, 'log'));
      expect(log.exitCode).toBe(1);
      expect(log.stderr).toContain(join(file, 'log'));
      expect(log.stderr.split('\n')).toHaveLength(1);
    });

    test('a folder it needs is made, with those above; an archive refuses', async () => {
      const base = join(newBase(), 'deep', 'er');
      if (program === 'walb-archive') {
        const { exitCode, stderr } = await spawnServer(program, base);
        expect({ exitCode, exists: existsSync(base) }).toEqual({ exitCode: 1, exists: false });
        expect(stderr).toContain(`mkdir -p ${base}`);
        return;
      }
      await using _server = await Running.start(program, base);
      expect(existsSync(base)).toBe(true);
    });
  });

  test.each([
    ['-archive', ['-archive', '192.0.2.1:1', '-proxy', '127.0.0.1:1']],
    ['-proxy', ['-archive', '127.0.0.1:1', '-proxy', '127.0.0.1:1,192.0.2.1:1']],
  ])('a storage whose %s is beyond this machine, without TLS', async (_, words) => {
    const program = join(ROOT, 'bin/walb-storage');
    const { exitCode, stderr } = await execa(program, ['-p', '0', '-b', newBase(), ...words], {
      reject: false,
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('192.0.2.1:1 is beyond this machine and no TLS certificate is');
  });

  test('work that was started already does not keep it', async () => {
    const base = newBase();
    // A peer that takes connections and never says anything.
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    {
      await using server = await Running.start('walb-proxy', base);
      const info = { name: 'a0', address: `127.0.0.1:${port}`, compression: undefined };
      const request = { volume: VOLUME, info: { ...info, wdiffSendDelaySec: 0 } };
      await server.channel.unary(ProxyRpc.addArchiveInfo, request);
      await startVolume(server.channel);
      await sendLog(server.channel, 0n, 1n);
    }
    const { exitCode, stderr } = await spawnServer('walb-proxy', base, '-p', String(port));
    silent.close();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/in use/);
  });
});

test('SIGHUP goes on in a new log file', async () => {
  const log = join(folder, 'rotated.log');
  await using server = await Running.start('walb-proxy', newBase(), '-l', log);
  renameSync(log, `${log}.1`);
  server.child.kill('SIGHUP');
  await until('the new file is there', () => existsSync(log));
  server.child.kill('SIGTERM');
  await server.child;
  expect(readFileSync(log, 'utf8')).toContain('"ended"');
  expect(readFileSync(`${log}.1`, 'utf8')).not.toContain('"ended"');
});
