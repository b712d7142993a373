/** Gaps, the table and waits of the controller, against servers in a simulated world that say what they are told. */
import { describe, expect, it } from 'vitest';
import { type Binding, WalbError } from '../../../src/core/index.ts';
import {
  ControlRpc,
  HostType,
  handle,
  StatusReply,
  type VolumeView,
  WatchEvent,
} from '../../../src/rpc/index.ts';
import {
  Controller,
  K_ARCHIVE,
  K_PROXY,
  K_STORAGE,
  ServerConnectionParam,
  ServerLayout,
} from '../../../src/walbc/index.ts';
// What is imported when it is needed would be real I/O in the simulated world.
import '../../../src/walbc/cli/status-text.ts';
import { PORT, ServerWorld } from '../../server/server-world.ts';

const [s0, p0, p1, a0] = [
  new ServerConnectionParam('s0', 's0', PORT, K_STORAGE),
  new ServerConnectionParam('p0', 'p0', PORT, K_PROXY),
  new ServerConnectionParam('p1', 'p1', PORT, K_PROXY),
  new ServerConnectionParam('a0', 'a0', PORT, K_ARCHIVE),
];
const LAYOUT = new ServerLayout([s0], [p0, p1], [a0]);
const NOW = 10_000;

/** Some fields of a StatusReply. */
type Partial = Readonly<Record<string, unknown>>;

/** What a server answers to `status`, of itself and of the volume. */
class Told {
  whole: Partial;
  volume: Partial = {};
  #watchers = new Set<() => void>();

  constructor(whole: Partial) {
    this.whole = whole;
  }

  /** Something has changed. */
  announce(): void {
    for (const watcher of this.#watchers) watcher();
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  bindings(): Binding[] {
    const watchers = this.#watchers;
    return [
      handle(ControlRpc.status, async ({ volume }) =>
        StatusReply.fromPartial({
          now: NOW,
          ...(volume === '' ? this.whole : this.volume),
        } as never),
      ),
      handle(ControlRpc.watch, async function* (_, { signal }) {
        let wake = (): void => {};
        const watcher = (): void => wake();
        watchers.add(watcher);
        try {
          while (!signal.aborted) {
            const volume = { volume: 'vol' } as VolumeView;
            yield WatchEvent.fromPartial({ event: { $case: 'volume', value: volume } });
            await new Promise<void>((done) => {
              wake = done;
              signal.addEventListener('abort', () => done());
            });
          }
        } finally {
          watchers.delete(watcher);
        }
      }),
    ];
  }
}

const snap = (gid: bigint) => ({ gidB: gid, gidE: gid });
const gap = (from: bigint, to: bigint, since: number, peer: string) => ({
  expected: snap(from),
  found: { snapB: snap(to), snapE: snap(to + 1n) },
  since,
  peer,
  advice: 'run hash_backup',
});

const storageSays = (volume: Partial = {}): Partial => ({
  server: { hostType: HostType.STORAGE },
  status: {
    $case: 'storage',
    value: {
      common: { started: 1 },
      volumes: [
        {
          volume: 'vol',
          state: 'Target',
          pbs: 512,
          logCapacityPb: 1000,
          oldestGid: 5n,
          latestGid: 5n,
          permanentLsid: 100n,
          lastWlogSent: NOW - 10,
          ...volume,
        },
      ],
    },
  },
});

const proxySays: Partial = {
  status: {
    $case: 'proxy',
    value: { common: { started: 1 }, volumes: [{ volume: 'vol', archives: [{ archive: 'a0' }] }] },
  },
};

const archiveSays = (gid: bigint): Partial => ({
  status: {
    $case: 'archive',
    value: {
      common: { started: 1 },
      volumes: [
        { volume: 'vol', state: 'Archived', latest: snap(gid), latestTimestamp: NOW - 100 },
      ],
    },
  },
});

interface Setup {
  readonly world: ServerWorld;
  readonly walbc: Controller;
  readonly printed: string[];
  readonly told: { readonly s0: Told; readonly p0: Told; readonly p1: Told; readonly a0: Told };
}

async function group(
  work: (setup: Setup) => Promise<void>,
  screen?: { columns: number; colors: boolean },
): Promise<void> {
  await ServerWorld.run(async (world) => {
    const told = {
      s0: new Told(storageSays()),
      p0: new Told(proxySays),
      p1: new Told(proxySays),
      a0: new Told(archiveSays(5n)),
    };
    for (const [name, one] of Object.entries(told)) await world.fake(name, one.bindings());
    const printed: string[] = [];
    using walbc = new Controller('walbc', LAYOUT, false, 0, {
      network: world.client.network,
      clock: world.client.clock,
      print: (text) => void printed.push(text),
      screen: () => screen,
    });
    await work({ world, walbc, printed, told });
  });
}

describe('get_gaps', () => {
  const atArchive = (gaps: ReturnType<typeof gap>[]): Partial => ({
    status: { $case: 'archiveVolume', value: { volume: 'vol', gaps } },
  });
  const atProxy = (found: ReturnType<typeof gap> | undefined): Partial => ({
    status: {
      $case: 'proxyVolume',
      value: {
        volume: 'vol',
        archives: [
          { archive: 'a0', gap: found },
          { archive: 'a1', gap: gap(1n, 2n, 1, 'a1') },
        ],
      },
    },
  });

  it('is empty when nothing is missing', () =>
    group(async ({ walbc, told }) => {
      told.a0.volume = atArchive([]);
      told.p0.volume = told.p1.volume = atProxy(undefined);
      expect(await walbc.get_gaps(a0, 'vol')).toEqual([]);
    }));

  it('tells one gap once, with who reports it, and since when at the longest', () =>
    group(async ({ walbc, told }) => {
      told.a0.volume = atArchive([gap(5n, 9n, NOW - 30, 'p0'), gap(20n, 22n, NOW - 5, '')]);
      told.p0.volume = atProxy(gap(5n, 8n, NOW - 60, 'a0'));
      told.p1.volume = atProxy(undefined);
      expect(await walbc.get_gaps(a0, 'vol')).toEqual([
        {
          volume: 'vol',
          archive: 'a0',
          reportedBy: ['a0', 'p0'],
          gidB: 5n,
          gidE: 8n,
          since: NOW - 60,
          ageSec: 60,
          advice: 'run hash_backup',
        },
        expect.objectContaining({ gidB: 20n, gidE: 22n, reportedBy: ['a0'] }),
      ]);
    }));

  it('does without a proxy that is down, and says so; not without the archive', () =>
    group(async ({ walbc, told, printed, world }) => {
      told.a0.volume = atArchive([gap(5n, 9n, NOW - 30, 'p1')]);
      told.p1.volume = atProxy(undefined);
      walbc.set_server_layout(
        LAYOUT.replace([], [new ServerConnectionParam('p0', 'nowhere', PORT, K_PROXY), p1], []),
      );
      expect(await walbc.get_gaps(a0, 'vol')).toHaveLength(1);
      expect(printed).toEqual([expect.stringMatching(/^get_gaps: what p0 knows is left out: /)]);
      const gone = new ServerConnectionParam('a0', 'nowhere', PORT, K_ARCHIVE);
      await expect(walbc.get_gaps(gone, 'vol')).rejects.toMatchObject({ code: 'unavailable' });
      await expect(walbc.get_gaps(s0, 'vol')).rejects.toThrow(WalbError);
      void world;
    }));
});

describe('status', () => {
  it('is a table without arguments on a terminal', () =>
    group(
      async ({ walbc, printed }) => {
        await walbc.status();
        expect(printed).toHaveLength(1);
        expect(printed[0]).toMatch(/^server {2}kind/);
      },
      { columns: 80, colors: false },
    ));

  it('is the original text with arguments, or in a pipe', async () => {
    await group(
      async ({ walbc, printed }) => {
        await walbc.status(s0);
        await walbc.status([], null);
        expect(printed.map((text) => text.split('\n')[0])).toEqual(
          ['s0', 's0', 'p0', 'p1', 'a0'].map((n) => `${'+'.repeat(20)} ${n} ${'+'.repeat(20)}`),
        );
      },
      { columns: 80, colors: false },
    );
    await group(async ({ walbc, printed }) => {
      await walbc.status();
      expect(printed).toHaveLength(4);
      expect(printed[0]).toContain('-----StorageGlobal-----');
      await walbc.print_group_status();
      expect(printed[4]).toMatch(/^server {2}kind/);
    });
  });

  it('says why a server is down, without its name once more', () =>
    group(async ({ walbc }) => {
      const gone = new ServerConnectionParam('s0', 'nowhere', PORT, K_STORAGE);
      walbc.set_server_layout(LAYOUT.replace([gone], [], []));
      const { servers } = await walbc.group_status();
      expect(servers[0]).toMatchObject({ server: 's0', isUp: false });
      expect(servers[0]?.reason).not.toBe('');
      expect(servers[0]?.reason).not.toMatch(/^(s0|nowhere)/);
    }));

  it('shows who answers in place of who should as down', () =>
    group(async ({ walbc, told }) => {
      told.p1.whole = storageSays();
      const { servers } = await walbc.group_status();
      expect(servers.map(({ server, isUp }) => [server, isUp])).toEqual([
        ['s0', true],
        ['p0', true],
        ['p1', false],
        ['a0', true],
      ]);
      expect(servers[2]?.reason).toBe(
        'a storage answers there, not a proxy: the layout or the address is wrong',
      );
    }));
});

describe('waits for the group', () => {
  it('look again when a server announces a change, not before', () =>
    group(async ({ walbc, told, world }) => {
      told.s0.whole = storageSays({ lagPb: 50, lagSec: 500 });
      const began = world.world.elapsed;
      const waiting = walbc.wait_for_lag_below(a0, 'vol', 60, 100);
      await world.sleep(2_000);
      told.s0.whole = storageSays();
      told.s0.announce();
      await waiting;
      expect((world.world.elapsed - began) / 1e6).toBeLessThan(3);
      await world.until(() => Object.values(told).every(({ watchers }) => watchers === 0));
    }));

  it('say what is missing when time runs out', () =>
    group(async ({ walbc, told }) => {
      told.s0.whole = storageSays({ lagPb: 50, lagSec: 500 });
      await expect(walbc.wait_for_lag_below(a0, 'vol', 60, 3)).rejects.toThrow(
        'waited 3 s for volume vol at a0 to be less than 1m behind: it is 8m20s and 25600 bytes behind',
      );
      await expect(walbc.wait_for_synchronized('vol', null, 3)).rejects.toThrow(
        '25600 bytes of log wait at s0',
      );
      told.s0.whole = storageSays();
      told.a0.whole = archiveSays(4n);
      await expect(walbc.wait_for_synchronized('vol', [a0], 3)).rejects.toThrow(
        'a0 is at gid 4 of 5',
      );
      await expect(walbc.wait_for_synchronized('other', null, 3)).rejects.toThrow(
        'no storage backs up volume other',
      );
    }));

  it('look once with a limit of 0', () =>
    group(async ({ walbc, told, world }) => {
      await walbc.wait_for_lag_below(a0, 'vol', 60, 0);
      await walbc.wait_for_synchronized('vol', a0, 0);
      await walbc.wait_for_up(null, 0);
      told.s0.whole = storageSays({ lagPb: 50, lagSec: 500 });
      const began = world.world.elapsed;
      await expect(walbc.wait_for_lag_below(a0, 'vol', 60, 0)).rejects.toMatchObject({
        code: 'timeout',
      });
      expect(world.world.elapsed - began).toBeLessThan(1e6);
    }));

  it('reach what was written before, not what is written since', () =>
    group(async ({ walbc, told, world }) => {
      told.s0.whole = storageSays({ lagPb: 50, lagSec: 5 });
      const waiting = walbc.wait_for_synchronized('vol', null, 100);
      await world.sleep(1_000);
      // All of that has been delivered, and more has come.
      told.s0.whole = storageSays({ lagPb: 50, permanentLsid: 150n, latestGid: 6n });
      told.s0.announce();
      await waiting;
    }));

  it('end with the controller', () =>
    group(async ({ walbc, told, world }) => {
      told.s0.whole = storageSays({ lagPb: 50, lagSec: 500 });
      const waiting = walbc.wait_for_lag_below(a0, 'vol', 60, 100);
      const outcome = expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
      await world.sleep(1_000);
      walbc.interrupt();
      await outcome;
    }));
});

describe('lag of an archive (W7)', () => {
  it('is that of its latest snapshot where newer data are nowhere', () =>
    group(async ({ walbc, told }) => {
      told.a0.whole = archiveSays(3n);
      told.s0.whole = storageSays({ lastWlogSent: NOW - 61 });
      const { archives } = await walbc.group_status('vol');
      expect(archives[0]).toMatchObject({ isMissingData: true, lagSec: 100 });
    }));

  it('is not judged while data may be on their way', () =>
    group(async ({ walbc, told }) => {
      told.a0.whole = archiveSays(3n);
      const { archives } = await walbc.group_status();
      expect(archives[0]).toMatchObject({ isMissingData: false, lagSec: 0 });
    }));
});
