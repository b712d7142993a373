/** A proxy server in a simulated world, a storage that sends it log, and archives that answer as told. */
import { type BidiStream, type Channel, KIB } from '../../src/core/index.ts';
import type { ProxyConfig } from '../../src/proxy-server/config.ts';
import { ProxyServer } from '../../src/proxy-server/server.ts';
import {
  ArchiveRpc,
  ControlRpc,
  diffToMessage,
  handle,
  ProxyRpc,
  type WdiffAnswer,
  type WdiffHello,
  type WlogDown,
  type WlogUp,
} from '../../src/rpc/index.ts';
import { type Diff, diffOf, snapshot } from '../../src/wdiff/index.ts';
import { decodeWlogHeader, generateWlog } from '../../src/wlog/index.ts';
import { HostType, PORT, type ServerWorld, type StartedServer } from '../server/server-world.ts';

export const VOLUME = 'vol';
export const UUID = new Uint8Array(16).fill(3);

export const CONFIG: ProxyConfig = {
  baseDirectory: '/p0',
  maxBackgroundTasks: 2,
  maxWdiffSend: 1024 * KIB,
  maxWdiffFiles: 1,
  minDelay: 1000,
  maxDelay: 8000,
  retryTimeout: 60,
  startStopped: false,
  spoolLimit: 0,
};

export function startProxy(
  world: ServerWorld,
  config: Partial<ProxyConfig> = {},
  maxForegroundTasks = 4,
): Promise<StartedServer<ProxyServer>> {
  return world.start(
    'p0',
    HostType.PROXY,
    (core, settings) => new ProxyServer(core, { ...CONFIG, ...config }, settings),
    maxForegroundTasks,
  );
}

export const infoOf = (name: string, delay = 0) => ({
  name,
  address: `${name}:${PORT}`,
  compression: undefined,
  wdiffSendDelaySec: delay,
});

export async function addArchive(channel: Channel, name: string, delay = 0): Promise<void> {
  await channel.unary(ProxyRpc.addArchiveInfo, { volume: VOLUME, info: infoOf(name, delay) });
}

export async function startVolume(channel: Channel): Promise<void> {
  await channel.unary(ControlRpc.start, { volume: VOLUME, role: 'unspecified' });
}

export const logDiff = (b: bigint, e: bigint, isMergeable = true): Diff =>
  diffOf(snapshot(b), snapshot(e), { isMergeable, timestamp: 1000 + Number(e) });

export interface SendOptions {
  readonly maxLogSizePb?: number;
  readonly diff?: Diff;
  readonly uuid?: Uint8Array;
  readonly volume?: string;
  readonly sizeLb?: number;
  /** Called between accept and the first pack. */
  readonly meanwhile?: () => Promise<void>;
  /** Changes the log on its way. */
  readonly spoil?: (log: Uint8Array) => void;
}

/** A small log of its own for each seed: packs only, without file header and end block. */
function logOf(seed: number) {
  const pieces = generateWlog({ seed, deviceLb: 1024, totalLb: 64, maxIoLb: 8, maxDiscardLb: 8 });
  // Each piece is valid only until the next one.
  const file = Buffer.concat(Array.from(pieces, (piece) => Uint8Array.from(piece)));
  const { pbs, salt, beginLsid, headerSize } = decodeWlogHeader(file);
  const packs = file.subarray(headerSize, file.length - pbs);
  return { pbs, salt, beginLsid, packs, endLsid: beginLsid + BigInt(packs.length / pbs) };
}

export type WlogStream = BidiStream<WlogUp, WlogDown>;

/** Sends some log as a storage does; resolves with the acknowledgement. */
export async function sendLog(
  channel: Channel,
  b: bigint,
  e: bigint,
  options: SendOptions = {},
): Promise<void> {
  const uuid = options.uuid ?? UUID;
  const log = logOf(Number(e));
  options.spoil?.(log.packs);
  const stream = channel.bidi(ProxyRpc.transferWlog);
  await stream.send({
    message: {
      $case: 'hello',
      value: {
        volume: options.volume ?? VOLUME,
        uuid,
        pbs: log.pbs,
        salt: log.salt,
        sizeLb: options.sizeLb ?? 1024,
        maxLogSizePb: options.maxLogSizePb ?? log.packs.length / log.pbs,
        beginLsid: log.beginLsid,
        gidB: b,
      },
    },
  });
  const accept = (await stream.receive())?.message;
  if (accept?.$case !== 'accept') throw new Error(`accept expected, not ${accept?.$case}`);
  await options.meanwhile?.();
  await stream.send({ message: { $case: 'packs', value: { pieces: [log.packs] } } });
  const diff = diffToMessage(options.diff ?? logDiff(b, e));
  await stream.send({ message: { $case: 'end', value: { diff, endLsid: log.endLsid } } });
  await stream.end();
  const ack = (await stream.receive())?.message;
  if (ack?.$case !== 'ack') throw new Error(`ack expected, not ${ack?.$case}`);
}

/** An archive that answers each offered diff as it is told. */
export class FakeArchive {
  readonly offers: { readonly range: string; readonly hello: WdiffHello; readonly at: number }[] =
    [];
  readonly stored: string[] = [];
  answer: (range: string) => WdiffAnswer = () => 'accept';
  beforeAck: () => Promise<void> | void = () => {};

  async listen(world: ServerWorld, name: string) {
    return await world.fake(name, [
      handle(ArchiveRpc.transferWdiff, async (stream) => {
        const hello = (await stream.receive())?.message;
        if (hello?.$case !== 'hello') throw new Error('hello expected');
        const { diff } = hello.value;
        const range = `${diff?.snapB?.gidB}-${diff?.snapE?.gidB}`;
        this.offers.push({ range, hello: hello.value, at: world.world.elapsed / 1e6 });
        const answer = this.answer(range);
        const server = { hostType: HostType.ARCHIVE, nodeId: name, instance: '' };
        const value = { answer, text: '', latest: { gidB: 1n, gidE: 1n }, server };
        await stream.send({ message: { $case: 'answer', value } });
        if (answer !== 'accept') return;
        for (let message = await stream.receive(); message !== undefined; ) {
          if (message.message?.$case === 'end') break;
          message = await stream.receive();
        }
        await this.beforeAck();
        this.stored.push(range);
        await stream.send({ message: { $case: 'ack', value: {} } });
      }),
    ]);
  }
}
