/**
 * Full backups that are broken off again and again, at any moment and by anything, while the workload
 * goes on: killed servers, power cuts, cut links, forced stops. Each goes on behind what the archive
 * has. In the end every snapshot restores to exactly what the volume held.
 *
 * The canary: an archive that claims progress before it is synced.
 */
import { type BidiStream, type Channel, type Env, type Files, KIB } from '../../src/core/index.ts';
import {
  ArchiveRpc,
  ControlRpc,
  type FullSyncDown,
  type FullSyncUp,
  ProxyRpc,
  StopMode,
  StorageRpc,
} from '../../src/rpc/index.ts';
import { formatDevice } from '../../src/wdev/index.ts';
import type { Scenario } from './explore.ts';
import { changed } from './group-flaws.ts';
import { Positions, WriteHistory } from './group-model.ts';
import { Operator, type TakenSnapshot } from './group-operator.ts';
import {
  archiveMain,
  DEVICE_FILES,
  DEVICE_PATH,
  type GroupStory,
  PORT,
  proxyMain,
  storageMain,
  VOLUME,
} from './group-servers.ts';
import type { ProcessMain, SimProcess } from './sim-process.ts';
import type { SimWorld } from './world.ts';

const SIZE_LB = 96;
const BULK_BYTES = 512;
const MAX_BREAKS = 6;
/** Virtual time for everything to be delivered once nothing is in the way. */
const DRAIN_MS = 300_000;
const SNAPSHOTS = 3;

/** The archive claims progress before it is synced. */
export type BackupFlaw = 'claims-early';

/** What was seen over all runs: a scenario that never resumes would prove nothing. */
export interface Seen {
  resumed: number;
  begunAnew: number;
}

export function interruptedBackupScenario(flaw?: BackupFlaw, seen?: Seen): Scenario {
  const name = flaw === undefined ? 'interrupted-backup' : `interrupted-backup-${flaw}`;
  const about =
    flaw === undefined ? 'full backups that are broken off' : `canary: ${flaw} in full backups`;
  return {
    name,
    about,
    run: (world) => new InterruptedBackups(world, flaw, seen ?? { resumed: 0, begunAnew: 0 }).run(),
  };
}

class InterruptedBackups {
  readonly #world: SimWorld;
  readonly #flaw: BackupFlaw | undefined;
  readonly #seen: Seen;
  readonly #story: GroupStory;
  readonly #processes = new Map<string, SimProcess>();
  #isBreaking = true;

  constructor(world: SimWorld, flaw: BackupFlaw | undefined, seen: Seen) {
    this.#world = world;
    this.#flaw = flaw;
    this.#seen = seen;
    this.#story = {
      history: new WriteHistory(SIZE_LB),
      positions: new Positions(),
      flaw: undefined,
      fsyncInterval: 4 * KIB,
      scanLbPerSec: world.random.pick([10, 20, 40]),
      isWriting: true,
      afterEnd: () => {},
    };
  }

  async run(): Promise<void> {
    await this.#formatDevice();
    this.#start('p0', proxyMain('p0', this.#story));
    this.#start('a0', this.#unsynced(archiveMain('a0', this.#story)));
    this.#start('s0', this.#watched(storageMain('s0', ['p0'], 'a0', this.#story)));
    const operator = this.#world.spawn('op', this.#world.host('op'), (env) => this.#operate(env));
    await operator.exit;
  }

  async #formatDevice(): Promise<void> {
    const { random } = this.#world;
    const host = this.#world.host('s0');
    host.disk.makeDirectory('/dev');
    host.disk.settle();
    const pbs = random.pick([512, 4096]);
    const logBytes = (random.pick([1500, 4000]) + 4096 / pbs + 2) * pbs;
    const options = { ...DEVICE_FILES, name: 'v', sizeLb: SIZE_LB, pbs, logBytes };
    await this.#world.spawn('format', host, (env) => formatDevice(env, options)).exit;
  }

  #start(name: string, main: ProcessMain): void {
    const options = { mayFail: true };
    this.#processes.set(name, this.#world.spawn(name, this.#world.host(name), main, options));
  }

  #process(name: string): SimProcess {
    return this.#processes.get(name) as SimProcess;
  }

  /** With the flaw images are never synced. */
  #unsynced(main: ProcessMain): ProcessMain {
    if (this.#flaw !== 'claims-early') return main;
    return (env, signal) => {
      const { files } = env;
      const open: Files['open'] = (path, mode) => {
        const handle = files.open(path, mode);
        return path.endsWith('/base.img') ? changed(handle, { sync: async () => {} }) : handle;
      };
      return main({ ...env, files: changed(files, { open }) }, signal);
    };
  }

  /** Counts resumes, and breaks off in the middle. */
  #watched(main: ProcessMain): ProcessMain {
    return (env, signal) =>
      main(
        onFullSync(env, (stream) => this.#spied(stream)),
        signal,
      );
  }

  #spied(stream: Stream): Stream {
    return {
      send: async (message) => {
        await stream.send(message);
        const isPiece = message.message?.$case === 'chunk';
        if (isPiece && this.#isBreaking && this.#world.random.chance(0.25)) this.#breakSoon();
      },
      receive: async () => {
        const message = await stream.receive();
        const part = message?.message;
        if (part?.$case === 'started') {
          if (part.value.startLb > 0) this.#seen.resumed += 1;
          else this.#seen.begunAnew += 1;
        }
        return message;
      },
      end: () => stream.end(),
      cancel: (reason) => stream.cancel(reason),
    };
  }

  /** The moments after a piece was sent are the best ones to lose it. */
  #breakSoon(): void {
    const { random } = this.#world;
    const cut = random.pick([
      () => this.#powerCutOfStorage(),
      () => this.#powerCutOfStorage(),
      () => this.#world.powerCut(this.#world.host('a0')),
    ]);
    this.#world.schedule(random.between(100, 20_000), cut);
  }

  async #operate(env: Env): Promise<void> {
    const operator = new Operator(env, ['p0']);
    const { random } = this.#world;
    await this.#prepare(env, operator);
    for (let left = random.between(1, MAX_BREAKS); left > 0; left--) {
      if ((await operator.state('s0')) === 'Target') break;
      this.#story.isWriting = random.chance(0.6);
      await this.#backUp(operator);
      await env.clock.sleep(random.between(0, 4000));
      await this.#breakOff(operator);
      // What is written later would hide what went wrong here.
      this.#story.isWriting = random.chance(0.2);
      await env.clock.sleep(random.between(0, 3000));
      await this.#restart();
    }
    this.#isBreaking = false;
    await this.#finish(env, operator);
  }

  async #prepare(env: Env, operator: Operator): Promise<void> {
    const compression = { kind: 'snappy', level: 0, cpus: 1 } as const;
    const info = { name: 'a0', address: `a0:${PORT}`, compression, wdiffSendDelaySec: 0 };
    const steps = [
      () => operator.try('a0', ControlRpc.initVolume, { volume: VOLUME, devicePath: '' }),
      () => operator.try('s0', ControlRpc.initVolume, { volume: VOLUME, devicePath: DEVICE_PATH }),
      () => operator.try('p0', ProxyRpc.addArchiveInfo, { volume: VOLUME, info }),
      () => operator.try('p0', ControlRpc.start, { volume: VOLUME, role: 'unspecified' as const }),
    ];
    for (const step of steps) while ((await step()) === undefined) await env.clock.sleep(50);
  }

  async #backUp(operator: Operator): Promise<void> {
    const request = { volume: VOLUME, bulkBytes: BULK_BYTES, compression: undefined };
    await operator.try('s0', StorageRpc.fullBackup, request);
  }

  async #breakOff(operator: Operator): Promise<void> {
    const { random, links } = this.#world;
    const s0 = this.#world.host('s0');
    const a0 = this.#world.host('a0');
    const stop = { volume: VOLUME, mode: StopMode.FORCE };
    const ways: readonly (() => unknown)[] = [
      () => this.#world.kill(this.#process('a0')),
      () => this.#world.kill(this.#process('s0')),
      () => this.#world.powerCut(a0),
      () => this.#powerCutOfStorage(),
      () => this.#powerCutOfStorage(),
      () => this.#process('a0').crashAt(random.between(1, 300), () => this.#world.powerCut(a0)),
      () => this.#process('s0').crashAt(random.between(1, 300), () => this.#powerCutOfStorage()),
      () => links.disconnect(s0, a0),
      () => links.partition(s0, a0),
      () => operator.try('a0', ControlRpc.stop, stop),
    ];
    this.#world.trace('test', 'breaks off');
    await random.pick(ways)();
  }

  #powerCutOfStorage(): void {
    this.#story.history.crashed('nothing flushed');
    this.#world.powerCut(this.#world.host('s0'));
  }

  async #restart(): Promise<void> {
    this.#world.links.heal(this.#world.host('s0'), this.#world.host('a0'));
    for (const [name, process] of this.#processes) {
      process.crashAt(Number.MAX_SAFE_INTEGER, () => {});
      if (process.alive) continue;
      const exit = await process.exit;
      if (exit.kind === 'failed') throw exit.error;
      this.#processes.set(name, this.#world.restart(process, { mayFail: true }));
    }
  }

  /** Backs up to the end, takes snapshots, and looks at each. */
  async #finish(env: Env, operator: Operator): Promise<void> {
    const taken: TakenSnapshot[] = [];
    const { history } = this.#story;
    const deadline = env.clock.monotonic() + DRAIN_MS;
    for (let round = 0; ; round++) {
      await env.clock.sleep(1000);
      const storage = await operator.state('s0');
      const archive = await operator.state('a0');
      if (storage === 'SyncReady' && archive === 'SyncReady') await this.#backUp(operator);
      else await operator.bringUp();
      await this.#restart();
      if (round % 10 === 0) await operator.kick();
      if (storage === 'Target' && taken.length < SNAPSHOTS) {
        const place = () => ({ acknowledged: history.acknowledged, begun: history.length });
        const snapshot = await operator.snapshot(place);
        if (snapshot !== undefined) taken.push(snapshot);
      }
      const offered = (await operator.restorable(false)) ?? [];
      if (taken.length === SNAPSHOTS && taken.every(({ gid }) => offered.includes(gid))) break;
      if (env.clock.monotonic() < deadline) continue;
      throw new Error(
        `not backed up: storage ${storage}, archive ${archive} offers ${offered}, taken ${taken.map(({ gid }) => gid)}`,
      );
    }
    for (const snapshot of taken) await this.#check(env, operator, snapshot);
  }

  /** The image before it may still be on its way out. */
  async #restored(env: Env, operator: Operator, gid: bigint): Promise<string> {
    for (let tries = 0; tries < 20; tries++) {
      const path = await operator.restore(gid);
      if (path !== undefined) return path;
      await env.clock.sleep(100);
    }
    throw new Error(`snapshot ${gid} can not be restored`);
  }

  async #check(
    env: Env,
    operator: Operator,
    { uuid, gid, least, most }: TakenSnapshot,
  ): Promise<void> {
    const place = this.#story.positions.placeOf(uuid, gid);
    if (place < least || place > most) {
      throw new Error(`snapshot ${gid} holds ${place} writes, not ${least} to ${most}`);
    }
    const path = await this.#restored(env, operator, gid);
    const { cached } = this.#world.host('a0').disk.needFile(path).content;
    const actual = new Uint8Array(cached.size);
    cached.read(actual, 0);
    if (Buffer.compare(actual, this.#story.history.contentAt(place)) !== 0) {
      throw new Error(`snapshot ${gid} differs from the volume after ${place} writes`);
    }
    await operator.deleteRestored(gid);
  }
}

type Stream = BidiStream<FullSyncUp, FullSyncDown>;

/** The Env with every outgoing full backup wrapped. */
function onFullSync(env: Env, wrap: (stream: Stream) => Stream): Env {
  const { network } = env;
  return {
    ...env,
    network: {
      listen: (address, bindings) => network.listen(address, bindings),
      connect: (address, options) => {
        const channel = network.connect(address, options);
        const bidi: Channel['bidi'] = (method, callOptions) => {
          const stream = channel.bidi(method, callOptions);
          if (method.path !== ArchiveRpc.fullSync.path) return stream;
          return wrap(stream as unknown as Stream) as unknown as typeof stream;
        };
        return {
          address,
          unary: (method, request, callOptions) => channel.unary(method, request, callOptions),
          serverStream: (method, request, callOptions) =>
            channel.serverStream(method, request, callOptions),
          bidi,
          close: () => channel.close(),
        };
      },
    },
  };
}
