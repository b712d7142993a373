/**
 * One archive server under a random operator, compared with a block array: diffs come in, are merged,
 * applied and restored, flags change, and the server is killed or loses power at any call. Whatever
 * is offered as restorable must restore and scan to exactly what the volume held at that gid, and no
 * snapshot that was to be kept may be missing.
 */

import {
  type Channel,
  type Env,
  type Files,
  hasCode,
  INVALID_GID,
  WalbError,
} from '../../src/core/index.ts';
import { KIB, LB_SIZE } from '../../src/core/units.ts';
import { ArchiveRpc, ControlRpc } from '../../src/rpc/index.ts';
import type { DiffIo } from '../../src/wdiff/index.ts';
import type { Scenario } from '../sim/explore.ts';
import type { SimHost } from '../sim/sim-host.ts';
import type { SimProcess } from '../sim/sim-process.ts';
import type { SimRandom } from '../sim/sim-random.ts';
import type { SimWorld } from '../sim/world.ts';
import {
  cleanDiff,
  dataIo,
  finished,
  fullBackup,
  restorable,
  scanned,
  sendDiff,
  startArchive,
  VOLUME,
} from './support.ts';

const SIZE_LB = 96;
const STEPS = 40;
const ADDRESS = 'a0:1';
const DIRECTORY = '/a0';
const UUID = new Uint8Array(16).fill(7);
/** Env calls of the server within which a crash comes. */
const CALLS_TO_CRASH = 120;
const FOREVER = 3_600_000;

/** What the operator and the workload know. */
class Model {
  content = new Uint8Array(SIZE_LB * LB_SIZE);
  latest = 0n;
  readonly contents = new Map<bigint, Uint8Array>();
  /** Snapshots that only an apply may take away. */
  readonly explicit = new Set<bigint>();
  /** Everything before it may be gone: the highest gid an apply was asked for. */
  appliedTo = 0n;

  record(gid: bigint): void {
    this.latest = gid;
    this.contents.set(gid, this.content.slice());
  }
}

export function archiveScenario(options: { readonly badDisk?: boolean } = {}): Scenario {
  const { badDisk = false } = options;
  return {
    name: badDisk ? 'archive-bad-disk' : 'archive',
    about: `apply, merge and restore of one archive against a block array, with crashes${badDisk ? ' on a failing disk' : ''}`,
    run: (world) => drive(world, badDisk),
  };
}

/** Full now and then, and sometimes it fails outright; each kind of call at some time. */
function spoil(disk: SimHost['disk']): void {
  disk.faults.add({ operation: 'write', code: 'ENOSPC', probability: 0.01 });
  disk.faults.add({ operation: 'sync', code: 'EIO', probability: 0.02 });
  disk.faults.add({ operation: 'sync-directory', code: 'EIO', probability: 0.02 });
  disk.faults.add({ operation: 'rename', code: 'EIO', probability: 0.02 });
  disk.faults.add({ operation: 'open', code: 'EMFILE', probability: 0.005 });
}

async function drive(world: SimWorld, badDisk: boolean): Promise<void> {
  const [near, far] = [world.host('near'), world.host('far')];
  let unexpected: unknown;
  /** A disk that fails may end a server that is starting; nothing else may. */
  const watched = (process: SimProcess): SimProcess => {
    void process.exit.then((exit) => {
      if (exit.kind === 'failed' && !isDiskError(exit.error)) unexpected = exit.error;
    });
    return process;
  };
  let server = watched(world.spawn('a0', far, serve, { mayFail: true }));
  const crash = (process: SimProcess): void => {
    if (world.random.chance(0.5)) world.kill(process);
    else world.powerCut(far);
  };
  const disturb = (): void => {
    const process = server;
    if (process.alive)
      process.crashAt(world.random.between(1, CALLS_TO_CRASH), () => crash(process));
  };
  const revive = (): void => {
    if (unexpected !== undefined) throw unexpected;
    if (!server.alive) server = watched(world.restart(server, { mayFail: true }));
  };
  const read = async (path: string): Promise<Uint8Array> => {
    let bytes: Uint8Array | undefined;
    const main = async ({ files }: Env) => void (bytes = readWhole(files, path));
    await world.spawn('reader', far, main, { mayFail: true }).exit;
    if (bytes !== undefined) return bytes;
    throw new WalbError('unavailable', 'the host lost power, or its disk failed');
  };
  const restart = (): void => {
    world.kill(server);
    revive();
  };
  const worsen = (): void => {
    if (badDisk) spoil(far.disk);
  };
  const operator = async (env: Env): Promise<void> => {
    const channel = env.network.connect(ADDRESS, { clientId: 'operator' });
    await new Operator(env, channel, world.random.fork('operator'), {
      disturb,
      revive,
      restart,
      read,
      worsen,
    }).run();
  };
  const exit = await world.spawn('operator', near, operator).exit;
  if (exit.kind === 'failed') throw exit.error;
}

async function serve(env: Env, signal: AbortSignal): Promise<void> {
  await startArchive(env, {
    directory: DIRECTORY,
    address: ADDRESS,
    config: { maxOpenDiffs: env.random.u32() % 4, fsyncInterval: 8 * KIB },
  });
  await env.clock.sleep(FOREVER, signal);
}

interface Machine {
  /** The server will crash soon. */
  disturb(): void;
  revive(): void;
  /** Kills and starts it, as an operator does whose volume could not be loaded. */
  restart(): void;
  /** From now on the disk fails, where the scenario wants that. */
  worsen(): void;
  /** A file on its disk. */
  read(path: string): Promise<Uint8Array>;
}

class Operator {
  readonly #env: Env;
  readonly #channel: Channel;
  readonly #random: SimRandom;
  readonly #machine: Machine;
  readonly #model = new Model();

  constructor(env: Env, channel: Channel, random: SimRandom, machine: Machine) {
    this.#env = env;
    this.#channel = channel;
    this.#random = random;
    this.#machine = machine;
  }

  async run(): Promise<void> {
    await this.#begin();
    this.#machine.worsen();
    for (let step = 0; step < STEPS; step += 1) {
      if (this.#random.chance(0.3)) this.#machine.disturb();
      await this.#step();
      if (step % 8 === 7) await this.#check();
    }
    await this.#check();
  }

  async #begin(): Promise<void> {
    const model = this.#model;
    await this.#insist(() =>
      this.#channel.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: '' }),
    );
    model.content.set(this.#random.bytes(40 * LB_SIZE));
    await this.#insist(() => fullBackup(this.#channel, { image: model.content, uuid: UUID }));
    await this.#send(0n, 1n, false);
    model.record(1n);
  }

  async #step(): Promise<void> {
    const choices = [
      () => this.#write(),
      () => this.#write(),
      () => this.#write(),
      () => this.#merge(),
      () => this.#merge(),
      () => this.#apply(),
      () => this.#restoreSome(),
      () => this.#flags(),
      () => this.#reload(),
    ];
    await this.#random.pick(choices)();
  }

  // ---- the workload

  async #write(): Promise<void> {
    const model = this.#model;
    const from = model.latest;
    const to = from + BigInt(this.#random.between(1, 3));
    const isMergeable = this.#random.chance(0.7);
    if (!isMergeable) model.explicit.add(from);
    await this.#send(from, to, isMergeable);
    model.record(to);
  }

  async #send(from: bigint, to: bigint, isMergeable: boolean): Promise<void> {
    const diff = cleanDiff(from, to, { isMergeable, timestamp: 1_700_000_000 + Number(to) });
    const ios = this.#changes();
    for (;;) {
      const sent = { uuid: UUID, diff, ios, sizeLb: SIZE_LB };
      const reply = await this.#insist(() => sendDiff(this.#channel, sent));
      // The acknowledgement of an earlier attempt was lost.
      if (reply.answer === 'accept' || reply.answer === 'too-old-diff') return;
      if (/is not served/.test(reply.text)) this.#machine.restart();
      if (reply.answer === 'other') continue;
      if (reply.answer !== 'wdiff-recv') throw new Error(`refused: ${reply.answer} ${reply.text}`);
      await this.#env.clock.sleep(10);
    }
  }

  /** Writes, zeros and discards in address order, also done to the model. */
  #changes(): DiffIo[] {
    const ios: DiffIo[] = [];
    for (let at = this.#random.between(0, 20); at < SIZE_LB; at += this.#random.between(0, 30)) {
      const blocks = Math.min(this.#random.between(1, 12), SIZE_LB - at);
      const data = new Uint8Array(blocks * LB_SIZE);
      const kind = this.#random.pick(['normal', 'normal', 'zero', 'discard'] as const);
      if (kind === 'normal') {
        data.set(this.#random.bytes(data.length));
        ios.push(dataIo(at, data));
      } else ios.push({ address: at, blocks, kind });
      this.#model.content.set(data, at * LB_SIZE);
      at += blocks;
    }
    return ios;
  }

  // ---- the operator

  async #merge(): Promise<void> {
    const gidB = this.#someGid();
    const until = this.#random.chance(0.5)
      ? ({ $case: 'gidE', value: gidB + BigInt(this.#random.between(2, 12)) } as const)
      : ({ $case: 'maxSizeMb', value: 1 } as const);
    await this.#try(async () => {
      const request = { volume: VOLUME, gidB, until };
      await finished(this.#channel, await this.#channel.unary(ArchiveRpc.merge, request));
    });
  }

  async #apply(): Promise<void> {
    const gid = this.#someGid();
    if (gid > this.#model.appliedTo) this.#model.appliedTo = gid;
    await this.#try(async () => {
      const request = { volume: VOLUME, gid };
      await finished(this.#channel, await this.#channel.unary(ArchiveRpc.apply, request));
    });
  }

  async #restoreSome(): Promise<void> {
    await this.#try(async () => {
      const gids = await restorable(this.#channel);
      if (gids.length > 0) await this.#restore(this.#random.pick(gids));
    });
  }

  async #flags(): Promise<void> {
    const gid = this.#someGid();
    const isExplicit = this.#random.chance(0.5);
    const { explicit } = this.#model;
    // Before the call: whether it is done when the answer is lost is not known.
    explicit.delete(gid);
    const rpc = isExplicit ? ArchiveRpc.enableSnapshots : ArchiveRpc.disableSnapshots;
    await this.#try(async () => {
      const { failures } = await this.#channel.unary(rpc, { volume: VOLUME, gids: [gid] });
      if (isExplicit && failures.length === 0) explicit.add(gid);
    });
  }

  async #reload(): Promise<void> {
    await this.#try(async () => {
      await this.#channel.unary(ArchiveRpc.reloadMetadata, { volume: VOLUME });
      await this.#channel.unary(ArchiveRpc.gcDiff, { volume: VOLUME });
    });
  }

  #someGid(): bigint {
    return BigInt(this.#random.between(0, Number(this.#model.latest)));
  }

  // ---- what must hold

  async #check(): Promise<void> {
    const gids = await this.#insist(() => restorable(this.#channel));
    const { explicit, contents, latest, appliedTo } = this.#model;
    if (gids.at(-1) !== latest) {
      throw new Error(`latest is ${latest}, restorable are ${gids.join(' ')}`);
    }
    const base = await this.#insist(() =>
      this.#channel.unary(ArchiveRpc.getBase, { volume: VOLUME }),
    );
    const from = base.snapE?.gidB ?? base.snapB?.gidB ?? INVALID_GID;
    if (from > appliedTo && from > 1n)
      throw new Error(`the base is at ${from}: beyond ${appliedTo}`);
    for (const gid of explicit) {
      if (gid >= from && contents.has(gid) && !gids.includes(gid)) {
        throw new Error(`explicit snapshot ${gid} is lost; restorable are ${gids.join(' ')}`);
      }
    }
    for (const gid of gids) {
      if (!this.#random.chance(0.5)) continue;
      await this.#whileOffered(gid, async () => {
        this.#compare(gid, await this.#insist(() => scanned(this.#channel, gid)));
        if (this.#random.chance(0.3)) await this.#insist(() => this.#restore(gid));
      });
    }
  }

  /**
   * An apply that failed as it began may show only after a restart: then the snapshots before it are
   * not offered any more, and not before.
   */
  async #whileOffered(gid: bigint, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const gids = await this.#insist(() => restorable(this.#channel));
      if (!hasCode(error, 'not-found') || gids.includes(gid)) throw error;
    }
  }

  /** Restores, compares, and removes the image again. */
  async #restore(gid: bigint): Promise<void> {
    const { images } = await this.#channel.unary(ArchiveRpc.getRestored, { volume: VOLUME });
    for (const image of images) await this.#delete(image.gid);
    const accepted = await this.#channel.unary(ArchiveRpc.restore, { volume: VOLUME, gid });
    await finished(this.#channel, accepted);
    const restored = await this.#channel.unary(ArchiveRpc.getRestored, { volume: VOLUME });
    const path = restored.images.find((image) => image.gid === gid)?.path ?? '';
    this.#compare(gid, await this.#machine.read(path));
    await this.#delete(gid);
  }

  async #delete(gid: bigint): Promise<void> {
    await this.#channel.unary(ArchiveRpc.delRestored, { volume: VOLUME, gid });
  }

  #compare(gid: bigint, image: Uint8Array): void {
    const wanted = this.#model.contents.get(gid);
    if (wanted === undefined) throw new Error(`snapshot ${gid} never existed`);
    if (Buffer.compare(image, wanted) === 0) return;
    const at = image.findIndex((byte, index) => byte !== wanted[index]);
    throw new Error(`snapshot ${gid} differs from block ${Math.floor(at / LB_SIZE)} on`);
  }

  // ---- a server that may be gone

  /** Once; a refusal or a crash on the way is fine. */
  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isUnloaded(error)) this.#machine.restart();
      else if (isGone(error)) this.#machine.revive();
      else if (!hasCode(error, 'not-found', 'invalid-argument', 'wrong-state', 'busy')) throw error;
    }
  }

  /** Until it is done. */
  async #insist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (hasCode(error, 'already-exists')) return undefined as T;
        if (!isGone(error) && !hasCode(error, 'busy')) throw error;
        if (isUnloaded(error)) this.#machine.restart();
        else this.#machine.revive();
        await this.#env.clock.sleep(this.#random.between(1, 30));
      }
    }
  }
}

/** Worth another try: the server is away, or its disk failed. */
function isGone(error: unknown): boolean {
  return hasCode(error, 'unavailable', 'timeout', 'cancelled') || isDiskError(error);
}

function isDiskError(error: unknown): boolean {
  return hasCode(error, 'io', 'no-space', 'limit-exceeded');
}

function isUnloaded(error: unknown): boolean {
  return error instanceof WalbError && /is not served/.test(error.message);
}

function readWhole(files: Files, path: string): Uint8Array {
  const handle = files.open(path, 'read');
  try {
    const bytes = new Uint8Array(handle.size());
    handle.read(bytes, 0);
    return bytes;
  } finally {
    handle.close();
  }
}
