/** What another program may send to a destination: refused with a cause, and nothing of it is kept. */
import { describe, expect, it } from 'vitest';
import type { BidiStream } from '../../src/core/index.ts';
import { LB_SIZE, WalbError } from '../../src/core/index.ts';
import { checksum } from '../../src/kernels/index.ts';
import {
  ArchiveRpc,
  CompressionKind,
  diffToMessage,
  HostType,
  type ReplicationDown,
  type ReplicationHello,
  type ReplicationUp,
  stateToMessage,
} from '../../src/rpc/index.ts';
import { diffOf, metaState, snapshot } from '../../src/wdiff/index.ts';
import {
  type Archive,
  Device,
  deliver,
  init,
  latest,
  replicate,
  SIZE_LB,
  startPair,
} from './replication-support.ts';
import { cleanDiff, dataIo, packsOf, VOLUME, viewWhere } from './support.ts';

type Message = NonNullable<ReplicationUp['message']>;
type Stream = BidiStream<ReplicationUp, ReplicationDown>;

const UUID = new Uint8Array(16).fill(3);
const DATA = new Uint8Array(8 * LB_SIZE).fill(9);

function helloTo(archive: Archive, wish: Partial<ReplicationHello> = {}): Message {
  const value: ReplicationHello = {
    volume: VOLUME,
    hostType: HostType.ARCHIVE,
    archiveUuid: archive.volume.catalogue.archiveUuid,
    doResync: false,
    client: undefined,
    ...wish,
  };
  return { $case: 'hello', value };
}

/** Sends all and reads until the server ends the call; its error. */
async function errorOf(archive: Archive, messages: readonly Message[]): Promise<WalbError> {
  const stream: Stream = archive.channel.bidi(ArchiveRpc.serveReplication, { timeout: 20_000 });
  try {
    for (const message of messages) await stream.send({ message });
    await stream.end();
    for (;;) if ((await stream.receive()) === undefined) break;
  } catch (error) {
    return WalbError.from(error);
  }
  throw new Error('the destination took it');
}

async function expectUntouched(archive: Archive, state: 'Archived' | 'SyncReady'): Promise<void> {
  await viewWhere(archive.channel, (view) => view.state === state);
  expect(archive.running.core.foreground.running).toBe(0);
  expect(archive.volume.catalogue.cleanTemporary()).toEqual([]);
  expect(archive.volume.progressLb).toBe(0);
}

const chunk = (
  offsetLb: number,
  wish: { data?: Uint8Array; sum?: number; blocks?: number } = {},
): Message => {
  const { data = DATA, sum = checksum(data, 0), blocks = 8 } = wish;
  const bulk = { blocks, compression: CompressionKind.NONE, checksum: sum, data };
  return { $case: 'chunk', value: { offsetLb, bulks: [bulk] } };
};

const end: Message = { $case: 'dataEnd', value: {} };

describe('a destination without data', () => {
  const full = (wish = {}): Message => ({
    $case: 'full',
    value: {
      sizeLb: SIZE_LB,
      bulkLb: 8,
      base: stateToMessage(metaState(snapshot(5n), 1)),
      uuid: UUID,
      archiveUuid: UUID,
      compression: undefined,
      ...wish,
    },
  });
  const hello = (archive: Archive): Message => helloTo(archive, { archiveUuid: UUID });
  const cases: readonly (readonly [string, string, (archive: Archive) => Message[]])[] = [
    ['a storage', 'invalid-argument', (a) => [helloTo(a, { hostType: HostType.STORAGE })]],
    ['a bad volume', 'invalid-argument', (a) => [helloTo(a, { volume: '../x' })]],
    ['an unknown volume', 'wrong-state', (a) => [helloTo(a, { volume: 'other' })]],
    ['a short uuid', 'invalid-argument', (a) => [helloTo(a, { archiveUuid: UUID.slice(1) })]],
    ['no hello', 'invalid-argument', () => [end]],
    ['a diff in place of the image', 'invalid-argument', (a) => [hello(a), end]],
    [
      'another archive uuid',
      'invalid-argument',
      (a) => [hello(a), full({ archiveUuid: DATA.slice(0, 16) })],
    ],
    ['no size', 'invalid-argument', (a) => [hello(a), full({ sizeLb: 0 })]],
    ['no base', 'invalid-argument', (a) => [hello(a), full({ base: undefined })]],
    ['a huge bulk', 'invalid-argument', (a) => [hello(a), full({ bulkLb: 1 << 20 })]],
    [
      'a base under apply',
      'invalid-argument',
      (a) => [hello(a), full({ base: stateToMessage(metaState(snapshot(1n), 1, snapshot(2n))) })],
    ],
    ['a gap in the image', 'invalid-argument', (a) => [hello(a), full(), chunk(0), chunk(16)]],
    ['damaged image data', 'corrupt', (a) => [hello(a), full(), chunk(0, { sum: 1 })]],
    ['data beyond the end', 'invalid-argument', (a) => [hello(a), full({ sizeLb: 4 }), chunk(0)]],
    ['an image cut short', 'corrupt', (a) => [hello(a), full(), chunk(0), end]],
    ['the end of the stream', 'unavailable', (a) => [hello(a), full(), chunk(0)]],
  ];
  it.each(cases)('refuses %s: %s', async (_what, code, messages) => {
    await using pair = await startPair();
    await init(pair.a1);
    expect(await errorOf(pair.a1, messages(pair.a1))).toMatchObject({ code });
    await expectUntouched(pair.a1, 'SyncReady');
    expect(pair.a1.volume.catalogue.hasBase()).toBe(false);
  });
});

describe('an archived destination', () => {
  const at = (archive: Archive): bigint => latest(archive).b;
  const packs = (...pieces: Uint8Array[]): Message => ({ $case: 'packs', value: { pieces } });
  const diff = (from: bigint, to: bigint, wish = {}): Message => ({
    $case: 'diff',
    value: {
      sizeLb: SIZE_LB,
      diff: diffToMessage(cleanDiff(from, to)),
      uuid: UUID,
      compression: undefined,
      ...wish,
    },
  });
  const hash = (archive: Archive, wish = {}): Message => ({
    $case: 'hash',
    value: {
      sizeLb: SIZE_LB,
      bulkLb: 8,
      diff: diffToMessage(
        diffOf(latest(archive), snapshot(at(archive) + 5n), {
          isCompared: true,
          isMergeable: true,
        }),
      ),
      uuid: UUID,
      compression: undefined,
      ...wish,
    },
  });
  const good = packsOf([dataIo(0, DATA)], UUID);
  const damaged = good.map((part, index) => (index === 1 ? part.map((byte) => byte ^ 1) : part));
  const beyond = packsOf([dataIo(SIZE_LB - 4, DATA)], UUID);
  const cases: readonly (readonly [string, string, (archive: Archive) => Message[]])[] = [
    ['a diff that is too old', 'conflict', (a) => [diff(0n, at(a))]],
    ['a diff that is too new', 'conflict', (a) => [diff(at(a) + 1n, at(a) + 2n)]],
    [
      'a diff without its uuid',
      'invalid-argument',
      (a) => [diff(at(a), at(a) + 2n, { uuid: DATA })],
    ],
    ['no diff at all', 'invalid-argument', (a) => [diff(at(a), at(a) + 2n, { diff: undefined })]],
    ['a larger volume', 'conflict', (a) => [diff(at(a), at(a) + 2n, { sizeLb: SIZE_LB + 8 })]],
    ['a cut diff', 'corrupt', (a) => [diff(at(a), at(a) + 2n), packs(...good.slice(0, 1)), end]],
    ['a damaged diff', 'corrupt', (a) => [diff(at(a), at(a) + 2n), packs(...damaged), end]],
    [
      'records beyond the end',
      'invalid-argument',
      (a) => [diff(at(a), at(a) + 2n), packs(...beyond), end],
    ],
    ['bytes after the end', 'corrupt', (a) => [diff(at(a), at(a) + 2n), packs(...good, DATA), end]],
    ['an unfinished diff', 'unavailable', (a) => [diff(at(a), at(a) + 2n), packs(...good)]],
    ['an image', 'invalid-argument', () => [chunk(0)]],
    [
      'a comparison with something else',
      'conflict',
      (a) => [
        hash(a, { diff: diffToMessage(diffOf(snapshot(1n), snapshot(9n), { isCompared: true })) }),
      ],
    ],
    [
      'a plain diff as a comparison',
      'conflict',
      (a) => [hash(a, { diff: diffToMessage(cleanDiff(at(a), at(a) + 3n)) })],
    ],
    ['a comparison in bulks of nothing', 'invalid-argument', (a) => [hash(a, { bulkLb: 0 })]],
    ['a damaged comparison', 'corrupt', (a) => [hash(a), packs(...damaged), end]],
  ];
  it.each(cases)('refuses %s: %s', async (_what, code, messages) => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    await init(a0);
    await init(a1);
    const device = new Device();
    await deliver(await device.fullBackup(a0.channel), a0);
    device.write();
    await deliver(device.snapshot(), a0);
    await replicate(a0, a1);
    const before = [...a1.volume.catalogue.diffs];
    expect(await errorOf(a1, [helloTo(a1), ...messages(a1)])).toMatchObject({ code });
    await expectUntouched(a1, 'Archived');
    expect([...a1.volume.catalogue.diffs]).toEqual(before);
    // And goes on afterwards.
    device.write();
    await deliver(device.snapshot(), a0);
    await replicate(a0, a1);
    expect(latest(a1)).toEqual(latest(a0));
  });

  it('keeps its data when the client goes away before it has shown what it will send', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    await init(a0);
    await init(a1);
    const device = new Device();
    await deliver(await device.fullBackup(a0.channel), a0);
    await replicate(a0, a1);
    const hello = helloTo(a1, { archiveUuid: UUID, doResync: true });
    expect(await errorOf(a1, [hello])).toMatchObject({ code: 'unavailable' });
    await expectUntouched(a1, 'Archived');
    // Nor while someone reads the image that would be written over.
    using _reader = a1.volume.readers.read(latest(a1).b, 'a virtual full scan');
    await expect(replicate(a0, a1, { doResync: true })).rejects.toMatchObject({ code: 'busy' });
    await expectUntouched(a1, 'Archived');
    expect(latest(a1)).toEqual(latest(a0));
  });
});
