/**
 * Sockets of the NBD server: listens on a unix socket or TCP and feeds accepted connections to an
 * `NbdServer`.
 */
import fs from 'node:fs';
import net from 'node:net';
import { WalbError } from '../../core/index.ts';
import type { NbdServer } from './server.ts';
import {
  type NbdTls,
  onreadInto,
  SocketTransport,
  serverTlsUpgrade,
  type TlsUpgrade,
} from './socket-transport.ts';
import type { ByteConsumer } from './transport.ts';

export type NbdAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

export interface ListenOptions {
  /** Clients must start TLS and prove who they are (FORCEDTLS). */
  readonly tls?: NbdTls;
  /** Permissions of a unix socket; by default only its owner may connect. */
  readonly mode?: number;
}

export interface NbdListener {
  /** Where it really listens; a TCP port of 0 is replaced by the one that was given. */
  readonly address: NbdAddress;
  /** As clients write it, for example `nbd+unix:///?socket=/run/a.sock`. */
  readonly uri: string;
  /** Stops accepting and removes the unix socket; connections stay with the `NbdServer`. */
  close(): Promise<void>;
}

/** The part of a node socket handle that is used; private in node, so its absence is allowed for. */
interface RawSocket {
  _handle: { readonly useUserBuffer?: unknown } | null;
}

/**
 * Listens for NBD clients. Throws `busy` when a live server listens there, `permission-denied` for
 * TCP beyond this machine without TLS, `already-exists` when the path is not a socket.
 */
export async function listenNbd(
  server: NbdServer,
  address: NbdAddress,
  options: ListenOptions = {},
): Promise<NbdListener> {
  checkListenAllowed(address, options.tls);
  if (address.kind === 'unix') await removeStaleSocket(address.path);
  const upgrade = options.tls === undefined ? undefined : serverTlsUpgrade(options.tls);
  const listener = net.createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    adopt(server, socket, upgrade);
  });
  await listen(listener, address);
  if (address.kind === 'unix') fs.chmodSync(address.path, options.mode ?? 0o600);
  const bound = boundAddress(listener, address);
  return {
    address: bound,
    uri: uriOf(bound, options.tls !== undefined),
    close: () => new Promise((resolve) => listener.close(() => resolve())),
  };
}

export function uriOf(address: NbdAddress, secure = false, exportName = ''): string {
  const scheme = secure ? 'nbds' : 'nbd';
  const name = encodeURIComponent(exportName);
  if (address.kind === 'unix') {
    return `${scheme}+unix:///${name}?socket=${encodeURI(address.path)}`;
  }
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${scheme}://${host}:${address.port}/${name}`;
}

/** Throws `permission-denied` for TCP beyond this machine without TLS. */
export function checkListenAllowed(address: NbdAddress, security: NbdTls | undefined): void {
  if (address.kind === 'unix' || security !== undefined || isLoopback(address.host)) return;
  throw new WalbError(
    'permission-denied',
    `NBD on ${address.host}:${address.port} would let everyone on the network read and write the ` +
      'device: listen on 127.0.0.1 or a unix socket, or give TLS certificates',
    { details: { host: address.host, port: address.port } },
  );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (net.isIPv4(host) && host.startsWith('127.'));
}

/**
 * Node can not give accepted sockets a receive buffer, so the handle moves to a socket that has one.
 * Should a later node hide the handle, data are copied instead: slower, otherwise the same.
 */
function adopt(server: NbdServer, accepted: net.Socket, upgrade: TlsUpgrade | undefined): void {
  const peer = peerOf(accepted);
  const handle = (accepted as unknown as RawSocket)._handle;
  // TLS reads from the socket's stream, which one with a receive buffer does not have.
  const canDeliver = upgrade === undefined && typeof handle?.useUserBuffer === 'function';
  let consumer: ByteConsumer | undefined;
  const socket = canDeliver ? moveHandle(accepted, () => consumer) : accepted;
  const transport = new SocketTransport(socket, peer, upgrade);
  consumer = server.accept(transport, upgrade === undefined ? 'unavailable' : 'required');
  if (consumer === undefined) return;
  transport.attach(consumer);
  if (!canDeliver) transport.copyFrom(socket);
  socket.resume();
}

function moveHandle(accepted: net.Socket, consumer: () => ByteConsumer | undefined): net.Socket {
  const raw = accepted as unknown as RawSocket;
  const handle = raw._handle;
  raw._handle = null;
  // Ends the accounting of the listening server, not the connection: the handle has moved.
  accepted.destroy();
  const options = { handle, manualStart: true, onread: onreadInto(consumer) };
  return new net.Socket(options as unknown as net.SocketConstructorOpts);
}

function peerOf(socket: net.Socket): string {
  if (socket.remoteAddress === undefined) return 'unix';
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

function listen(listener: net.Server, address: NbdAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', (error) => {
      reject(WalbError.from(error, `NBD server can not listen on ${describe(address)}`));
    });
    listener.listen(address.kind === 'unix' ? { path: address.path } : address, resolve);
  });
}

function boundAddress(listener: net.Server, asked: NbdAddress): NbdAddress {
  const bound = listener.address();
  if (asked.kind === 'unix' || bound === null || typeof bound === 'string') return asked;
  return { ...asked, port: bound.port };
}

export function describe(address: NbdAddress): string {
  return address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;
}

/** The socket file of a server that died is removed; a live server is never disturbed. */
async function removeStaleSocket(path: string): Promise<void> {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new WalbError(
      'already-exists',
      `${path} exists and is not a socket: choose another path`,
      {
        details: { path },
      },
    );
  }
  if (await answers(path)) {
    throw new WalbError(
      'busy',
      `another server listens on ${path}: stop it or choose another path`,
      {
        details: { path },
      },
    );
  }
  fs.rmSync(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    // Refused means nobody listens. Anything else (no permission, backlog full) may be alive.
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}
