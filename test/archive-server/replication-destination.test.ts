/** Destinations that do not keep to the protocol of replication: a clear error, and the source keeps all. */
import { expect, it } from 'vitest';
import type { BidiStream } from '../../src/core/index.ts';
import { LB_SIZE } from '../../src/core/index.ts';
import {
  ArchiveRpc,
  HostType,
  handle,
  type ReplicationDown,
  ReplicationKind,
  type ReplicationUp,
} from '../../src/rpc/index.ts';
import { Device, deliver, imageOf, init, request, startPair } from './replication-support.ts';
import { finished, restorable } from './support.ts';

type Stream = BidiStream<ReplicationDown, ReplicationUp>;
type Answer = NonNullable<ReplicationDown['message']>;

const UUID = new Uint8Array(16);
const latest = (gidB: bigint, gidE = gidB, uuid = UUID): Answer => ({
  $case: 'latest',
  value: { gidB, gidE, uuid },
});
const chosen = (value: ReplicationKind): Answer => ({ $case: 'chosen', value });
const FULL = chosen(ReplicationKind.FULL);
const RESYNC = chosen(ReplicationKind.RESYNC);
const ROUNDS = chosen(ReplicationKind.HASH_OR_DIFF);
const go: Answer = { $case: 'go', value: {} };
const ack: Answer = { $case: 'ack', value: {} };
const hashesEnd: Answer = { $case: 'hashesEnd', value: {} };
const fullFrom = (startLb: number): Answer => ({ $case: 'fullFrom', value: { startLb } });
const hashes = (firstBulk: number, count: number): Answer => ({
  $case: 'hashes',
  value: { firstBulk, hashes: new Uint8Array(count * 16) },
});

/** Reads until this message. */
const until =
  (name: NonNullable<ReplicationUp['message']>['$case']) =>
  async (stream: Stream): Promise<void> => {
    for (;;) {
      const message = (await stream.receive())?.message;
      if (message === undefined) throw new Error(`no ${name} came`);
      if (message.$case === name) return;
    }
  };

type Step = Answer | ((stream: Stream) => Promise<void>);

const SIZE_LB = 64;
/** In bulks of eight blocks. */
const BULKS = SIZE_LB / 8;

const cases: readonly (readonly [string, string, readonly Step[]])[] = [
  ['goes away', 'unavailable', []],
  ['acknowledges before it has chosen', 'invalid-argument', [ack]],
  ['chooses nothing', 'unsupported', [chosen(ReplicationKind.UNSPECIFIED)]],
  ['begins beyond the end', 'invalid-argument', [FULL, until('full'), fullFrom(SIZE_LB + 1)]],
  [
    'takes the image, but does not say so',
    'unavailable',
    [FULL, until('full'), fullFrom(0), until('dataEnd')],
  ],
  ['sends no hashes', 'corrupt', [RESYNC, until('resync'), go, hashesEnd]],
  [
    'sends too few hashes',
    'corrupt',
    [RESYNC, until('resync'), go, hashes(0, BULKS - 1), hashesEnd],
  ],
  ['sends too many hashes', 'corrupt', [RESYNC, until('resync'), go, hashes(0, BULKS + 1)]],
  ['leaves out hashes', 'corrupt', [RESYNC, until('resync'), go, hashes(1, 1)]],
  ['acknowledges in place of hashes', 'unavailable', [RESYNC, until('resync'), go, ack]],
  ['has no snapshot', 'invalid-argument', [ROUNDS, latest(9n, 1n)]],
  [
    'never gets on',
    'conflict',
    [
      ROUNDS,
      latest(0n),
      until('hash'),
      go,
      hashes(0, BULKS),
      hashesEnd,
      until('dataEnd'),
      ack,
      latest(0n),
    ],
  ],
  ['does not finish', 'unavailable', [ROUNDS, latest(3n), until('finish')]],
];

it.each(cases)('a destination that %s: %s', async (_what, code, steps) => {
  await using pair = await startPair();
  const { a0, net } = pair;
  await init(a0);
  const device = new Device(3, SIZE_LB);
  await deliver(await device.fullBackup(a0.channel), a0);
  // The only snapshots are 1 and, later than every gid that is named here but one, this one.
  device.write();
  device.gid = 2n;
  await deliver(device.snapshot(), a0);
  const serve = async (stream: Stream): Promise<void> => {
    await until('hello')(stream);
    const server = { hostType: HostType.ARCHIVE, nodeId: 'evil', instance: '' };
    await stream.send({ message: { $case: 'accept', value: server } });
    for (const step of steps) {
      if (typeof step === 'function') await step(stream);
      else await stream.send({ message: step });
    }
  };
  await net.host('evil').listen('evil:1', [handle(ArchiveRpc.serveReplication, serve)]);
  const before = await restorable(a0.channel);

  const wish = { address: 'evil:1', bulkBytes: 8 * LB_SIZE };
  const accepted = a0.channel.unary(ArchiveRpc.replicate, { ...request(a0), ...wish });
  const run = accepted.then((task) => finished(a0.channel, task));
  await expect(run).rejects.toMatchObject({ code, message: expect.stringMatching(/.{10}/) });

  expect(await restorable(a0.channel)).toEqual(before);
  for (const gid of before.slice(-1)) await imageOf(a0, gid);
  expect(a0.volume.actions.total).toBe(0);
  expect(a0.volume.state).toBe('Archived');
  expect(a0.running.core.foreground.running).toBe(0);
});
