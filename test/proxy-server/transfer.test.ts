/** Receiving log (C.3) and sending diffs (C.4): what is refused, what is kept, and when it is tried again. */
import { describe, expect, it } from 'vitest';
import { MIB, WalbError } from '../../src/core/index.ts';
import type { ProxyConfig } from '../../src/proxy-server/config.ts';
import { chooseParts } from '../../src/proxy-server/send.ts';
import {
  isRetryOver,
  reactionTo,
  type SendReaction,
} from '../../src/proxy-server/send-reaction.ts';
import type { ProxyServer } from '../../src/proxy-server/server.ts';
import { ControlRpc, ProxyRpc, StopMode, type WdiffAnswer } from '../../src/rpc/index.ts';
import { formatDiffName } from '../../src/wdiff/index.ts';
import { outcomeOf, ServerWorld, type StartedServer } from '../server/server-world.ts';
import {
  addArchive,
  FakeArchive,
  logDiff,
  sendLog,
  startProxy,
  startVolume,
  VOLUME,
} from './support.ts';

interface Setup {
  readonly world: ServerWorld;
  readonly proxy: StartedServer<ProxyServer>;
  readonly archive: FakeArchive;
}

const volume = VOLUME;

async function started(work: (setup: Setup) => Promise<void>, config: Partial<ProxyConfig> = {}) {
  await ServerWorld.run(async (world) => {
    const archive = new FakeArchive();
    await archive.listen(world, 'a0');
    const proxy = await startProxy(world, config);
    await addArchive(proxy.channel, 'a0');
    await startVolume(proxy.channel);
    await work({ world, proxy, archive });
  });
}

const queued = async ({ proxy }: Setup) =>
  (await proxy.channel.unary(ProxyRpc.getProxyDiff, { volume, archive: 'a0' })).diffs.length;

const sendError = async ({ proxy }: Setup) =>
  (await proxy.channel.unary(ProxyRpc.isWdiffSendError, { volume, archive: 'a0' })).value;

const statusOf = async ({ proxy }: Setup) => {
  const reply = await proxy.channel.unary(ControlRpc.status, { volume });
  if (reply.status?.$case !== 'proxyVolume') throw new Error('no status');
  return reply.status.value;
};

describe('receiving log', () => {
  it('acknowledges when the diff is queued for every archive, and grows the size', () =>
    started(async (setup) => {
      setup.archive.answer = () => 'syncing';
      await sendLog(setup.proxy.channel, 0n, 1n, { sizeLb: 2048 });
      expect(await queued(setup)).toBe(1);
      expect((await statusOf(setup)).sizeLb).toBe(2048);
      await sendLog(setup.proxy.channel, 1n, 2n, { sizeLb: 1024 });
      expect((await statusOf(setup)).sizeLb).toBe(2048);
    }));

  it('the same range again is one diff', () =>
    started(async (setup) => {
      setup.archive.answer = () => 'syncing';
      for (let i = 0; i < 3; i++) await sendLog(setup.proxy.channel, 0n, 1n);
      expect(await queued(setup)).toBe(1);
    }));

  it.each<[string, Parameters<typeof sendLog>[3], string]>([
    ['a damaged pack', { spoil: (log) => log.fill(1, 600, 700) }, 'corrupt'],
    ['more log than announced', { maxLogSizePb: 1 }, 'invalid-argument'],
    ['a dirty diff', { diff: { ...logDiff(0n, 1n), E: { b: 1n, e: 5n } } }, 'invalid-argument'],
    ['a compared diff', { diff: { ...logDiff(0n, 1n), isCompared: true } }, 'invalid-argument'],
    ['a short uuid', { uuid: new Uint8Array(3) }, 'invalid-argument'],
  ])('%s is refused, and nothing is kept', (_, options, code) =>
    started(async (setup) => {
      expect(await outcomeOf(sendLog(setup.proxy.channel, 0n, 1n, options))).toBe(code);
      expect(await queued(setup)).toBe(0);
      expect((await statusOf(setup)).state).toBe('Started');
      const names = Object.keys(setup.world.filesBelow('p0', `/p0/${volume}`));
      expect(names.filter((name) => name.includes('/received/'))).toEqual([]);
      await sendLog(setup.proxy.channel, 0n, 1n);
    }),
  );

  it('a second transfer meanwhile, a transfer beyond -fg', () =>
    started(async ({ proxy }) => {
      await sendLog(proxy.channel, 0n, 1n, {
        meanwhile: async () => {
          expect(await outcomeOf(sendLog(proxy.channel, 0n, 1n))).toBe('busy');
        },
      });
      using _full = new DisposableStack();
      for (let i = 0; i < 4; i++) _full.use(proxy.core.foreground.acquire('test'));
      expect(await outcomeOf(sendLog(proxy.channel, 1n, 2n))).toBe('limit-exceeded');
    }));

  it('is held back while the disk has no room for what may come, and by -spool-limit (W4)', () =>
    started(
      async (setup) => {
        const { world, proxy } = setup;
        setup.archive.answer = () => 'syncing';
        const maxLogSizePb = (2 * MIB) / 512;
        expect(await outcomeOf(sendLog(proxy.channel, 0n, 1n, { maxLogSizePb }))).toBe('no-space');
        await sendLog(proxy.channel, 0n, 1n);
        const { disk } = world.world.host('p0');
        disk.setCapacity(MIB);
        expect(await outcomeOf(sendLog(proxy.channel, 1n, 2n))).toBe('no-space');
        expect(await queued(setup)).toBe(1);
        disk.setCapacity(1024 * MIB);
        await sendLog(proxy.channel, 1n, 2n);
      },
      { spoolLimit: 2 * MIB },
    ));

  it('says in its status that it holds storages back, until archives have made room (W4)', () =>
    started(
      async (setup) => {
        const { proxy, world, archive } = setup;
        const spool = async () => {
          const { status } = await proxy.channel.unary(ControlRpc.status, { volume: '' });
          return status?.$case === 'proxy' ? status.value.spool : undefined;
        };
        archive.answer = () => 'syncing';
        await sendLog(proxy.channel, 0n, 1n);
        const used = (await statusOf(setup)).spoolBytes;
        expect(await spool()).toMatchObject({ usedBytes: used, isFull: false });
        // Below the limit, but not by as much as may come.
        const maxLogSizePb = Math.ceil((2 * MIB - used) / 512) + 1;
        const sending = () => outcomeOf(sendLog(proxy.channel, 1n, 2n, { maxLogSizePb }));
        expect(await sending()).toBe('no-space');
        expect(await spool()).toMatchObject({ usedBytes: used, limitBytes: 3 * MIB, isFull: true });
        archive.answer = () => 'accept';
        await world.until(async () => (await queued(setup)) === 0, 30_000);
        expect(await spool()).toMatchObject({ usedBytes: 0, isFull: false });
        expect(await sending()).toBe('done');
        expect(await spool()).toMatchObject({ isFull: false });
      },
      { spoolLimit: 3 * MIB },
    ));

  it('a storage that stays connected, but says nothing more, is given up', () =>
    started(async (setup) => {
      const { proxy, world } = setup;
      const outcome = outcomeOf(
        sendLog(proxy.channel, 0n, 1n, { meanwhile: () => world.sleep(16 * 60_000) }),
      );
      await world.sleep(1000);
      expect((await statusOf(setup)).state).toBe('WlogRecv');
      await world.until(async () => (await statusOf(setup)).state === 'Started', 15 * 60_000);
      expect(await outcome).toBe('timeout');
      await sendLog(proxy.channel, 0n, 1n);
    }));

  it('a stop by force does not wait for a storage that says nothing more', () =>
    started(async (setup) => {
      const { proxy, world } = setup;
      const outcome = outcomeOf(
        sendLog(proxy.channel, 0n, 1n, {
          meanwhile: async () => {
            await proxy.channel.unary(ControlRpc.stop, { volume, mode: StopMode.FORCE });
            await world.until(async () => (await statusOf(setup)).state === 'Stopped', 1000);
          },
        }),
      );
      expect(await outcome).toBe('cancelled');
      expect(await queued(setup)).toBe(0);
    }));
});

describe('what a proxy does with an answer (C.4)', () => {
  it.each<[WdiffAnswer, SendReaction]>([
    ['accept', 'send'],
    ['smaller-lv-size', 'give-up'],
    ['archive-not-found', 'give-up'],
    ['different-uuid', 'discard'],
    ['too-old-diff', 'discard'],
    ['too-new-diff', 'report-gap'],
    ['syncing', 'retry'],
    ['stopped', 'retry-for-a-while'],
    ['wdiff-recv', 'retry-for-a-while'],
    ['other', 'retry-for-a-while'],
  ])('%s: %s', (answer, reaction) => expect(reactionTo(answer)).toBe(reaction));

  it('the retry timeout counts from the last log, and only when there was some', () => {
    expect(isRetryOver(0, 1_000_000, 60)).toBe(false);
    expect(isRetryOver(1000, 1060, 60)).toBe(false);
    expect(isRetryOver(1000, 1061, 60)).toBe(true);
  });
});

describe('sending diffs', () => {
  it('sends in order and deletes what is acknowledged', () =>
    started(async (setup) => {
      await sendLog(setup.proxy.channel, 0n, 1n);
      await sendLog(setup.proxy.channel, 1n, 2n);
      await setup.world.until(async () => (await queued(setup)) === 0);
      expect(setup.archive.stored).toEqual(['0-1', '1-2']);
      expect(await statusOf(setup)).toMatchObject({ spoolBytes: 0 });
    }));

  it('keeps what was not acknowledged, and tries again after a second', () =>
    started(async (setup) => {
      setup.archive.beforeAck = () => {
        if (setup.archive.offers.length === 1) throw new Error('died');
      };
      await sendLog(setup.proxy.channel, 0n, 1n);
      await setup.world.until(() => setup.archive.stored.length === 1);
      const [first, second] = setup.archive.offers;
      expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(0.99);
      expect(setup.archive.offers).toHaveLength(2);
    }));

  it('is tried again when an archive stays connected, but never acknowledges', () =>
    started(async (setup) => {
      const { world, proxy, archive } = setup;
      archive.beforeAck = () =>
        archive.offers.length === 1 ? new Promise<void>(() => {}) : undefined;
      await sendLog(proxy.channel, 0n, 1n);
      await world.until(() => archive.stored.length === 1, 16 * 60_000);
      expect(archive.offers).toHaveLength(2);
    }));

  it.each([
    ['-wn', { maxWdiffFiles: 3 }, ['0-3', '3-5']],
    ['-wd', { maxWdiffSend: 1, maxWdiffFiles: 9 }, ['0-1', '1-2', '2-3', '3-4', '4-5']],
    ['neither limit', { maxWdiffFiles: 9 }, ['0-5']],
  ] as const)('merges what waits, within %s', (_, limits, ranges) =>
    started(async (setup) => {
      const { world, proxy, archive } = setup;
      archive.answer = () => 'stopped';
      for (let gid = 0n; gid < 5n; gid += 1n) {
        await sendLog(proxy.channel, gid, gid + 1n, { diff: logDiff(gid, gid + 1n, gid > 0n) });
      }
      archive.answer = () => 'accept';
      await world.until(async () => (await queued(setup)) === 0, 30_000);
      expect(archive.stored).toEqual(ranges);
    }, limits),
  );

  it('waits for the delay of the archive', () =>
    started(async ({ world, proxy, archive }) => {
      await proxy.channel.unary(ControlRpc.stop, { volume, mode: StopMode.GRACEFUL });
      await world.sleep(100);
      const info = { name: 'a0', address: 'a0:1', compression: undefined, wdiffSendDelaySec: 30 };
      await proxy.channel.unary(ProxyRpc.updateArchiveInfo, { volume, info });
      await startVolume(proxy.channel);
      await world.sleep(100);
      await sendLog(proxy.channel, 0n, 1n);
      await world.sleep(29_000);
      expect(archive.offers).toEqual([]);
      await world.until(() => archive.stored.length === 1, 2000);
    }));

  it.each<WdiffAnswer>(['different-uuid', 'too-old-diff'])(
    '%s: the diff is deleted, the next one sent',
    (answer) =>
      started(async (setup) => {
        setup.archive.answer = (range) => (range === '0-1' ? answer : 'accept');
        await sendLog(setup.proxy.channel, 0n, 1n);
        await sendLog(setup.proxy.channel, 1n, 2n);
        await setup.world.until(() => setup.archive.stored.length === 1, 1000);
        expect(setup.archive.stored).toEqual(['1-2']);
        expect(await queued(setup)).toBe(0);
        expect((await statusOf(setup)).archives[0]?.discardedDiffs).toBe(1);
      }),
  );

  it.each<WdiffAnswer>(['smaller-lv-size', 'archive-not-found'])(
    '%s: flagged, until a kick',
    (answer) =>
      started(async (setup) => {
        const { world, proxy, archive } = setup;
        archive.answer = () => answer;
        await sendLog(proxy.channel, 0n, 1n);
        await world.until(() => sendError(setup));
        await world.sleep(60_000);
        expect(archive.offers).toHaveLength(1);
        expect(await queued(setup)).toBe(1);
        archive.answer = () => 'accept';
        await proxy.channel.unary(ControlRpc.kick, { volume, archive: 'a0' });
        await world.until(() => archive.stored.length === 1, 1000);
        expect(await sendError(setup)).toBe(false);
      }),
  );

  it('a gap is reported with both sides while it is retried, and forgotten when it closes (W7)', () =>
    started(async (setup) => {
      const { world, proxy, archive } = setup;
      archive.answer = () => 'too-new-diff';
      await sendLog(proxy.channel, 5n, 6n);
      await world.sleep(3500);
      const [gap] = (await statusOf(setup)).archives.map((status) => status.gap);
      expect(gap).toMatchObject({ peer: 'a0', expected: { gidB: 1n, gidE: 1n } });
      expect(gap?.found?.snapB?.gidB).toBe(5n);
      expect(gap?.advice).toContain('hash_backup');
      archive.answer = () => 'accept';
      await world.until(() => archive.stored.length === 1, 10_000);
      await world.until(async () => (await statusOf(setup)).archives[0]?.gap === undefined, 100);
    }));

  it('backs off by doubling up to the longest delay; log that comes in does not shorten it', () =>
    started(async ({ world, proxy, archive }) => {
      archive.answer = () => 'syncing';
      await sendLog(proxy.channel, 0n, 1n);
      await world.sleep(20_000);
      await sendLog(proxy.channel, 1n, 2n);
      await world.sleep(15_000);
      const gaps = archive.offers.slice(1).map(({ at }, i) => at - (archive.offers[i]?.at ?? 0));
      expect(gaps.slice(0, 5).map(Math.round)).toEqual([1, 2, 4, 8, 8]);
    }));

  it('gives up a stopped archive when no log came for the retry timeout', () =>
    started(async (setup) => {
      setup.archive.answer = () => 'stopped';
      await sendLog(setup.proxy.channel, 0n, 1n);
      await setup.world.sleep(55_000);
      expect(await sendError(setup)).toBe(false);
      await setup.world.sleep(20_000);
      expect(await sendError(setup)).toBe(true);
      await sendLog(setup.proxy.channel, 1n, 2n);
      expect(await sendError(setup)).toBe(false);
    }));

  it('an archive that is down is tried each second for ever, and flagged after a while (W4)', () =>
    ServerWorld.run(async (world) => {
      const proxy = await startProxy(world);
      await addArchive(proxy.channel, 'a0');
      await startVolume(proxy.channel);
      const setup = { world, proxy, archive: new FakeArchive() };
      await sendLog(proxy.channel, 0n, 1n);
      await world.sleep(55_000);
      expect(await sendError(setup)).toBe(false);
      await world.sleep(145_000);
      expect(await sendError(setup)).toBe(true);
      expect((await statusOf(setup)).archives[0]?.lastError?.error?.code).toBe('unavailable');
      await setup.archive.listen(world, 'a0');
      await world.until(() => setup.archive.stored.length === 1, 2000);
      await world.until(async () => !(await sendError(setup)), 2000);
    }));
});

/** Hurt before: a diff that can never apply is retried for ever, and everything behind it waits. */
describe('a diff that was damaged in the spool', () => {
  const DIRECTORY = `/p0/${VOLUME}/sendto/a0`;

  /** Two diffs are queued; the first one is damaged. */
  const withDamage = (position: number | 'data', work: (setup: Setup) => Promise<void>) =>
    started(async (setup) => {
      const { world, proxy, archive } = setup;
      archive.answer = () => 'syncing';
      await sendLog(proxy.channel, 0n, 1n);
      await sendLog(proxy.channel, 1n, 2n);
      const { disk } = world.world.host('p0');
      const [name = ''] = [...disk.needDirectory(DIRECTORY).names.keys()].sort();
      // Data follows the header of 32 bytes.
      disk.rot(`${DIRECTORY}/${name}`, position === 'data' ? 40 : position);
      await work(setup);
    });

  it.each([
    ['its header', 4],
    ['its data', 'data'],
  ] as const)('in %s is set aside; the gap is reported, and nothing waits for it', (_, position) =>
    withDamage(position, async (setup) => {
      const { world, archive } = setup;
      archive.answer = (range) => (range === '0-1' ? 'accept' : 'too-new-diff');
      await world.until(async () => (await statusOf(setup)).archives[0]?.gap !== undefined, 30_000);
      expect(await queued(setup)).toBe(1);
      expect(archive.stored).toEqual([]);
      const status = await statusOf(setup);
      expect(status.archives[0]?.discardedDiffs).toBe(1);
      expect(status.archives[0]?.gap?.advice).toContain('hash_backup');
      expect(status.lastError?.error).toMatchObject({ code: 'corrupt' });
      expect(status.lastError?.error?.message).toContain('.damaged');
      const names = [...world.world.host('p0').disk.needDirectory(DIRECTORY).names.keys()];
      expect(names.filter((name) => name.endsWith('.damaged'))).toHaveLength(1);
    }),
  );

  it('is not to blame for what the link or the archive damaged', () =>
    started(async (setup) => {
      const { world, proxy, archive } = setup;
      archive.beforeAck = () => {
        if (archive.offers.length < 3) throw new WalbError('corrupt', 'damaged on the way');
      };
      await sendLog(proxy.channel, 0n, 1n);
      await world.until(() => archive.stored.length === 1);
      expect(archive.offers).toHaveLength(3);
      expect((await statusOf(setup)).archives[0]?.discardedDiffs).toBe(0);
    }));
});

describe('stop empty (C.5)', () => {
  it('delivers everything first, and refuses log meanwhile', () =>
    started(async (setup) => {
      const { world, proxy, archive } = setup;
      archive.answer = () => 'syncing';
      await sendLog(proxy.channel, 0n, 1n);
      await proxy.channel.unary(ControlRpc.stop, { volume, mode: StopMode.EMPTY });
      await world.sleep(5000);
      expect(await outcomeOf(sendLog(proxy.channel, 1n, 2n))).toBe('wrong-state');
      expect((await statusOf(setup)).state).toBe('WaitForEmpty');
      archive.answer = () => 'accept';
      await world.until(async () => (await statusOf(setup)).state === 'Stopped', 3000);
      expect(archive.stored).toEqual(['0-1']);
    }));

  it('is given up after 60 s and says what is left', () =>
    started(async (setup) => {
      const { world, proxy, archive } = setup;
      archive.answer = () => 'syncing';
      await sendLog(proxy.channel, 0n, 1n);
      await proxy.channel.unary(ControlRpc.stop, { volume, mode: StopMode.EMPTY });
      await world.sleep(61_000);
      const status = await statusOf(setup);
      expect([status.state, status.stopState]).toEqual(['Started', 'NotStopping']);
      expect(status.tasks.at(-1)?.error?.message).toContain('a0: 1 diffs queued');
    }));
});

describe('the choice of what is sent', () => {
  const queue = (...diffs: ReturnType<typeof logDiff>[]) =>
    diffs.map((diff) => ({ diff: { ...diff, dataSize: 100 }, name: formatDiffName(diff) }));
  const all = { maxWdiffSend: 1000, maxWdiffFiles: 10 };
  const ranges = (parts: readonly { diff: ReturnType<typeof logDiff> }[]) =>
    parts.map(({ diff }) => `${diff.B.b}-${diff.E.b}`);

  it('takes what may be merged from the smallest gid on, up to an explicit snapshot', () => {
    const given = queue(logDiff(0n, 1n), logDiff(1n, 2n), logDiff(2n, 3n, false), logDiff(3n, 4n));
    expect(ranges(chooseParts(given, all))).toEqual(['0-1', '1-2']);
  });

  it('keeps to the limits, but always takes one', () => {
    const given = queue(logDiff(0n, 1n), logDiff(1n, 2n), logDiff(2n, 3n));
    expect(ranges(chooseParts(given, { ...all, maxWdiffFiles: 2 }))).toEqual(['0-1', '1-2']);
    expect(ranges(chooseParts(given, { ...all, maxWdiffSend: 1 }))).toEqual(['0-1']);
  });

  it('takes the longer of two from one gid, and one of two that are equal', () => {
    const twice = { ...logDiff(0n, 1n), timestamp: 5 };
    const given = queue(twice, logDiff(0n, 1n), logDiff(0n, 3n), logDiff(3n, 4n));
    expect(ranges(chooseParts(given, all))).toEqual(['0-3', '3-4']);
    expect(ranges(chooseParts(given.slice(0, 2), all))).toEqual(['0-1']);
  });
});
