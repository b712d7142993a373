import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RealClock } from '../../../src/core/real-clock.ts';
import { connectNbd, listNbd, type NbdClient, type NbdTls } from '../../../src/wdev/nbd/index.ts';
import { has } from '../../support/tools.ts';
import { diskFull, RamBackend } from './ram-backend.ts';
import { ServedFolder } from './sockets.ts';

const SIZE = 16 << 20;
const clock = new RealClock();

function connect(served: ServedFolder, exportName = 'ram'): Promise<NbdClient> {
  return connectNbd({ kind: 'unix', path: served.socket }, { exportName, clock });
}

describe('client and server over a unix socket', () => {
  test.each(['sync', 'async'] as const)(
    'any sequence of requests gives what a model gives, %s',
    async (mode) => {
      const backend = new RamBackend({ size: SIZE, mode });
      await using served = await ServedFolder.start({ ram: backend });
      await using client = await connect(served);
      const model = new Uint8Array(SIZE);
      const range = fc.tuple(fc.nat(SIZE / 512 - 1), fc.oneof(fc.nat(16), fc.nat(12_000)));
      const step = fc.record({
        kind: fc.constantFrom('write', 'zero', 'trim', 'read'),
        range,
        fill: fc.nat(255),
      });
      const run = async (steps: { kind: string; range: [number, number]; fill: number }[]) => {
        for (const {
          kind,
          range: [block, blocks],
          fill,
        } of steps) {
          const offset = block * 512;
          const length = Math.min(blocks * 512, SIZE - offset);
          if (kind === 'write') {
            await client.write(offset, new Uint8Array(length).fill(fill), { fua: fill % 2 === 0 });
            model.fill(fill, offset, offset + length);
          } else if (kind === 'read') {
            const into = Buffer.alloc(length, 0xee);
            await client.read(offset, into);
            expect(into.equals(model.subarray(offset, offset + length))).toBe(true);
          } else {
            if (kind === 'zero')
              await client.writeZeroes(offset, length, { noHole: fill % 2 === 0 });
            else await client.trim(offset, length);
            model.fill(0, offset, offset + length);
          }
        }
        expect(Buffer.from(model).equals(backend.content)).toBe(true);
      };
      const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), run);
      await fc.assert(property, { seed: 20261121, numRuns: 25 });
    },
  );

  test('many requests at once, each with its own data', async () => {
    const backend = new RamBackend({ size: SIZE, mode: 'async' });
    await using served = await ServedFolder.start({ ram: backend });
    await using client = await connect(served);
    const writes = Array.from({ length: 1000 }, (_, i) =>
      client.write(i * 4096, Buffer.alloc(4096, `${i}.`)),
    );
    await Promise.all(writes);
    await client.flush();
    const reads = Array.from({ length: 1000 }, async (_, i) => {
      const into = Buffer.alloc(4096);
      await client.read(i * 4096, into);
      expect(into.equals(Buffer.alloc(4096, `${i}.`))).toBe(true);
    });
    await Promise.all(reads);
    expect(backend.calls.flush).toBe(1);
  });

  test('facts of the export and its extents', async () => {
    const backend = new RamBackend({ size: SIZE });
    await using served = await ServedFolder.start({
      ram: backend,
      other: new RamBackend({ size: 512 * 9 }),
    });
    await using client = await connect(served);
    expect([client.size, client.readOnly, client.blockSizes.minimum]).toEqual([SIZE, false, 512]);
    await client.write(8192, new Uint8Array(4096));
    expect(await client.blockStatus(0, SIZE)).toEqual([
      { length: 8192, flags: 3 },
      { length: 4096, flags: 0 },
      { length: SIZE - 12288, flags: 3 },
    ]);
    const exports = await listNbd({ kind: 'unix', path: served.socket }, { clock });
    expect(exports.map(({ name }) => name)).toEqual(['ram', 'other']);
  });

  test('errors of the server have their code, and the connection goes on', async () => {
    const backend = new RamBackend({ size: SIZE, mode: 'async' });
    await using served = await ServedFolder.start({ ram: backend });
    await using client = await connect(served);
    backend.failure = diskFull();
    await expect(client.write(0, new Uint8Array(8 << 20))).rejects.toMatchObject({
      code: 'no-space',
      message: expect.stringContaining('the RAM disk is full'),
    });
    backend.failure = undefined;
    await client.write(0, new Uint8Array(512));
    await expect(client.read(1, new Uint8Array(512))).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    await expect(client.read(SIZE, new Uint8Array(512))).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  });

  test('a server that goes away fails what is under way and everything after', async () => {
    const backend = new RamBackend({ size: SIZE, mode: 'held' });
    await using served = await ServedFolder.start({ ram: backend });
    await using client = await connect(served);
    const reading = client.read(0, new Uint8Array(512));
    reading.catch(() => {});
    served.server.abort();
    await expect(reading).rejects.toMatchObject({ code: 'unavailable' });
    await expect(client.flush()).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('a signal breaks the connection', async () => {
    const backend = new RamBackend({ size: SIZE, mode: 'held' });
    await using served = await ServedFolder.start({ ram: backend });
    const abort = new AbortController();
    const options = { exportName: 'ram', clock, signal: abort.signal };
    const client = await connectNbd({ kind: 'unix', path: served.socket }, options);
    const reading = client.read(0, new Uint8Array(512));
    abort.abort();
    await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
    await expect(connectNbd({ kind: 'unix', path: served.socket }, options)).rejects.toMatchObject({
      code: 'cancelled',
    });
    await client.close();
  });

  test('close waits for what is under way', async () => {
    const backend = new RamBackend({ size: SIZE, mode: 'async' });
    await using served = await ServedFolder.start({ ram: backend });
    const client = await connect(served);
    const writing = client.write(0, new Uint8Array(4 << 20).fill(7));
    await client.close();
    await writing;
    expect(backend.content[(4 << 20) - 1]).toBe(7);
    await expect(client.flush()).rejects.toMatchObject({ code: 'wrong-state' });
  });
});

describe('connecting', () => {
  test.each([
    ['an unknown export', 'zz', 'not-found'],
    ['no name among several', '', 'not-found'],
  ])('%s', async (_what, name, code) => {
    const [a, b] = [new RamBackend({ size: SIZE }), new RamBackend({ size: SIZE })];
    await using served = await ServedFolder.start({ a, b });
    await expect(connect(served, name)).rejects.toMatchObject({ code });
  });

  test('nobody there, someone else, someone silent', async () => {
    await using served = await ServedFolder.start({});
    const missing = { kind: 'unix', path: served.path('none') } as const;
    await expect(connectNbd(missing, { clock })).rejects.toMatchObject({ code: 'unavailable' });
    const talker = await answering(served.path('talker'), 'HTTP/1.1 400 Bad Request\r\n\r\n');
    const silent = await answering(served.path('silent'), '');
    try {
      const address = { kind: 'unix', path: served.path('talker') } as const;
      await expect(connectNbd(address, { clock })).rejects.toMatchObject({ code: 'corrupt' });
      const quiet = { kind: 'unix', path: served.path('silent') } as const;
      const waiting = connectNbd(quiet, { clock, timeout: 50 });
      await expect(waiting).rejects.toMatchObject({ code: 'timeout' });
    } finally {
      talker.close();
      silent.close();
    }
  });
});

describe('listening', () => {
  test('a live server is not disturbed, a dead one replaced, a file kept', async () => {
    await using served = await ServedFolder.start({ ram: new RamBackend({ size: SIZE }) });
    const listen = (path: string) => served.listen({ kind: 'unix', path });
    await expect(listen(served.socket)).rejects.toMatchObject({ code: 'busy' });
    expect(statSync(served.socket).mode & 0o777).toBe(0o600);
    const dead = served.path('dead.sock');
    leaveStaleSocket(dead);
    expect(existsSync(dead)).toBe(true);
    await listen(dead);
    await using client = await connectNbd({ kind: 'unix', path: dead }, { clock });
    expect(client.size).toBe(SIZE);
    writeFileSync(served.path('file'), 'precious');
    await expect(listen(served.path('file'))).rejects.toMatchObject({ code: 'already-exists' });
    expect(readFileSync(served.path('file'), 'utf8')).toBe('precious');
  });

  test('TCP on loopback; a port in use; the open network only with TLS', async () => {
    await using served = await ServedFolder.start({ ram: new RamBackend({ size: SIZE }) });
    const listener = await served.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
    await using client = await connectNbd(listener.address, { clock });
    expect(client.size).toBe(SIZE);
    expect(listener.uri).toMatch(/^nbd:\/\/127\.0\.0\.1:\d+\/$/);
    await expect(served.listen(listener.address)).rejects.toMatchObject({ code: 'busy' });
    const open = served.listen({ kind: 'tcp', host: '0.0.0.0', port: 0 });
    await expect(open).rejects.toMatchObject({
      code: 'permission-denied',
      message: expect.stringContaining('TLS'),
    });
  });
});

describe.skipIf(!has('openssl'))('TLS', () => {
  test('both ends prove who they are; others get nothing', async () => {
    await using served = await ServedFolder.start({ ram: new RamBackend({ size: SIZE }) });
    const ours = authority(served.path('ours'), 'server', 'client');
    const theirs = authority(served.path('theirs'), 'stranger');
    const { address, uri } = await served.listen(
      { kind: 'tcp', host: '0.0.0.0', port: 0 },
      ours['server'],
    );
    if (address.kind !== 'tcp') throw new Error('not TCP');
    expect(uri).toMatch(/^nbds:/);
    const target = { ...address, host: '127.0.0.1' };
    const secure = { exportName: 'ram', clock, serverName: 'server' };
    {
      await using client = await connectNbd(target, { ...secure, tls: ours['client']! });
      const data = Buffer.alloc(3 << 20, 'secret');
      await client.write(512, data);
      const into = Buffer.alloc(data.length);
      await client.read(512, into);
      expect(into.equals(data)).toBe(true);
    }
    await expect(connectNbd(target, { exportName: 'ram', clock })).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    await expect(connectNbd(target, { ...secure, tls: theirs['stranger']! })).rejects.toThrow();
    const wrongName = { ...secure, tls: ours['client']!, serverName: 'other' };
    await expect(connectNbd(target, wrongName)).rejects.toThrow();
    const forged = { ...ours['client']!, ...pick(theirs['stranger']!) };
    await expect(connectNbd(target, { ...secure, tls: forged })).rejects.toThrow();
  });
});

function answering(path: string, text: string): Promise<net.Server> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.write(text);
  });
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

/** A socket file nobody listens on: its server was killed. */
function leaveStaleSocket(path: string): void {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  try {
    execFileSync(process.execPath, ['-e', script], { stdio: 'ignore' });
  } catch {
    // Killed, as intended.
  }
}

/** A certificate for each name, of an authority made in `folder`. */
function authority(folder: string, ...names: string[]): Record<string, NbdTls> {
  mkdirSync(folder);
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=ca',
  );
  const read = (name: string) => readFileSync(`${folder}/${name}`, 'utf8');
  const made = names.map((name): [string, NbdTls] => {
    writeFileSync(`${folder}/${name}.ext`, `subjectAltName=DNS:${name}\n`);
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const signed = ['-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', `${name}.ext`];
    openssl('x509', '-req', ...signed, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', '2');
    return [
      name,
      { certificate: read(`${name}.pem`), key: read(`${name}.key`), authority: read('ca.pem') },
    ];
  });
  return Object.fromEntries(made);
}

const pick = ({ certificate, key }: NbdTls) => ({ certificate, key });
