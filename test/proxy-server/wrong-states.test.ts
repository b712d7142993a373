/**
 * E.2: every command of a proxy in every state that does not allow it, the temporary ones included,
 * beside a running send, during each kind of stop and over the foreground limit, as generated from the
 * state table: refused with the documented code, and nothing changed on disk or in the state.
 */
import { describe, expect, it } from 'vitest';
import type { Channel } from '../../src/core/index.ts';
import { type ProxyCommand, proxyModel } from '../../src/proxy-server/states.ts';
import { ControlRpc, ProxyRpc, StopMode } from '../../src/rpc/index.ts';
import {
  enterState,
  expectRefused,
  type Hurdle,
  meet,
  refusalsOf,
  type Subject,
} from '../server/refusals.ts';
import { ServerWorld } from '../server/server-world.ts';
import {
  addArchive,
  FakeArchive,
  infoOf,
  sendLog,
  startProxy,
  startVolume,
  VOLUME,
} from './support.ts';

type Call = (channel: Channel, volume: string) => Promise<unknown>;
type Command = Exclude<ProxyCommand, 'wdiff-send'>;

const stop =
  (mode: StopMode): Call =>
  (c, volume) =>
    c.unary(ControlRpc.stop, { volume, mode });

/** What goes over the wire for each command; more than one where a command has kinds. */
const CALLS: Record<Command, Readonly<Record<string, Call>>> = {
  start: { start: (c, volume) => c.unary(ControlRpc.start, { volume, role: 'unspecified' }) },
  stop: {
    'stop graceful': stop(StopMode.GRACEFUL),
    'stop force': stop(StopMode.FORCE),
    'stop empty': stop(StopMode.EMPTY),
  },
  'archive-info add': {
    'archive-info add': (c, volume) =>
      c.unary(ProxyRpc.addArchiveInfo, { volume, info: infoOf('a1') }),
  },
  'archive-info update': {
    'archive-info update': (c, volume) =>
      c.unary(ProxyRpc.updateArchiveInfo, { volume, info: infoOf('a0', 5) }),
  },
  'archive-info delete': {
    'archive-info delete': (c, volume) =>
      c.unary(ProxyRpc.deleteArchiveInfo, { volume, archive: 'a0' }),
  },
  'clear-vol': { 'clear-vol': (c, volume) => c.unary(ControlRpc.clearVolume, { volume }) },
  resize: { resize: (c, volume) => c.unary(ProxyRpc.resize, { volume, sizeLb: 4096 }) },
  kick: {
    'kick VOL': (c, volume) => c.unary(ControlRpc.kick, { volume, archive: '' }),
    'kick VOL ARCHIVE': (c, volume) => c.unary(ControlRpc.kick, { volume, archive: 'a0' }),
  },
  'get is-wdiff-send-error': {
    'get is-wdiff-send-error': (c, volume) =>
      c.unary(ProxyRpc.isWdiffSendError, { volume, archive: 'a0' }),
  },
  'wlog-transfer': { 'wlog-transfer': (c, volume) => sendLog(c, 1n, 2n, { volume }) },
};

const FOREGROUND = 4;

interface Proxy {
  readonly world: ServerWorld;
  readonly channel: Channel;
  readonly subject: Subject;
  readonly archive: FakeArchive;
  pushSends(): void;
}

/** A proxy whose volume is Stopped and holds a diff for `a0`, which answers. */
function withProxy(work: (proxy: Proxy) => Promise<void>): Promise<void> {
  return ServerWorld.run(async (world) => {
    const archive = new FakeArchive();
    archive.answer = () => 'stopped';
    await archive.listen(world, 'a0');
    const { channel, server, core } = await startProxy(world, {}, FOREGROUND);
    await addArchive(channel, 'a0');
    await startVolume(channel);
    await sendLog(channel, 0n, 1n);
    await channel.unary(ControlRpc.stop, { volume: VOLUME, mode: StopMode.GRACEFUL });
    await world.until(() => server.state(VOLUME) === 'Stopped');
    const volume = server.requireVolume(VOLUME, 'start');
    const { machine, stop: stopControl, actions } = volume;
    const subject = {
      model: proxyModel,
      machine,
      stop: stopControl,
      actions,
      fillForeground: () => {
        const held = new DisposableStack();
        for (let i = 0; i < FOREGROUND; i += 1) held.use(core.foreground.acquire('test'));
        return held;
      },
      fingerprint: () => [
        world.filesBelow('p0', '/p0'),
        server.volumes(),
        core.foreground.running,
        volume.tasks.progress(),
        volume.tasks.results(),
        volume.isSendError('a0'),
        archive.offers.length,
      ],
    } as unknown as Subject;
    const pushSends = (): void => server.pushSends(volume);
    await work({ world, channel, subject, archive, pushSends });
  });
}

const OPTIONS = { actions: ['a0'], stopModes: ['graceful', 'force', 'empty'] } as const;
const targetOf = (hurdle: Hurdle): string => (hurdle.kind === 'unknown volume' ? 'nobody' : VOLUME);

const calls = Object.entries(CALLS).flatMap(([command, kinds]) =>
  Object.entries(kinds).map(([name, call]) => ({ name, command, call })),
);

describe.each(calls)('$name is refused', ({ command, call }) => {
  it.each(refusalsOf(proxyModel, command, OPTIONS))('$title', ({ hurdle, code }) =>
    withProxy(async ({ channel, subject }) => {
      using _situation = meet(subject, hurdle);
      await expectRefused(subject, () => call(channel, targetOf(hurdle)), code);
    }),
  );
});

it('names every command of the state table', () => {
  expect([...Object.keys(CALLS), 'wdiff-send'].sort()).toEqual(
    Object.keys(proxyModel.rules).sort(),
  );
});

/** A kick of all volumes is no error where it can do nothing; so it must do nothing. */
describe('kick without a volume passes over one that is', () => {
  const idle = [...proxyModel.steady, ...proxyModel.temporary].filter(
    (state) => state !== 'Clear' && !proxyModel.rules.kick.states.includes(state),
  );
  it.each(idle)('%s', (state) =>
    withProxy(async ({ world, channel, subject, archive }) => {
      using _state = enterState(subject, state);
      const before = subject.fingerprint();
      await channel.unary(ControlRpc.kick, { volume: '', archive: '' });
      await world.sleep(5000);
      expect(subject.fingerprint()).toEqual(before);
      expect(archive.offers).toHaveLength(1);
    }),
  );
});

/** The server's own work meets the same table: no diff leaves a volume that is not sending. */
describe('no diff is offered', () => {
  const refusals = refusalsOf(proxyModel, 'wdiff-send', OPTIONS).filter(
    ({ hurdle }) => hurdle.kind !== 'unknown volume',
  );
  it.each(refusals)('$title', ({ hurdle }) =>
    withProxy(async ({ world, subject, archive, pushSends }) => {
      const offered = archive.offers.length;
      using situation = meet(subject, hurdle);
      pushSends();
      await world.sleep(5000);
      expect(archive.offers).toHaveLength(offered);
      situation[Symbol.dispose]();
      // It was not lost either: in a state that sends, it goes.
      using _started = enterState(subject, 'Started');
      pushSends();
      await world.until(() => archive.offers.length > offered);
    }),
  );

  it('while the archive has one send already', () =>
    withProxy(async ({ world, subject, archive, pushSends }) => {
      const offered = archive.offers.length;
      using _started = enterState(subject, 'Started');
      using _running = subject.actions.begin('a0');
      pushSends();
      await world.sleep(5000);
      expect(archive.offers).toHaveLength(offered);
    }));
});
