/** A TCP relay in front of a server, that counts and can cut: the network between two real servers. */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';

export interface Relay extends AsyncDisposable {
  readonly address: string;
  /** Bytes towards the server. */
  readonly sent: number;
  /** Cuts every connection once so many more bytes went to the server, and then accepts none. */
  cutAfter(bytes: number): void;
  /** Lets connections through again. */
  mend(): void;
}

/** `target` is `127.0.0.1:port`. */
export async function startRelay(target: string): Promise<Relay> {
  const port = Number(target.split(':').at(-1));
  const sockets = new Set<Socket>();
  let sent = 0;
  let limit = Number.POSITIVE_INFINITY;
  const cutAll = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const server: Server = createServer((near) => {
    if (sent >= limit) {
      near.destroy();
      return;
    }
    const far = dial(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    far.pipe(near);
    near.on('data', (data) => {
      sent += data.length;
      if (sent >= limit) cutAll();
      else if (!far.write(data)) near.pause();
    });
    far.on('drain', () => near.resume());
    near.on('end', () => far.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const own = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return {
    address: `127.0.0.1:${own}`,
    get sent() {
      return sent;
    },
    cutAfter: (bytes) => {
      limit = sent + bytes;
    },
    mend: () => {
      limit = Number.POSITIVE_INFINITY;
    },
    [Symbol.asyncDispose]: async () => {
      cutAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
