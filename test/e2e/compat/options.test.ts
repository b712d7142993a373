/** Options of walbc itself, with the program and without it (cli.md 1.1, 1.2). */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type GroupProcess, startProcess } from '../../../src/cli/group-process.ts';
import { walbc } from '../../support/walbc.ts';
import { walb } from '../support.ts';

let folder: string;
let server: GroupProcess;
let address: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'walb-options-'));
  server = await startProcess({
    name: 'p0',
    program: 'walb-proxy',
    args: ['-id', 'p0', '-p', '0', '-b', join(folder, 'p0')],
    ready: /listens on (\S+):(\d+)$/,
    logFile: join(folder, 'p0.err'),
  });
  address = ['-a', server.ready[1] as string, '-p', server.ready[2] as string];
});

afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('-id is what the server calls us; else it is the host', async () => {
  await walbc(...address, 'get', 'handler-stat');
  await walbc(...address, '-id', 'me', 'version');
  await walbc(...address, 'version');
  const { stdout } = await walbc(...address, '-id', 'me', 'get', 'handler-stat');
  expect(stdout).toContain('PROTOCOL_COUNT\tversion\tme\t1\n');
  expect(stdout).toContain('PROTOCOL_COUNT\tversion\thost\t1\n');
  expect(stdout).toContain('GET_COUNT\thandler-stat\tme\t1\n');
});

test('numbers may be written as the original takes them', async () => {
  for (const seconds of ['5', '0x5', '1k']) {
    expect(await walbc(...address, '-to', seconds, 'get', 'host-type')).toEqual({
      code: 0,
      stdout: 'proxy\n',
      stderr: '',
    });
  }
});

test('-to bounds a call to a server that takes the connection and says nothing', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const began = performance.now();
  const words = ['-a', '127.0.0.1', '-p', String(port), '-to', '1', '-retry', '0', 'get', 'pid'];
  const { code, stdout, stderr } = await walbc(...words);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/ERROR walbc error: /);
  // Far less than the limit of 10 s that holds without -to, however busy the machine is.
  expect(performance.now() - began).toBeLessThan(9_000);
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('the program: output on stdout, what -debug adds and complaints on stderr', async () => {
  const [plain, debug, wrong, nobody] = await Promise.all([
    walb('walbc', ...address, 'get', 'host-type'),
    walb('walbc', '-id', 'ctl', ...address, '-debug', '-to', '5', 'get', 'state', 'vol'),
    walb('walbc', ...address, 'kick', '-x'),
    walb('walbc', '-a', '127.0.0.1', '-p', '1', 'snapshot', 'vol'),
  ]);
  expect(plain).toEqual({ code: 0, out: 'proxy', err: '' });
  expect(debug).toMatchObject({ code: 0, out: 'Clear', err: expect.stringContaining(' DEBUG ') });
  expect(wrong).toMatchObject({ code: 1, out: expect.stringMatching(/^OptionError:bad opt:-x\n/) });
  expect(wrong.err).toBe('');
  expect(nobody).toMatchObject({ code: 1, out: '' });
  expect(nobody.err).toMatch(/^[-0-9]{10} [0-9:.]{12} ERROR walbc error: .*127\.0\.0\.1:1/);
});
