/** Replication between archive servers, each with files of its own, on a network in memory. */
import { describe, expect, it } from 'vitest';
import { hasCode } from '../../src/core/index.ts';
import type { Transit } from '../../src/rpc/index.ts';
import { ArchiveRpc, type ArchiveVolumeStatus, ControlRpc } from '../../src/rpc/index.ts';
import {
  type Archive,
  Device,
  deliver,
  imageOf,
  init,
  latest,
  type Pair,
  replicate,
  request,
  startPair,
} from './replication-support.ts';
import { finished, restorable, VOLUME, viewWhere } from './support.ts';

/** A device with a full backup and some snapshots at a0; a1 is SyncReady. */
async function backedUp({ a0, a1 }: Pair, snapshots = 3, isMergeable = false): Promise<Device> {
  await init(a0);
  await init(a1);
  const device = new Device();
  await deliver(await device.fullBackup(a0.channel), a0);
  await more(device, snapshots, isMergeable, a0);
  return device;
}

async function more(
  device: Device,
  snapshots: number,
  isMergeable: boolean,
  ...archives: Archive[]
): Promise<void> {
  for (let i = 0; i < snapshots; i += 1) {
    device.write();
    expect(await deliver(device.snapshot(isMergeable), ...archives)).not.toContain(
      'different-uuid',
    );
  }
}

async function apply({ channel }: Archive, gid: bigint): Promise<void> {
  await finished(channel, await channel.unary(ArchiveRpc.apply, { volume: VOLUME, gid }));
}

async function statusOf({ channel }: Archive): Promise<ArchiveVolumeStatus> {
  const { status } = await channel.unary(ControlRpc.status, { volume: VOLUME });
  if (status?.$case !== 'archiveVolume') throw new Error('no status of an archive volume');
  return status.value;
}

/** The newest snapshot is the same on both, and what the device held. */
async function expectReplicated(device: Device, ...archives: Archive[]): Promise<void> {
  for (const archive of archives) {
    expect(latest(archive)).toEqual({ b: device.gid, e: device.gid });
    expect(Buffer.compare(await imageOf(archive, device.gid), device.content)).toBe(0);
  }
}

/** Counts what goes from one host to another, and cuts the connection after so many messages. */
class Wire {
  bytes = 0;
  messages = 0;
  cutAfter = Number.POSITIVE_INFINITY;
  readonly #pair: readonly [string, string];

  constructor(from: string, to: string) {
    this.#pair = [from, to];
  }

  readonly transit = ({ from, to, length }: Transit): number | 'lose' => {
    const [one, other] = this.#pair;
    const isOurs = (from === one && to === other) || (from === other && to === one);
    if (!isOurs) return 0;
    this.messages += 1;
    if (from === one) this.bytes += length;
    return this.messages > this.cutAfter ? 'lose' : 0;
  };

  reset(cutAfter = Number.POSITIVE_INFINITY): void {
    this.bytes = 0;
    this.messages = 0;
    this.cutAfter = cutAfter;
  }
}

describe('replication between archives (D.9)', () => {
  it('copies the image and then the diffs to an archive that has nothing (n7)', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    const result = await replicate(a0, a1);
    expect(result).toMatchObject({ kind: 'Replicate', gid: device.gid });
    expect(await restorable(a1.channel)).toEqual(await restorable(a0.channel));
    for (const gid of await restorable(a0.channel)) {
      expect(await imageOf(a1, gid)).toEqual(await imageOf(a0, gid));
    }
    await expectReplicated(device, a0, a1);
    expect(a1.volume.catalogue.uuid).toEqual(a0.volume.catalogue.uuid);
    expect(a1.volume.catalogue.archiveUuid).toEqual(a0.volume.catalogue.archiveUuid);
    expect(a1.volume.state).toBe('Archived');
  });

  it('leaves nothing out of date after a restart of both', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    await replicate(a0, a1);
    await a0.restart();
    await a1.restart();
    await expectReplicated(device, a0, a1);
    await more(device, 2, false, a0, a1);
    await expectReplicated(device, a0, a1);
  });

  it('sends only new diffs to an archive of the same data (n8), and nothing twice', async () => {
    const wire = new Wire('a0', 'a1');
    await using pair = await startPair({ faults: wire });
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    await replicate(a0, a1);
    await more(device, 2, false, a0);
    wire.reset();
    await replicate(a0, a1);
    expect(wire.bytes).toBeLessThan(30_000);
    await expectReplicated(device, a0, a1);
    wire.reset();
    await replicate(a0, a1);
    expect(wire.bytes).toBeLessThan(1000);
  });

  it('merges implicit snapshots away unless it is told not to', async () => {
    await using pair = await startPair();
    const { a0, a1, a2 } = pair;
    await init(a2);
    const device = await backedUp(pair, 0);
    await replicate(a0, a1);
    await replicate(a0, a2);
    await more(device, 6, true, a0);
    await replicate(a0, a1);
    await replicate(a0, a2, { dontMerge: true });
    expect(a1.volume.catalogue.diffs.size).toBe(2);
    expect(a2.volume.catalogue.diffs.diffs).toEqual(a0.volume.catalogue.diffs.diffs);
    await expectReplicated(device, a1, a2);
  });

  it('merges no more than the given size', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair, 0);
    await replicate(a0, a1);
    await more(device, 6, true, a0);
    const sizes = [...a0.volume.catalogue.diffs].map(({ dataSize }) => dataSize);
    await replicate(a0, a1, { maxMergeBytes: Math.max(...sizes) * 2 });
    const { size } = a1.volume.catalogue.diffs;
    expect(size).toBeGreaterThan(2);
    expect(size).toBeLessThan(7);
    await expectReplicated(device, a1);
  });

  it('compares images when the destination is older than the base (n9)', async () => {
    const wire = new Wire('a0', 'a1');
    await using pair = await startPair({ faults: wire });
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    await replicate(a0, a1);
    const before = latest(a1).b;
    await more(device, 2, false, a0);
    await apply(a0, device.gid);
    await more(device, 1, false, a0);
    wire.reset();
    await replicate(a0, a1);
    expect(wire.bytes).toBeLessThan(device.content.length / 2);
    expect(a1.volume.catalogue.diffs.startingAt(before)).toMatchObject([{ isCompared: true }]);
    await expectReplicated(device, a0, a1);
    expect(await restorable(a1.channel)).toContain(before);
    // What was compared is followed by the proxy's diffs as ever.
    await more(device, 2, false, a0, a1);
    await expectReplicated(device, a0, a1);
  });

  it('stops at the wished gid, or when little enough remains', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair, 5);
    const gids = await restorable(a0.channel);
    await replicate(a0, a1, { until: { $case: 'gid', value: gids[2] as bigint } });
    expect(latest(a1).b).toBe(gids[2]);
    await replicate(a0, a1, { until: { $case: 'sizeMb', value: 1 } });
    expect(latest(a1).b).toBe(gids[2]);
    await replicate(a0, a1, { until: { $case: 'sizeMb', value: 0 } });
    await expectReplicated(device, a1);
  });

  it('finishes an interrupted apply on the way', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    const { catalogue } = a0.volume;
    const [, , middle] = await restorable(a0.channel);
    await catalogue.setBase({
      ...catalogue.base,
      applyingTo: { b: middle as bigint, e: middle as bigint },
    });
    await replicate(a0, a1);
    await expectReplicated(device, a1);
    expect(a1.volume.catalogue.base.applyingTo).toBeUndefined();
    expect(a1.volume.catalogue.base.base.b).toBe(middle);
  });

  it('remembers what the destination has for get ts-delta', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    await replicate(a0, a1);
    await more(device, 1, false, a0);
    const [delta] = a0.volume.replicas.deltas(VOLUME, { gid: device.gid, timestamp: 5 });
    expect(delta).toMatchObject({ gid: device.gid, destGid: latest(a1).b });
    expect(delta?.destTimestamp).toBe(a1.volume.latestTimestamp());
  });
});

describe('resync (D.9)', () => {
  /** a1 holds the data of an earlier full backup of the same device. */
  async function replaced(pair: Pair): Promise<Device> {
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    await replicate(a0, a1);
    await a0.channel.unary(ControlRpc.stop, { volume: VOLUME, mode: 'graceful' });
    await viewWhere(a0.channel, ({ state }) => state === 'Stopped');
    await a0.channel.unary(ControlRpc.resetVolume, { volume: VOLUME, gid: 0n });
    await deliver(await device.fullBackup(a0.channel), a0);
    await more(device, 2, false, a0);
    return device;
  }

  it('is refused unless it is asked for, and nothing is touched (n14)', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    await replaced(pair);
    const before = [...(await restorable(a1.channel))];
    await expect(replicate(a0, a1)).rejects.toMatchObject({ code: 'conflict' });
    expect(await restorable(a1.channel)).toEqual(before);
    expect(a1.volume.state).toBe('Archived');
    expect(a0.volume.actions.total).toBe(0);
  });

  it('writes in place what differs, and only that travels', async () => {
    const wire = new Wire('a0', 'a1');
    await using pair = await startPair({ faults: wire });
    const { a0, a1 } = pair;
    const device = await replaced(pair);
    const { images } = a1.volume;
    const gid = (await restorable(a1.channel))[0] as bigint;
    await finished(a1.channel, await a1.channel.unary(ArchiveRpc.restore, { volume: VOLUME, gid }));
    wire.reset();
    await replicate(a0, a1, { doResync: true });
    expect(wire.bytes).toBeLessThan(device.content.length * 0.7);
    expect(images.restored()).toEqual([]);
    await expectReplicated(device, a0, a1);
    expect(a1.volume.catalogue.archiveUuid).toEqual(a0.volume.catalogue.archiveUuid);
    expect(await restorable(a1.channel)).toEqual(await restorable(a0.channel));
    await a1.restart();
    await expectReplicated(device, a1);
  });

  it('is done also when the data are the same, when asked for', async () => {
    const wire = new Wire('a0', 'a1');
    await using pair = await startPair({ faults: wire });
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    await replicate(a0, a1);
    wire.reset();
    await replicate(a0, a1, { doResync: true });
    expect(wire.bytes).toBeLessThan(50_000);
    await expectReplicated(device, a1);
  });

  it.each([
    ['resync', true],
    ['full', false],
  ])('interrupted leaves SyncReady; repeated it is a %s', async (_kind, doResync) => {
    const wire = new Wire('a0', 'a1');
    await using pair = await startPair({ faults: wire });
    const { a0, a1 } = pair;
    const device = await replaced(pair);
    wire.reset(9);
    await expect(replicate(a0, a1, { doResync: true })).rejects.toSatisfy((e) =>
      hasCode(e, 'unavailable'),
    );
    await viewWhere(a1.channel, ({ state }) => state === 'SyncReady');
    expect(await restorable(a1.channel)).toEqual([]);
    await a1.restart();
    wire.reset();
    await replicate(a0, a1, { doResync });
    await expectReplicated(device, a0, a1);
  });
});

describe('what breaks a replication', () => {
  it('a cut full copy is resumed where it was (e14)', async () => {
    const wire = new Wire('a0', 'a1');
    await using pair = await startPair({ faults: wire, config: { fsyncInterval: 16 * 1024 } });
    const { a0, a1 } = pair;
    await init(a0);
    await init(a1);
    const device = new Device(7, 16 * 1024);
    await deliver(await device.fullBackup(a0.channel), a0);
    wire.reset();
    wire.cutAfter = 10;
    await expect(replicate(a0, a1)).rejects.toMatchObject({ code: 'unavailable' });
    await viewWhere(a1.channel, ({ state }) => state === 'SyncReady');
    expect(a0.volume.actions.total).toBe(0);
    await a1.restart();
    wire.reset();
    // `fullReplState` of status: what is left, and how much.
    const left = await statusOf(a1);
    expect(left.fullRepl).toMatchObject({ base: { snapB: { gidB: 0n, gidE: 1n } } });
    expect(left.fullRepl?.progressLb).toBeGreaterThan(0);
    await replicate(a0, a1);
    expect((await statusOf(a1)).fullRepl).toBeUndefined();
    // A quarter is zeros; of the rest something need not be sent again, how much is up to the moment
    // of the cut.
    expect(wire.bytes).toBeLessThan(device.content.length * 0.75 - 100_000);
    await expectReplicated(device, a0, a1);
  });

  it('a cut copy is not resumed into an image that something else has used since', async () => {
    const wire = new Wire('a0', 'a1');
    await using pair = await startPair({ faults: wire, config: { fsyncInterval: 16 * 1024 } });
    const { a0, a1 } = pair;
    await init(a0);
    await init(a1);
    const device = new Device(7, 16 * 1024);
    await deliver(await device.fullBackup(a0.channel), a0);
    wire.reset(8);
    await expect(replicate(a0, a1)).rejects.toThrow();
    await viewWhere(a1.channel, ({ state }) => state === 'SyncReady');
    // A full backup of another device begins at a1 and breaks off.
    const stream = a1.channel.bidi(ArchiveRpc.fullSync, { timeout: 10_000 });
    const hello = {
      volume: VOLUME,
      hostType: 'storage',
      sizeLb: device.sizeLb,
      timestamp: 1,
      bulkLb: 8,
      compression: undefined,
    } as const;
    await stream.send({ message: { $case: 'hello', value: hello } });
    await stream.receive();
    await stream.send({
      message: { $case: 'start', value: { uuid: new Uint8Array(16), gidB: 0n } },
    });
    await stream.receive();
    stream.cancel();
    await viewWhere(a1.channel, ({ state }) => state === 'SyncReady');
    wire.reset();
    await replicate(a0, a1);
    await expectReplicated(device, a0, a1);
  });

  it('at any message it can be repeated, whatever kind it was (e14-e16)', async () => {
    const wire = new Wire('a0', 'a1');
    await using pair = await startPair({ faults: wire, config: { fsyncInterval: 16 * 1024 } });
    const { a0, a1 } = pair;
    const device = await backedUp(pair, 2);
    const clean = async (): Promise<void> => {
      await viewWhere(a1.channel, ({ state }) => state === 'SyncReady' || state === 'Archived');
      await viewWhere(a0.channel, ({ actions }) => actions.every(({ running }) => running === 0));
    };
    const breakAt = async (cut: number, doResync: boolean): Promise<boolean> => {
      wire.reset(cut);
      const failed = await replicate(a0, a1, { doResync }).then(
        () => false,
        () => true,
      );
      await clean();
      wire.reset();
      return failed;
    };
    const wholeRun = async (prepare: () => Promise<void>, doResync = false): Promise<number> => {
      let cuts = 0;
      for (let cut = 1; ; cut += 1) {
        await prepare();
        const failed = await breakAt(cut, doResync);
        if (cut % 3 === 0) await a1.restart();
        await replicate(a0, a1, { doResync: doResync && a1.volume.state === 'Archived' });
        await expectReplicated(device, a0, a1);
        if (!failed) return cuts;
        cuts += 1;
      }
    };
    const full = async (): Promise<void> => {
      if (a1.volume.state === 'Archived') {
        await a1.channel.unary(ControlRpc.stop, { volume: VOLUME, mode: 'force' });
        await viewWhere(a1.channel, ({ state }) => state === 'Stopped');
      }
      await a1.channel.unary(ControlRpc.resetVolume, { volume: VOLUME, gid: 0n });
    };
    expect(await wholeRun(full)).toBeGreaterThan(8);
    expect(await wholeRun(() => more(device, 2, true, a0))).toBeGreaterThan(8);
    const hash = async (): Promise<void> => {
      await more(device, 1, false, a0);
      await apply(a0, device.gid);
      await more(device, 1, false, a0);
    };
    expect(await wholeRun(hash)).toBeGreaterThan(10);
    expect(await wholeRun(hash, true)).toBeGreaterThan(8);
  });

  it('a destination that is killed in the middle comes back in a state of the table', async () => {
    await using pair = await startPair();
    const { a0, a1, net } = pair;
    await init(a0);
    await init(a1);
    const device = new Device(9, 16 * 1024);
    await deliver(await device.fullBackup(a0.channel), a0);
    const accepted = await a0.channel.unary(ArchiveRpc.replicate, request(a1));
    await viewWhere(a1.channel, ({ state }) => state === 'FullSync');
    net.crash('a1');
    await expect(finished(a0.channel, accepted)).rejects.toMatchObject({ code: 'unavailable' });
    await a1.restart();
    expect(a1.volume.state).toBe('SyncReady');
    await replicate(a0, a1);
    await expectReplicated(device, a1);
  });

  it.each(['a0', 'a1'] as const)('a force stop at %s ends it at once', async (where) => {
    let gate: (() => void) | undefined;
    let seen = 0;
    await using pair = await startPair({
      faults: {
        // The middle of the copy takes long.
        transit: ({ from, to, length }) => {
          if (from !== 'a0' || to !== 'a1' || length < 100_000) return 0;
          seen += 1;
          if (seen === 3) gate?.();
          return seen >= 3 ? 60_000 : 0;
        },
      },
    });
    const { a0, a1 } = pair;
    await init(a0);
    await init(a1);
    const device = new Device(9, 16 * 1024);
    await deliver(await device.fullBackup(a0.channel), a0);
    const inMiddle = new Promise<void>((resolve) => (gate = resolve));
    const accepted = await a0.channel.unary(ArchiveRpc.replicate, request(a1));
    await inMiddle;
    const target = where === 'a0' ? a0 : a1;
    await target.channel.unary(ControlRpc.stop, { volume: VOLUME, mode: 'force' });
    await expect(finished(a0.channel, accepted)).rejects.toMatchObject({ code: 'cancelled' });
    expect(a0.volume.actions.total).toBe(0);
    const after = where === 'a0' ? 'Stopped' : 'SyncReady';
    await viewWhere(target.channel, ({ state }) => state === after);
  });
});

describe('beside other work', () => {
  it('a graceful stop at the source ends it between two transfers', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair, 8);
    const accepted = await a0.channel.unary(ArchiveRpc.replicate, request(a1, { dontMerge: true }));
    await a0.channel.unary(ControlRpc.stop, { volume: VOLUME, mode: 'graceful' });
    await expect(finished(a0.channel, accepted)).rejects.toMatchObject({ code: 'cancelled' });
    await viewWhere(a0.channel, ({ state }) => state === 'Stopped');
    await viewWhere(a1.channel, ({ state }) => state === 'Archived');
    expect(latest(a1).b).toBeLessThan(device.gid);
    await a0.channel.unary(ControlRpc.start, { volume: VOLUME, role: 'unspecified' });
    await replicate(a0, a1);
    await expectReplicated(device, a0, a1);
  });

  it('a diff that is just coming in at the destination is waited for', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    await replicate(a0, a1);
    await more(device, 1, false, a0);
    const change = a1.volume.machine.begin('wdiff-recv');
    const done = replicate(a0, a1);
    await viewWhere(a0.channel, ({ actions }) => actions.some(({ running }) => running > 0));
    change.commit();
    await done;
    await expectReplicated(device, a0, a1);
  });

  it('merges at the source go on meanwhile, diffs come in at both afterwards', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair, 8, true);
    const accepted = await a0.channel.unary(ArchiveRpc.replicate, request(a1, { dontMerge: true }));
    const merged = await a0.channel.unary(ArchiveRpc.merge, {
      volume: VOLUME,
      gidB: 1n,
      until: { $case: 'maxSizeMb', value: 10 },
    });
    await finished(a0.channel, merged);
    await finished(a0.channel, accepted);
    await more(device, 2, false, a0, a1);
    await expectReplicated(device, a0, a1);
  });

  it('diffs behind a gap that belong to another history do not come back', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    await replicate(a0, a1);
    // a1 is ahead by three snapshots, then loses the first of them: the others are behind a gap.
    await more(device, 3, false, a1);
    const { catalogue } = a1.volume;
    const [lost] = catalogue.diffs.startingAt(latest(a0).b);
    await catalogue.remove(lost === undefined ? [] : [lost]);
    expect(latest(a1)).toEqual(latest(a0));
    device.write();
    await deliver(await device.hashBackup(a0.channel), a0);
    await more(device, 3, false, a0);
    await replicate(a0, a1);
    await expectReplicated(device, a0, a1);
  });
});

describe('refusals', () => {
  it('name the state, and nothing runs afterwards', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    await expect(replicate(a0, a1)).rejects.toMatchObject({ code: 'wrong-state' });
    await init(a0);
    await expect(replicate(a0, a1)).rejects.toMatchObject({ code: 'wrong-state' });
    const device = new Device();
    await deliver(await device.fullBackup(a0.channel), a0);
    await expect(replicate(a0, a1)).rejects.toThrow(/vol is Clear/);
    await init(a1);
    await replicate(a0, a1);
    await a1.channel.unary(ControlRpc.stop, { volume: VOLUME, mode: 'graceful' });
    await viewWhere(a1.channel, ({ state }) => state === 'Stopped');
    // Not to be taken for the state of a0, where the advice would end the backups.
    await expect(replicate(a0, a1)).rejects.toMatchObject({
      code: 'wrong-state',
      message: `${a1.address} answers: volume vol is Stopped; replication needs SyncReady or Archived: run \`start\``,
      details: { peer: a1.address },
    });
    expect(a1.volume.state).toBe('Stopped');
    expect(a0.volume.actions.total).toBe(0);
    expect(a0.running.core.foreground.running).toBe(0);
    await expect(replicate(a0, a0)).rejects.toThrow(/ReplSyncAsClient/);
    await expect(replicate(a0, { ...a1, address: 'nowhere:1' })).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  it('of arguments that make no sense', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    await backedUp(pair);
    const bad = { code: 'invalid-argument' };
    await expect(replicate(a0, a1, { until: undefined })).rejects.toMatchObject(bad);
    await expect(replicate(a0, a1, { bulkBytes: 1000 })).rejects.toMatchObject(bad);
    await expect(replicate(a0, a1, { bulkBytes: 1 << 30 })).rejects.toMatchObject(bad);
    await expect(replicate(a0, { ...a1, address: '' })).rejects.toMatchObject(bad);
  });

  it('of one action while another runs', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    await backedUp(pair);
    using _merge = a0.volume.actions.begin('Merge');
    await expect(replicate(a0, a1)).rejects.toMatchObject({ code: 'busy' });
  });

  it('of a smaller image, unless it may grow by itself', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    await replicate(a0, a1);
    const before = latest(a1);
    await a0.volume.images.growBase(device.content.length + 4096 * 512);
    await more(device, 1, false, a0);
    await expect(replicate(a0, a1)).rejects.toThrow(/resize_archive/);
    await expect(replicate(a0, a1, { doResync: true })).rejects.toThrow(/resize_archive/);
    expect(latest(a1)).toEqual(before);
    expect(a1.volume.state).toBe('Archived');
    await a1.restart({ autoResize: true });
    await replicate(a0, a1);
    expect(a1.volume.images.baseSize()).toBe(a0.volume.images.baseSize());
    expect(latest(a1)).toEqual(latest(a0));
  });
});

describe('log histories', () => {
  it('goes on across a hash backup, and the proxies then follow at both', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    await replicate(a0, a1);
    device.write();
    await deliver(await device.hashBackup(a0.channel), a0);
    expect(a1.volume.catalogue.uuid).not.toEqual(a0.volume.catalogue.uuid);
    await replicate(a0, a1);
    await expectReplicated(device, a0, a1);
    expect(a1.volume.catalogue.uuid).toEqual(a0.volume.catalogue.uuid);
    device.write();
    expect(await deliver(device.snapshot(), a0, a1)).toEqual(['accept', 'accept']);
    await expectReplicated(device, a0, a1);
  });

  it('does not continue an archive that was ahead at a hash backup: conflict, then resync', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    await replicate(a0, a1);
    // These reach a1 only, then a0 gets a hash backup: the same gids are given again.
    await more(device, 2, false, a1);
    const ahead = latest(a1);
    device.write();
    await deliver(await device.hashBackup(a0.channel), a0);
    await more(device, 3, false, a0);
    expect(latest(a0).b).toBeGreaterThan(ahead.b);
    expect(a0.volume.catalogue.archiveUuid).toEqual(a1.volume.catalogue.archiveUuid);
    await expect(replicate(a0, a1)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/histories have diverged.*doResync/s),
    });
    expect(latest(a1)).toEqual(ahead);
    expect(a1.volume.state).toBe('Archived');
    await replicate(a0, a1, { doResync: true });
    await expectReplicated(device, a0, a1);
  });

  it('sees that also when the destination is still ahead', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair);
    await replicate(a0, a1);
    await more(device, 12, false, a1);
    await deliver(await device.hashBackup(a0.channel), a0);
    expect(latest(a0).b).toBeLessThan(latest(a1).b);
    await expect(replicate(a0, a1)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('makes a destination equal that is dirty beyond the oldest clean snapshot here', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair, 1);
    await replicate(a0, a1, { until: { $case: 'gid', value: 0n } });
    expect(latest(a1)).toEqual({ b: 0n, e: 1n });
    // As if its scan had lasted until the third snapshot from here.
    await more(device, 3, false, a0);
    const gids = await restorable(a0.channel);
    const { catalogue } = a1.volume;
    await catalogue.setBase({ base: { b: 0n, e: gids[2] as bigint }, timestamp: 1 });
    await apply(a0, gids[0] as bigint);
    await replicate(a0, a1);
    expect(catalogue.diffs.diffs[0]).toMatchObject({ isCompared: true, E: { b: gids[2] } });
    await expectReplicated(device, a0, a1);
  });

  it('says so when no clean snapshot is late enough', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    const device = await backedUp(pair, 1);
    await replicate(a0, a1, { until: { $case: 'gid', value: 0n } });
    await a1.volume.catalogue.setBase({ base: { b: 0n, e: device.gid + 5n }, timestamp: 1 });
    await apply(a0, 1n);
    await expect(replicate(a0, a1)).rejects.toThrow(/needs a clean snapshot from gid/);
  });
});
