/** A real NBD server on a unix socket in a temporary folder, for tests with real clients. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silentLogger } from '../../../src/core/index.ts';
import { RealClock } from '../../../src/core/real-clock.ts';
import {
  type BlockBackend,
  listenNbd,
  type NbdAddress,
  type NbdListener,
  NbdServer,
  type NbdTls,
} from '../../../src/wdev/nbd/index.ts';

export class ServedFolder implements AsyncDisposable {
  readonly folder: string;
  readonly server: NbdServer;
  readonly socket: string;
  readonly #listeners: NbdListener[] = [];

  constructor(log: Logger = silentLogger) {
    this.folder = mkdtempSync(join(tmpdir(), 'walb-nbd-'));
    this.socket = join(this.folder, 'nbd.sock');
    this.server = new NbdServer({ clock: new RealClock(), log });
  }

  static async start(exports: Readonly<Record<string, BlockBackend>>): Promise<ServedFolder> {
    const served = new ServedFolder();
    for (const [name, backend] of Object.entries(exports)) served.server.addExport(name, backend);
    await served.listen({ kind: 'unix', path: served.socket });
    return served;
  }

  async listen(address: NbdAddress, tls?: NbdTls): Promise<NbdListener> {
    const listener = await listenNbd(this.server, address, tls === undefined ? {} : { tls });
    this.#listeners.push(listener);
    return listener;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  uri(name: string): string {
    return `nbd+unix:///${name}?socket=${this.socket}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#listeners.map((listener) => listener.close());
    this.server.abort();
    await Promise.all(closed);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
