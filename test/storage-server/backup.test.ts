/** Full and hash backup, the storage's side, against archives that do as a test says (B.6). */
import { describe, expect, it } from 'vitest';
import {
  type BidiStream,
  type ErrorCode,
  hasCode,
  toHex,
  type WalbError,
} from '../../src/core/index.ts';
import { murmur3x64_128 } from '../../src/kernels/index.ts';
import {
  ArchiveRpc,
  type BackupRequest,
  type BackupStart,
  ControlRpc,
  type FullSyncDown,
  type FullSyncUp,
  fromErrorInfo,
  type HashSyncDown,
  type HashSyncUp,
  handle,
  StorageRpc,
} from '../../src/rpc/index.ts';
import type { StorageServer } from '../../src/storage-server/server.ts';
import { HostType, ServerWorld, type StartedServer } from '../server/server-world.ts';
import { FakeDevice, FakeProxies, startStorage, store, VOLUME } from './support.ts';

const IDENTITY = { hostType: HostType.ARCHIVE, nodeId: 'a0', instance: '' };
const REQUEST: BackupRequest = { volume: VOLUME, bulkBytes: 512, compression: undefined };
/** Blocks per second: a chunk of some bulks each second. */
const SLOW = 10;

type FullStream = BidiStream<FullSyncDown, FullSyncUp>;
type HashStream = BidiStream<HashSyncDown, HashSyncUp>;
type Case = NonNullable<FullSyncUp['message']>;

class FakeArchive {
  readonly starts: BackupStart[] = [];
  readonly received: Case[] = [];
  /** What is answered to the start; ends the call when it throws. */
  onStart: (start: BackupStart) => { startLb: number; refusal?: string } = () => ({ startLb: 0 });
  /** Called for every message after the start; ends the call when it throws. */
  onMessage: (message: Case) => void = () => {};

  readonly serve = async (stream: FullStream): Promise<void> => {
    await this.#next(stream);
    await stream.send({ message: { $case: 'accept', value: IDENTITY } });
    for (;;) {
      const message = await this.#next(stream);
      this.onMessage(message);
      this.received.push(message);
      if (message.$case === 'start') {
        this.starts.push(message.value);
        await stream.send({ message: { $case: 'started', value: this.onStart(message.value) } });
      }
      if (message.$case === 'scanEnd') {
        await stream.send({ message: { $case: 'scanSynced', value: {} } });
      }
      if (message.$case !== 'end') continue;
      await stream.send({ message: { $case: 'ack', value: {} } });
      return;
    }
  };

  async #next(stream: FullStream): Promise<Case> {
    const message = (await stream.receive())?.message;
    if (message === undefined) throw new Error('the storage went away');
    return message;
  }

  chunks(): { from: number; blocks: number }[] {
    return this.received.flatMap((message) => {
      if (message.$case !== 'chunk') return [];
      const blocks = message.value.bulks.reduce((sum, bulk) => sum + bulk.blocks, 0);
      return [{ from: message.value.offsetLb, blocks }];
    });
  }

  settled(): number[] {
    return this.received.flatMap((m) => (m.$case === 'settled' ? [m.value.doneLb] : []));
  }
}

interface Setup {
  readonly s0: StartedServer<StorageServer>;
  readonly device: FakeDevice;
  readonly archive: FakeArchive;
}

async function setUp(world: ServerWorld, fullScanLbPerSec = SLOW): Promise<Setup> {
  const device = new FakeDevice();
  const archive = new FakeArchive();
  await store(world, 'SyncReady', device);
  const proxies = new FakeProxies();
  for (const name of ['p0', 'p1']) await world.fake(name, proxies.bindings(name));
  await world.fake('a0', [handle(ArchiveRpc.fullSync, archive.serve)]);
  const s0 = await startStorage(world, device, { fullScanLbPerSec });
  return { s0, device, archive };
}

/** How the backup ended; undefined = well. */
async function backUp(
  world: ServerWorld,
  { s0 }: Pick<Setup, 's0'>,
  wish: Partial<BackupRequest> = {},
  method: typeof StorageRpc.fullBackup | typeof StorageRpc.hashBackup = StorageRpc.fullBackup,
): Promise<WalbError | undefined> {
  const { taskId } = await s0.channel.unary(method, { ...REQUEST, ...wish });
  const volume = s0.server.find(VOLUME);
  const result = () => volume?.tasks.results().find((task) => task.taskId === taskId);
  await world.until(() => result() !== undefined, 3_600_000);
  const error = result()?.error;
  return error === undefined ? undefined : fromErrorInfo(error);
}

async function expectReady(world: ServerWorld, { s0 }: Pick<Setup, 's0'>): Promise<void> {
  const { state } = await s0.channel.unary(ControlRpc.getState, { volume: VOLUME });
  expect(state).toBe('SyncReady');
  await world.until(() => s0.core.foreground.running === 0);
  expect(s0.server.find(VOLUME)?.isMonitored).toBe(false);
}

const BROKEN = 'broken off by the test';

/** An archive that takes so many chunks of the first backup. */
function breakAfter(archive: FakeArchive, chunks: number): void {
  let left = chunks;
  archive.onMessage = ({ $case }) => {
    if ($case === 'chunk' && left-- === 0) throw new Error(BROKEN);
  };
}

describe('a full backup', () => {
  it('sends every block once, settles all, and makes the volume a target', () =>
    ServerWorld.run(async (world) => {
      const setup = await setUp(world);
      const { archive, s0 } = setup;
      expect(await backUp(world, setup)).toBeUndefined();
      let at = 0;
      for (const { from, blocks } of archive.chunks()) {
        expect(from).toBe(at);
        at += blocks;
      }
      expect(at).toBe(64);
      expect(archive.chunks().length).toBeGreaterThan(4);
      expect(archive.settled().at(-1)).toBe(64);
      const { state } = await s0.channel.unary(ControlRpc.getState, { volume: VOLUME });
      expect(state).toBe('Target');
      expect(Object.keys(world.filesBelow('s0', '/s0'))).not.toContain(`/s0/${VOLUME}/backup`);
    }));

  it('calls nothing settled that a power cut can still take back', () =>
    ServerWorld.run(async (world) => {
      const setup = await setUp(world);
      const { archive, device } = setup;
      let unsettled = 0;
      archive.onMessage = (message) => {
        if (message.$case !== 'chunk' || archive.chunks().length !== 2) return;
        // From here on what is read may be lost, until the log is on stable storage.
        device.write([3], false);
        unsettled = message.value.offsetLb + message.value.bulks.length;
      };
      const done = backUp(world, setup);
      await world.until(() => archive.chunks().length === 5);
      expect(Math.max(...archive.settled())).toBeLessThanOrEqual(unsettled + SLOW);
      expect(archive.settled().length).toBeLessThan(4);
      device.permanent = device.latest;
      expect(await done).toBeUndefined();
      expect(archive.settled().at(-1)).toBe(64);
    }));

  it('follows a limit that changes while it runs', () =>
    ServerWorld.run(async (world) => {
      const setup = await setUp(world, 1);
      const { archive, s0 } = setup;
      const done = backUp(world, setup);
      await world.sleep(3000);
      expect(archive.chunks().length).toBeLessThan(5);
      await s0.channel.unary(StorageRpc.setFullScanBps, { bytesPerSec: 0 });
      const before = world.world.elapsed;
      expect(await done).toBeUndefined();
      expect(world.world.elapsed - before).toBeLessThan(1_000_000);
    }));

  it('sends what it is asked to: bulk size and compression', () =>
    ServerWorld.run(async (world) => {
      const setup = await setUp(world, 0);
      const compression = { kind: 'gzip', level: 9, cpus: 1 } as const;
      expect(await backUp(world, setup, { bulkBytes: 8192, compression })).toBeUndefined();
      const [chunk] = setup.archive.received.filter(({ $case }) => $case === 'chunk');
      const bulks = chunk?.$case === 'chunk' ? chunk.value.bulks : [];
      expect(bulks.map(({ blocks }) => blocks)).toEqual([16, 16, 16, 16]);
    }));

  it.each([1, 511, 513, 8 * 1024 * 1024])('refuses bulks of %i bytes', (bulkBytes) =>
    ServerWorld.run(async (world) => {
      const setup = await setUp(world);
      await expect(backUp(world, setup, { bulkBytes })).rejects.toMatchObject({
        code: 'invalid-argument',
      });
      await expectReady(world, setup);
      expect(setup.archive.starts).toEqual([]);
    }),
  );
});

describe('a full backup that was broken off', () => {
  /** Broken off after some chunks; what the archive was told first. */
  const broken = async (world: ServerWorld): Promise<Setup & { first: BackupStart }> => {
    const setup = await setUp(world);
    const { archive } = setup;
    breakAfter(archive, 3);
    expect(await backUp(world, setup)).toBeDefined();
    await expectReady(world, setup);
    const [first] = archive.starts;
    expect(first?.resume ?? false).toBe(false);
    archive.onMessage = () => {};
    archive.received.length = 0;
    archive.starts.length = 0;
    return { ...setup, first: first as BackupStart };
  };

  it('goes on where the archive says, in the same log history', () =>
    ServerWorld.run(async (world) => {
      const setup = await broken(world);
      const { archive, device, first } = setup;
      archive.onStart = () => ({ startLb: 20 });
      const { uuid } = device;
      expect(await backUp(world, setup)).toBeUndefined();
      expect(archive.starts).toEqual([{ uuid: first.uuid, gidB: 0n, resume: true }]);
      expect(device.uuid).toBe(uuid);
      expect(archive.chunks()[0]?.from).toBe(20);
      expect(archive.chunks().reduce((sum, { blocks }) => sum + blocks, 0)).toBe(44);
    }));

  it('goes on after a restart of the storage', () =>
    ServerWorld.run(async (world) => {
      const setup = await broken(world);
      const { archive, first, device } = setup;
      setup.s0.process.kill();
      await setup.s0.process.exit;
      const s0 = await startStorage(world, device);
      archive.onStart = () => ({ startLb: 64 });
      expect(await backUp(world, { s0 })).toBeUndefined();
      expect(archive.starts).toEqual([{ uuid: first.uuid, gidB: 0n, resume: true }]);
      expect(archive.chunks()).toEqual([]);
    }));

  it('begins anew, with a new history, when the archive can not go on', () =>
    ServerWorld.run(async (world) => {
      const setup = await broken(world);
      const { archive, first } = setup;
      archive.onStart = () => ({ startLb: 0, refusal: 'nothing here' });
      expect(await backUp(world, setup)).toBeUndefined();
      const [asked, anew] = archive.starts;
      expect(toHex(asked?.uuid as Uint8Array)).toBe(toHex(first.uuid));
      expect(toHex(anew?.uuid as Uint8Array)).not.toBe(toHex(first.uuid));
      expect(archive.chunks().reduce((sum, { blocks }) => sum + blocks, 0)).toBe(64);
    }));

  const reasons: readonly (readonly [string, (setup: Setup) => void, Partial<BackupRequest>])[] = [
    ['the log overflowed', ({ device }) => (device.overflow = true), {}],
    ['undelivered log was freed', ({ device }) => (device.oldest = 5n), {}],
    ['the volume grew', ({ device }) => (device.sizeLb = 80), {}],
    ['the log was reset behind its back', ({ device }) => void device.resetLog(), {}],
    ['it is told to', () => {}, { fromStart: true }],
  ];
  it.each(reasons)('begins anew without asking when %s', (_why, happen, wish) =>
    ServerWorld.run(async (world) => {
      const setup = await broken(world);
      happen(setup);
      const { archive, first } = setup;
      await backUp(world, setup, wish);
      expect(archive.starts.map(({ resume }) => resume ?? false)).toEqual([false]);
      expect(toHex(archive.starts[0]?.uuid as Uint8Array)).not.toBe(toHex(first.uuid));
    }),
  );

  it('begins anew when the proxies do not have what was delivered', () =>
    ServerWorld.run(async (world) => {
      const setup = await setUp(world);
      const { archive, device } = setup;
      breakAfter(archive, 3);
      const done = backUp(world, setup);
      await world.until(() => archive.chunks().length === 1);
      device.write([4, 4]);
      await done;
      const { records } = setup.s0.server.find(VOLUME) ?? {};
      expect(records?.done.gid).toBeGreaterThan(0n);
      archive.onMessage = () => {};
      archive.starts.length = 0;
      // These proxies acknowledge everything and keep nothing.
      expect(await backUp(world, setup)).toBeUndefined();
      expect(archive.starts.map(({ resume }) => resume ?? false)).toEqual([false]);
    }));
});

describe('an archive that does not keep to the protocol of a full backup', () => {
  const hostile: readonly (readonly [string, ErrorCode, (stream: FullStream) => Promise<void>])[] =
    [
      ['leaves out the beginning', 'invalid-argument', startedAt(7)],
      ['begins beyond the end', 'invalid-argument', startedAt(65)],
      ['says nothing after the start', 'timeout', accepted(async () => await forever())],
      ['goes away after the start', 'unavailable', accepted(async () => {})],
      [
        'acknowledges in place of beginning',
        'invalid-argument',
        accepted((stream) => stream.send({ message: { $case: 'ack', value: {} } })),
      ],
      [
        'says nothing at the end',
        'timeout',
        accepted(async (stream) => {
          await stream.send({ message: { $case: 'started', value: { startLb: 0 } } });
          for (;;) if ((await stream.receive())?.message?.$case === 'end') await forever();
        }),
      ],
      [
        'takes nothing',
        'timeout',
        accepted(async (stream) => {
          await stream.send({ message: { $case: 'started', value: { startLb: 0 } } });
          await forever();
        }),
      ],
    ];
  it.each(hostile)('%s: %s', (_what, code, serve) =>
    ServerWorld.run(async (world) => {
      const device = new FakeDevice();
      await store(world, 'SyncReady', device);
      await world.fake('a0', [handle(ArchiveRpc.fullSync, serve)]);
      const s0 = await startStorage(world, device);
      const error = await backUp(world, { s0 });
      expect(hasCode(error, code) ? code : error).toBe(code);
      await expectReady(world, { s0 });
    }),
  );

  it('says nothing at all: the command fails', () =>
    ServerWorld.run(async (world) => {
      const device = new FakeDevice();
      await store(world, 'SyncReady', device);
      await world.fake('a0', [handle(ArchiveRpc.fullSync, () => forever())]);
      const s0 = await startStorage(world, device);
      await expect(backUp(world, { s0 })).rejects.toMatchObject({ code: 'timeout' });
      await expectReady(world, { s0 });
      // Nothing was given up for it.
      expect(device.uuid[0]).toBe(1);
    }));
});

function forever(): Promise<void> {
  return new Promise(() => {});
}

function accepted(then: (stream: FullStream) => Promise<void>): (s: FullStream) => Promise<void> {
  return async (stream) => {
    await stream.receive();
    await stream.send({ message: { $case: 'accept', value: IDENTITY } });
    await stream.receive();
    await then(stream);
  };
}

function startedAt(startLb: number): (stream: FullStream) => Promise<void> {
  return accepted(async (stream) => {
    await stream.send({ message: { $case: 'started', value: { startLb } } });
    await stream.receive();
  });
}

describe('an archive that does not keep to the protocol of a hash backup', () => {
  /** Of 64 bulks of zeros, as the device has them. */
  const hashOf = (count: number): Uint8Array => {
    const one = murmur3x64_128(new Uint8Array(512), 0);
    return Buffer.concat(Array.from({ length: count }, () => one));
  };
  const hashes = (firstBulk: number, bytes: Uint8Array): HashSyncDown => ({
    message: { $case: 'hashes', value: { firstBulk, hashes: bytes } },
  });
  const end: HashSyncDown = { message: { $case: 'hashesEnd', value: {} } };
  const cases: readonly (readonly [string, ErrorCode, readonly HashSyncDown[]])[] = [
    ['sends too few hashes', 'corrupt', [hashes(0, hashOf(63)), end]],
    ['sends too many hashes', 'corrupt', [hashes(0, hashOf(65)), end]],
    ['sends hashes after the last', 'corrupt', [hashes(0, hashOf(64)), hashes(64, hashOf(1))]],
    ['leaves out hashes', 'corrupt', [hashes(0, hashOf(10)), hashes(11, hashOf(1))]],
    ['sends hashes again', 'corrupt', [hashes(0, hashOf(10)), hashes(0, hashOf(10))]],
    ['sends an empty list', 'corrupt', [hashes(0, hashOf(0))]],
    ['sends half a hash', 'corrupt', [hashes(0, hashOf(2).subarray(0, 24))]],
    ['sends no hashes', 'corrupt', [end]],
    ['acknowledges early', 'unavailable', [{ message: { $case: 'ack', value: {} } }]],
  ];
  const run = (
    world: ServerWorld,
    serve: (stream: HashStream) => Promise<void>,
  ): Promise<readonly [WalbError | undefined, StartedServer<StorageServer>]> =>
    (async () => {
      const device = new FakeDevice();
      await store(world, 'SyncReady', device);
      const opened = async (stream: HashStream): Promise<void> => {
        await stream.receive();
        const latest = { gidB: 4n, gidE: 4n };
        await stream.send({
          message: { $case: 'accept', value: { server: IDENTITY, latest } },
        });
        await stream.receive();
        await stream.send({ message: { $case: 'started', value: {} } });
        await serve(stream);
      };
      await world.fake('a0', [handle(ArchiveRpc.hashSync, opened)]);
      const s0 = await startStorage(world, device);
      return [await backUp(world, { s0 }, {}, StorageRpc.hashBackup), s0] as const;
    })();

  it.each(cases)('%s: %s', (_what, code, messages) =>
    ServerWorld.run(async (world) => {
      const [error, s0] = await run(world, async (stream) => {
        for (const message of messages) await stream.send(message);
        for (;;) if ((await stream.receive()) === undefined) return;
      });
      expect(hasCode(error, code) ? code : error).toBe(code);
      await expectReady(world, { s0 });
    }),
  );

  it('falls silent: timeout', () =>
    ServerWorld.run(async (world) => {
      const [error, s0] = await run(world, async (stream) => {
        await stream.send(hashes(0, hashOf(10)));
        await forever();
      });
      expect(error).toMatchObject({ code: 'timeout' });
      await expectReady(world, { s0 });
    }));
});
