/** What only the gRPC transport does: versions, plain-text rule, time limits, stale sockets. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { type Listener, type LogFields, silentLogger, WalbError } from '../../src/core/index.ts';
import { ControlRpc, grpcNetwork, handle, PROTOCOL_VERSION } from '../../src/rpc/index.ts';

const getState = handle(ControlRpc.getState, async () => ({ state: 'Clear' }));
const state = { volume: 'v' };

async function failure(promise: Promise<unknown>): Promise<WalbError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(WalbError);
  return thrown as WalbError;
}

/** A call made with nothing but grpc-js and the given metadata; its status text or answer. */
async function plainCall(address: string, metadata: Record<string, string>): Promise<string> {
  const client = new Client(address, credentials.createInsecure());
  const headers = new Metadata();
  for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
  const request = Buffer.from(ControlRpc.getState.request.encode(state));
  const same = (bytes: Buffer): Buffer => bytes;
  try {
    return await new Promise((resolve) => {
      const done = (error: ServiceError | null): void => resolve(error?.message ?? 'ok');
      client.makeUnaryRequest(ControlRpc.getState.path, same, same, request, headers, done);
    });
  } finally {
    client.close();
  }
}

test('another gRPC program can call, and is told what is wrong with its call', async () => {
  const refused: unknown[] = [];
  const log = { ...silentLogger, warn: (fields: LogFields) => refused.push(fields['method']) };
  const listener = await grpcNetwork({ log }).listen('127.0.0.1:0', [getState]);
  const version = String(PROTOCOL_VERSION);
  const call = (metadata: Record<string, string>): Promise<string> =>
    plainCall(listener.address, metadata);
  expect(await call({ 'walb-client-id': 'x', 'walb-protocol-version': version })).toBe('ok');
  expect(await call({ 'walb-client-id': 'x', 'walb-protocol-version': '99' })).toMatch(
    /UNIMPLEMENTED: the caller speaks version 99 .* this server version 1; install/,
  );
  expect(await call({ 'walb-client-id': 'x' })).toMatch(/no version/);
  expect(await call({ 'walb-protocol-version': version })).toMatch(/client id/);
  expect(refused).toEqual(Array(3).fill(ControlRpc.getState.path));
  listener.abort();
});

test('without TLS nothing listens or connects beyond this machine', async () => {
  const network = grpcNetwork();
  for (const address of ['0.0.0.0:0', '[::]:0', '192.0.2.1:10000', 'example.com:10000']) {
    expect((await failure(network.listen(address, [getState]))).code).toBe('permission-denied');
  }
  expect(() => network.connect('192.0.2.1:10000', { clientId: 'x' })).toThrow(/TLS/);
});

test('a host that accepts but never speaks is given up after the connect timeout', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const channel = grpcNetwork({ connectTimeout: 100 }).connect(address, { clientId: 'x' });
  const error = await failure(channel.unary(ControlRpc.getState, state));
  expect(error.code).toBe('unavailable');
  channel.close();
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('a connection that stops answering is lost after the keepalive time', async () => {
  const listener = await grpcNetwork().listen('127.0.0.1:0', [
    handle(ControlRpc.sleep, () => new Promise(() => {})),
  ]);
  const relay = await startRelay(listener);
  const network = grpcNetwork({ keepAlive: { idle: 100, timeout: 100 } });
  const channel = network.connect(relay.address, { clientId: 'x' });
  const call = failure(channel.unary(ControlRpc.sleep, { seconds: 1 }));
  await relay.connected;
  relay.freeze();
  expect((await call).code).toBe('unavailable');
  channel.close();
  relay.close();
  listener.abort();
});

/** A TCP relay to the listener that can stop passing bytes without closing anything. */
async function startRelay(listener: Listener): Promise<{
  address: string;
  connected: Promise<unknown>;
  freeze: () => void;
  close: () => void;
}> {
  const sockets: Socket[] = [];
  const connected = Promise.withResolvers<void>();
  const relay = createServer((near) => {
    const far = connect(Number(listener.address.split(':')[1]), '127.0.0.1');
    sockets.push(near, far);
    near.pipe(far);
    far.pipe(near);
    far.once('data', () => connected.resolve());
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  return {
    address: `127.0.0.1:${(relay.address() as AddressInfo).port}`,
    connected: connected.promise,
    freeze: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      relay.close();
    },
  };
}

test('a unix socket is private, and one left behind by a killed server is replaced', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'walb-rpc-'));
  const path = join(folder, 'socket');
  // What a killed server leaves: a bound socket file that nobody listens at.
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  expect(() => execFileSync(process.execPath, ['-e', script])).toThrow();
  expect(statSync(path).isSocket()).toBe(true);
  const network = grpcNetwork();
  const listener = await network.listen(`unix:${path}`, [getState]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const channel = network.connect(`unix:${path}`, { clientId: 'x' });
  expect(await channel.unary(ControlRpc.getState, state)).toEqual({ state: 'Clear' });
  expect((await failure(network.listen(`unix:${path}`, []))).code).toBe('busy');
  channel.close();
  await listener.close();
  writeFileSync(join(folder, 'file'), 'not a socket');
  expect((await failure(network.listen(`unix:${join(folder, 'file')}`, []))).code).toBe('busy');
  expect(statSync(join(folder, 'file')).size).toBe(12);
  rmSync(folder, { recursive: true });
});

test('a connection that says nothing does not hold up a graceful close', async () => {
  const listener = await grpcNetwork().listen('127.0.0.1:0', [getState]);
  const socket = connect(Number(listener.address.split(':')[1]), '127.0.0.1');
  await once(socket, 'connect');
  await listener.close();
  socket.destroy();
});

test('something else than gRPC at the address is unavailable', async () => {
  const other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = `127.0.0.1:${(other.address() as AddressInfo).port}`;
  const channel = grpcNetwork({ connectTimeout: 2000 }).connect(address, { clientId: 'x' });
  expect((await failure(channel.unary(ControlRpc.getState, state))).code).toBe('unavailable');
  channel.close();
  other.close();
});

test('a server that is not there: the message says so in plain words', async () => {
  const listener = await grpcNetwork().listen('127.0.0.1:0', [getState]);
  const { address } = listener;
  await listener.close();
  const channel = grpcNetwork({ connectTimeout: 2000 }).connect(address, { clientId: 'test' });
  const error = await failure(channel.unary(ControlRpc.getState, state));
  expect(error.code).toBe('unavailable');
  expect(error.message).toBe(
    `no connection to ${address}, or it was lost: nothing listens there (ECONNREFUSED)`,
  );
  channel.close();
});
