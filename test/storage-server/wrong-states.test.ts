/**
 * E.1: every command of a storage in every state that does not allow it, the temporary ones included,
 * during each kind of stop and over the foreground limit, as generated from the state table: refused
 * with the documented code, and nothing changed on disk, at the device or in the state.
 */
import { describe, expect, it } from 'vitest';
import type { Channel } from '../../src/core/index.ts';
import { ControlRpc, StopMode, StorageRpc } from '../../src/rpc/index.ts';
import { type StorageCommand, storageModel } from '../../src/storage-server/states.ts';
import { expectRefused, type Hurdle, meet, refusalsOf, type Subject } from '../server/refusals.ts';
import { ServerWorld } from '../server/server-world.ts';
import { DEVICE, FakeDevice, FakeProxies, startStorage, store, VOLUME } from './support.ts';

type Call = (channel: Channel, volume: string) => Promise<unknown>;
type Command = Exclude<StorageCommand, 'WlogSend' | 'WlogRemove'>;

const backup = { bulkBytes: 0, compression: undefined };

/** What goes over the wire for each command; more than one where a command has kinds. */
const CALLS: Record<Command, Readonly<Record<string, Call>>> = {
  'init-vol': {
    'init-vol': (c, volume) => c.unary(ControlRpc.initVolume, { volume, devicePath: DEVICE }),
  },
  'clear-vol': { 'clear-vol': (c, volume) => c.unary(ControlRpc.clearVolume, { volume }) },
  'reset-vol': { 'reset-vol': (c, volume) => c.unary(ControlRpc.resetVolume, { volume, gid: 7n }) },
  'start target': {
    'start target': (c, volume) => c.unary(ControlRpc.start, { volume, role: 'target' }),
  },
  'start standby': {
    'start standby': (c, volume) => c.unary(ControlRpc.start, { volume, role: 'standby' }),
  },
  stop: {
    'stop graceful': (c, volume) => c.unary(ControlRpc.stop, { volume, mode: StopMode.GRACEFUL }),
    'stop force': (c, volume) => c.unary(ControlRpc.stop, { volume, mode: StopMode.FORCE }),
  },
  'full-bkp': { 'full-bkp': (c, volume) => c.unary(StorageRpc.fullBackup, { volume, ...backup }) },
  'hash-bkp': { 'hash-bkp': (c, volume) => c.unary(StorageRpc.hashBackup, { volume, ...backup }) },
  snapshot: { snapshot: (c, volume) => c.unary(StorageRpc.snapshot, { volume }) },
  resize: { resize: (c, volume) => c.unary(StorageRpc.resize, { volume, sizeLb: 128 }) },
  'get is-overflow': {
    'get is-overflow': (c, volume) => c.unary(StorageRpc.isOverflow, { volume }),
  },
  'get uuid': { 'get uuid': (c, volume) => c.unary(StorageRpc.getUuid, { volume }) },
  'get log-usage': { 'get log-usage': (c, volume) => c.unary(StorageRpc.getLogUsage, { volume }) },
  'dbg-dump-logpack-header': {
    'dbg-dump-logpack-header': (c, volume) =>
      c.unary(StorageRpc.dumpLogpackHeader, { volume, lsid: 0n }),
  },
};

const FOREGROUND = 4;

interface Storage {
  readonly world: ServerWorld;
  readonly channel: Channel;
  readonly subject: Subject;
  readonly device: FakeDevice;
  readonly proxies: FakeProxies;
  sendNow(): void;
}

/** A storage whose volume is Stopped with log to deliver, and a proxy that would take it. */
function withStorage(work: (storage: Storage) => Promise<void>): Promise<void> {
  return ServerWorld.run(async (world) => {
    const proxies = new FakeProxies();
    await world.fake('p0', proxies.bindings('p0'));
    const device = new FakeDevice();
    await store(world, 'Stopped', device);
    device.write([3, 4]);
    const { channel, server, core } = await startStorage(world, device, {}, FOREGROUND);
    const volume = server.find(VOLUME)!;
    const { machine, stop, actions } = volume;
    const subject = {
      model: storageModel,
      machine,
      stop,
      actions,
      fillForeground: () => {
        const held = new DisposableStack();
        for (let i = 0; i < FOREGROUND; i += 1) held.use(core.foreground.acquire('test'));
        return held;
      },
      fingerprint: () => [
        world.filesBelow('s0', '/s0'),
        server.volumes(),
        core.foreground.running,
        volume.tasks.progress(),
        volume.tasks.results(),
        { ...device },
        device.watchers,
        proxies.deliveries.length,
      ],
    } as unknown as Subject;
    await work({ world, channel, subject, device, proxies, sendNow: () => server.sendNow(volume) });
  });
}

const OPTIONS = { stopModes: ['graceful', 'force'] } as const;
const targetOf = (hurdle: Hurdle): string => (hurdle.kind === 'unknown volume' ? 'nobody' : VOLUME);

const calls = Object.entries(CALLS).flatMap(([command, kinds]) =>
  Object.entries(kinds).map(([name, call]) => ({ name, command, call })),
);

describe.each(calls)('$name is refused', ({ command, call }) => {
  it.each(refusalsOf(storageModel, command, OPTIONS))('$title', ({ hurdle, code }) =>
    withStorage(async ({ channel, subject }) => {
      using _situation = meet(subject, hurdle);
      await expectRefused(subject, () => call(channel, targetOf(hurdle)), code);
    }),
  );
});

it('names every command of the state table', () => {
  expect([...Object.keys(CALLS), 'WlogSend', 'WlogRemove'].sort()).toEqual(
    Object.keys(storageModel.rules).sort(),
  );
});

/** The server's own work meets the same table (B.3). */
describe('no log is delivered', () => {
  const refusals = refusalsOf(storageModel, 'WlogSend', OPTIONS).filter(
    ({ hurdle }) => hurdle.kind !== 'unknown volume',
  );
  it.each(refusals)('$title', ({ hurdle }) =>
    withStorage(async ({ world, subject, proxies, sendNow }) => {
      using _situation = meet(subject, hurdle);
      sendNow();
      await world.sleep(5000);
      expect(proxies.deliveries).toEqual([]);
    }),
  );
});

describe('no log is freed undelivered', () => {
  const refusals = refusalsOf(storageModel, 'WlogRemove', OPTIONS).filter(
    ({ hurdle }) => hurdle.kind !== 'unknown volume',
  );
  it.each(refusals)('$title', ({ hurdle }) =>
    withStorage(async ({ world, subject, device, proxies, sendNow }) => {
      device.prevWritten = device.permanent;
      proxies.refuse = () => {
        throw new Error('not now');
      };
      using _situation = meet(subject, hurdle);
      sendNow();
      await world.sleep(5000);
      expect(device.oldest).toBe(0n);
    }),
  );

  it('but by a standby, whose log nobody wants', () =>
    withStorage(async ({ world, subject, device, sendNow }) => {
      device.prevWritten = device.permanent;
      using _situation = meet(subject, { kind: 'state', state: 'Standby' });
      sendNow();
      await world.until(() => device.oldest === device.permanent);
    }));
});
