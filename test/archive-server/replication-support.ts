/** A device, its backups to several archives, and replication between these, for tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArchiveConfig } from '../../src/archive-server/config.ts';
import type { ArchiveVolume } from '../../src/archive-server/volume.ts';
import { type Channel, LB_SIZE, silentLogger, toHex } from '../../src/core/index.ts';
import { createRealEnv } from '../../src/core/real-env.ts';
import { createRealLogger } from '../../src/core/real-logger.ts';
import { murmur3x64_128 } from '../../src/kernels/index.ts';
import {
  ArchiveRpc,
  ControlRpc,
  type Faults,
  HostType,
  MemoryNetwork,
  type ReplicateRequest,
  type TaskResult,
} from '../../src/rpc/index.ts';
import { toChunks } from '../../src/server/byte-chunks.ts';
import type { DiffIo, Snapshot } from '../../src/wdiff/index.ts';
import {
  cleanDiff,
  dataIo,
  finished,
  fullBackup,
  packsOf,
  type RunningArchive,
  type SentDiff,
  scanned,
  sendDiff,
  startArchive,
  VOLUME,
} from './support.ts';

export const SIZE_LB = 256;
const HASH_BULK_LB = 8;

/** Deterministic bytes. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** 0 .. limit-1. */
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let state = this.#state;
    for (let at = 0; at < length; at += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      bytes[at] = state >>> 24;
    }
    this.#state = state;
    return bytes;
  }
}

/** The storage's side: a device whose log history begins anew with each backup. */
export class Device {
  readonly dice: Dice;
  content: Uint8Array;
  gid = 0n;
  uuid: Uint8Array;
  /** What each snapshot held, by history and gid. */
  readonly contents = new Map<string, Uint8Array>();
  readonly #written = new Set<number>();
  #begins = true;

  constructor(seed = 1, sizeLb = SIZE_LB) {
    this.dice = new Dice(seed);
    this.content = this.dice.bytes(sizeLb * LB_SIZE);
    this.content.fill(0, 0, (sizeLb * LB_SIZE) / 4);
    this.uuid = this.dice.bytes(16);
  }

  get sizeLb(): number {
    return this.content.length / LB_SIZE;
  }

  write(address = this.dice.below(this.sizeLb - 4), blocks = 1 + this.dice.below(4)): void {
    this.content.set(this.dice.bytes(blocks * LB_SIZE), address * LB_SIZE);
    for (let i = 0; i < blocks; i += 1) this.#written.add(address + i);
  }

  /** The log since the snapshot before, as a proxy makes it. */
  snapshot(isMergeable = false): SentDiff {
    const from = this.gid;
    this.gid += 1n + BigInt(this.dice.below(3));
    return this.#diffTo(from, isMergeable);
  }

  #diffTo(from: bigint, isMergeable: boolean): SentDiff {
    const ios: DiffIo[] = [...this.#written]
      .sort((a, b) => a - b)
      .map((at) => dataIo(at, this.content.slice(at * LB_SIZE, (at + 1) * LB_SIZE)));
    this.#written.clear();
    this.contents.set(`${toHex(this.uuid)}:${this.gid}`, this.content.slice());
    const timestamp = 1_700_000_000 + Number(this.gid);
    // The first diff after a log reset is never mergeable.
    const diff = cleanDiff(from, this.gid, {
      isMergeable: isMergeable && !this.#begins,
      timestamp,
    });
    this.#begins = false;
    return { uuid: this.uuid, diff, ios, sizeLb: this.sizeLb };
  }

  #reset(gid: bigint): void {
    this.uuid = this.dice.bytes(16);
    this.gid = gid;
    this.#written.clear();
    this.#begins = true;
  }

  /** Base |0,1|; the diff |0|-->|1| makes it clean. */
  async fullBackup(channel: Channel): Promise<SentDiff> {
    this.#reset(0n);
    this.write();
    const image = this.content.slice();
    this.write();
    await fullBackup(channel, { image, uuid: this.uuid });
    this.gid = 1n;
    return this.#diffTo(0n, false);
  }

  /** Compares with the archive's latest snapshot; the result is the log diff that makes it clean. */
  async hashBackup(channel: Channel): Promise<SentDiff> {
    const stream = channel.bidi(ArchiveRpc.hashSync, { timeout: 60_000 });
    const timestamp = 1_700_001_000;
    const value = {
      volume: VOLUME,
      hostType: HostType.STORAGE,
      sizeLb: this.sizeLb,
      timestamp,
      bulkLb: HASH_BULK_LB,
      compression: undefined,
    };
    await stream.send({ message: { $case: 'hello', value } });
    const accept = (await stream.receive())?.message;
    if (accept?.$case !== 'accept') throw new Error('no accept');
    const gidB = (accept.value.latest?.gidE ?? 0n) + 1n;
    this.#reset(gidB);
    await stream.send({ message: { $case: 'start', value: { uuid: this.uuid, gidB } } });
    if ((await stream.receive())?.message?.$case !== 'started') throw new Error('not started');
    const ios = await this.#differing(stream, timestamp);
    this.write();
    for await (const packs of toChunks([packsOf(ios, this.uuid)])) {
      await stream.send({ message: { $case: 'packs', value: packs } });
    }
    this.gid = gidB + 4n;
    await stream.send({ message: { $case: 'end', value: { gidB, gidE: this.gid } } });
    if ((await stream.receive())?.message?.$case !== 'ack') throw new Error('no ack');
    return this.#diffTo(gidB, false);
  }

  async #differing(stream: ReturnType<typeof openHashSync>, seed: number): Promise<DiffIo[]> {
    const ios: DiffIo[] = [];
    let bulk = 0;
    for (;;) {
      const message = (await stream.receive())?.message;
      if (message?.$case === 'hashesEnd') return ios;
      if (message?.$case !== 'hashes') throw new Error(`${message?.$case} instead of hashes`);
      const { hashes } = message.value;
      for (let at = 0; at < hashes.length; at += 16) {
        const offset = bulk * HASH_BULK_LB * LB_SIZE;
        const data = this.content.slice(offset, offset + HASH_BULK_LB * LB_SIZE);
        const theirs = hashes.subarray(at, at + 16);
        if (Buffer.compare(murmur3x64_128(data, seed), theirs) !== 0) {
          ios.push(dataIo(bulk * HASH_BULK_LB, data));
        }
        bulk += 1;
      }
    }
  }
}

function openHashSync(channel: Channel) {
  return channel.bidi(ArchiveRpc.hashSync);
}

export interface Archive {
  readonly name: string;
  readonly address: string;
  readonly channel: Channel;
  readonly volume: ArchiveVolume;
  running: RunningArchive;
  /** As kill -9 and a new start: what is on disk is what there is. */
  restart(config?: Partial<ArchiveConfig>): Promise<void>;
}

export interface Pair extends AsyncDisposable {
  readonly net: MemoryNetwork;
  readonly a0: Archive;
  readonly a1: Archive;
  readonly a2: Archive;
}

export interface PairOptions {
  readonly faults?: Faults;
  readonly config?: Partial<ArchiveConfig>;
}

/** Three archives with real files on a network in memory. */
export async function startPair({ faults, config }: PairOptions = {}): Promise<Pair> {
  const directory = mkdtempSync(join(tmpdir(), 'walb-replication-'));
  const net = new MemoryNetwork(faults === undefined ? {} : { faults });
  const archives = await Promise.all(
    ['a0', 'a1', 'a2'].map((name) => startOne(net, join(directory, name), name, config ?? {})),
  );
  const [a0, a1, a2] = archives as [Archive, Archive, Archive];
  return {
    net,
    a0,
    a1,
    a2,
    [Symbol.asyncDispose]: async () => {
      for (const { running } of archives) await running.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function startOne(
  net: MemoryNetwork,
  directory: string,
  name: string,
  config: Partial<ArchiveConfig>,
): Promise<Archive> {
  const address = `${name}:1`;
  const start = (changed: Partial<ArchiveConfig> = {}): Promise<RunningArchive> => {
    const level = process.env['WALB_TEST_LOG'];
    const log = level === 'debug' || level === 'info' ? createRealLogger({ level }) : silentLogger;
    const env = createRealEnv({ network: net.host(name), log: log.child({ server: name }) });
    return startArchive(env, { directory, address, config: { ...config, ...changed } });
  };
  const archive: Archive = {
    name,
    address,
    channel: net.host('operator').connect(address, { clientId: 'test' }),
    running: await start(),
    get volume() {
      return archive.running.server.find(VOLUME) as ArchiveVolume;
    },
    restart: async (changed) => {
      net.crash(name);
      archive.running = await start(changed);
    },
  };
  return archive;
}

export async function init({ channel }: Archive): Promise<void> {
  await channel.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: '' });
}

/** Delivers a diff as a proxy does; returns the archives' answers. */
export async function deliver(sent: SentDiff, ...archives: readonly Archive[]): Promise<string[]> {
  const answers: string[] = [];
  for (const { channel } of archives) answers.push((await sendDiff(channel, sent)).answer);
  return answers;
}

export type Wish = Partial<Omit<ReplicateRequest, 'volume' | 'address'>>;

export function request(to: Archive, wish: Wish = {}): ReplicateRequest {
  return {
    volume: VOLUME,
    until: { $case: 'sizeMb', value: 0 },
    address: to.address,
    doResync: false,
    dontMerge: false,
    compression: undefined,
    maxMergeBytes: 0,
    bulkBytes: 4096,
    ...wish,
  };
}

/** Throws the error of the refusal or of the task. */
export async function replicate(from: Archive, to: Archive, wish?: Wish): Promise<TaskResult> {
  const accepted = await from.channel.unary(ArchiveRpc.replicate, request(to, wish));
  return finished(from.channel, accepted);
}

export function latest({ volume }: Archive): Snapshot {
  return volume.latest();
}

export async function imageOf({ channel }: Archive, gid: bigint): Promise<Buffer> {
  return scanned(channel, gid);
}
