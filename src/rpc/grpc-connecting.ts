/**
 * Connection attempts of a channel end with it. grpc-js forgets a socket that is still connecting when
 * its channel is closed; the system goes on trying a host that is off for two minutes, and a program that
 * has long said so would not end before.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** Whose call the sockets are opened for that are opened now, whatever timers and promises are between. */
const owner = new AsyncLocalStorage<ConnectingSockets>();
let isWatching = false;

export class ConnectingSockets {
  readonly #sockets = new Set<Socket>();

  /** Sockets that begin to connect because of `work` belong to this. */
  during<T>(work: () => T): T {
    watchSockets();
    return owner.run(this, work);
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  add(socket: Socket): void {
    this.#sockets.add(socket);
    const forget = (): boolean => this.#sockets.delete(socket);
    socket.once('connect', forget).once('close', forget);
  }
}

/** Node tells of each client socket before it connects. */
function watchSockets(): void {
  if (isWatching) return;
  isWatching = true;
  subscribe('net.client.socket', (message) => {
    owner.getStore()?.add((message as { readonly socket: Socket }).socket);
  });
}
