/** Servers in a simulated world without faults: virtual time, disks in memory, the in-memory network. */
import { type Binding, type Channel, type Env, hasCode, WalbError } from '../../src/core/index.ts';
import { HostType, PROTOCOL_VERSION } from '../../src/rpc/index.ts';
import { controlBindings } from '../../src/server/control.ts';
import type { RunningServer } from '../../src/server/program.ts';
import { ServerCore } from '../../src/server/server-core.ts';
import type { CommonSettings } from '../../src/server/status.ts';
import type { SimProcess } from '../sim/sim-process.ts';
import { SimWorld } from '../sim/world.ts';

export const PORT = 1;
const FOREVER = 1e9;

export interface StartedServer<S> {
  readonly server: S;
  readonly core: ServerCore;
  readonly process: SimProcess;
  readonly channel: Channel;
}

export class ServerWorld {
  readonly world: SimWorld;
  /** Of a process from which the test calls. */
  readonly client: Env;

  private constructor(world: SimWorld, client: Env) {
    this.world = world;
    this.client = client;
  }

  static async run(work: (world: ServerWorld) => Promise<void>): Promise<void> {
    const world = new SimWorld({ seed: 'servers' });
    await world.run(async () =>
      work(new ServerWorld(world, await ServerWorld.#envOf(world, 'client'))),
    );
  }

  static async #envOf(world: SimWorld, name: string): Promise<Env> {
    const made = Promise.withResolvers<Env>();
    world.spawn(name, world.host(name), (env) => {
      made.resolve(env);
      return env.clock.sleep(FOREVER);
    });
    return await made.promise;
  }

  /** An Env on the host of a server, to prepare its files with or to look at them. */
  envOn(host: string): Promise<Env> {
    const name = `${host}-${this.world.elapsed}`;
    const made = Promise.withResolvers<Env>();
    this.world.spawn(name, this.world.host(host), (env) => {
      made.resolve(env);
      return env.clock.sleep(FOREVER);
    });
    return made.promise;
  }

  sleep(ms: number): Promise<void> {
    return this.world.sleep(ms);
  }

  /** A server at `<name>:1` with its base directory `/<name>`. */
  async start<S extends RunningServer>(
    name: string,
    hostType: HostType,
    create: (core: ServerCore, settings: CommonSettings) => S,
    maxForegroundTasks = 4,
  ): Promise<StartedServer<S>> {
    const made = Promise.withResolvers<{ server: S; core: ServerCore }>();
    const process = this.world.spawn(name, this.world.host(name), async (env) => {
      const core = new ServerCore(env, { hostType, nodeId: name, maxForegroundTasks, pid: 1 });
      const server = create(core, settingsOf(`/${name}`));
      await server.load();
      const listener = await env.network.listen(`${name}:${PORT}`, [
        ...control(core, server),
        ...server.bindings(),
      ]);
      made.resolve({ server, core });
      const kind = await core.untilShutdown();
      if (kind === 'force') listener.abort();
      const closed = listener.close();
      await server.stopWork();
      await closed;
    });
    void process.exit.then((exit) => {
      if (exit.kind === 'failed') made.reject(exit.error);
    });
    return { ...(await made.promise), process, channel: this.connect(name) };
  }

  /** Something that answers like a server, with these calls only. */
  async fake(name: string, bindings: readonly Binding[]): Promise<SimProcess> {
    const listening = Promise.withResolvers<void>();
    const process = this.world.spawn(name, this.world.host(name), async (env) => {
      await env.network.listen(`${name}:${PORT}`, bindings);
      listening.resolve();
      await env.clock.sleep(FOREVER);
    });
    await listening.promise;
    return process;
  }

  connect(name: string): Channel {
    return this.client.network.connect(`${name}:${PORT}`, { clientId: 'test' });
  }

  /** Virtual time passes until the fact holds. */
  async until(fact: () => boolean | Promise<boolean>, limit = 120_000): Promise<void> {
    const end = this.world.elapsed + limit * 1000;
    while (!(await fact())) {
      if (this.world.elapsed > end) throw new Error(`waited in vain for ${fact}`);
      await this.sleep(10);
    }
  }

  /** Names and contents of all files below a directory; the history is saved in its own time. */
  filesBelow(host: string, directory: string): Record<string, string> {
    const { disk } = this.world.host(host);
    const found: Record<string, string> = {};
    const visit = (path: string): void => {
      const node = disk.need(path);
      if (path.endsWith('/.history')) return;
      if (node.kind === 'directory') {
        for (const name of node.names.keys()) visit(`${path}/${name}`);
        return;
      }
      const bytes = new Uint8Array(node.content.cached.size);
      node.content.cached.read(bytes, 0);
      found[path] = Buffer.from(bytes).toString('latin1');
    };
    if (disk.find(directory) !== undefined) visit(directory);
    return found;
  }
}

/** The code a call is refused with; `done` when it is not. */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'done';
  } catch (error) {
    if (!(error instanceof WalbError) || hasCode(error, 'internal')) throw error;
    return error.code;
  }
}

export function settingsOf(baseDirectory: string): CommonSettings {
  return {
    baseDirectory,
    listenAddress: '',
    maxConnections: 10,
    maxBackgroundTasks: 2,
    socketTimeoutSec: 10,
    version: 'test',
    connections: () => 0,
    memoryBytes: () => 0,
  };
}

function control(core: ServerCore, server: RunningServer): Binding[] {
  return controlBindings(core, server, {
    version: {
      version: 'test',
      buildDate: '',
      logVersion: 2,
      commit: '',
      protocolVersion: PROTOCOL_VERSION,
      nodeVersion: '',
    },
    handlerStat: () => ({ counts: [], latencies: [], since: 0 }),
    exec: { allowed: [], spawn: async function* () {} },
  });
}

export { HostType };
