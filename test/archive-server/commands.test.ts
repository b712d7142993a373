/** D.4, D.6-D.10: apply, merge, restore, resize, scans and debug commands through the whole server. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sleepAfter } from '../../src/archive-server/pacer.ts';
import { LB_SIZE, type WalbError } from '../../src/core/index.ts';
import { murmur3x64_128 } from '../../src/kernels/index.ts';
import { ArchiveRpc, ControlRpc, type MergeRequest } from '../../src/rpc/index.ts';
import {
  encodeMetaState,
  formatDiffName,
  metaState,
  openDiff,
  snapshot,
} from '../../src/wdiff/index.ts';
import {
  cleanDiff,
  dataIo,
  finished,
  fullBackup,
  restorable,
  scanned,
  sendDiff,
  type TestArchive,
  testArchive,
  VOLUME,
  viewWhere,
} from './support.ts';

const SIZE_LB = 256;
const UUID = new Uint8Array(16).fill(4);
const volume = VOLUME;

let host: TestArchive;
/** What the volume held at each gid. */
let images: Buffer[];

beforeEach(async () => {
  host = await testArchive();
  const image = Buffer.alloc(SIZE_LB * LB_SIZE, 0x10);
  await host.channel.unary(ControlRpc.initVolume, { volume, devicePath: '' });
  await fullBackup(host.channel, { image, uuid: UUID });
  images = [];
  // Explicit snapshots: 2 and 4 (the diffs that start there are not mergeable).
  for (let from = 0; from < 6; from += 1) {
    const data = Buffer.alloc(3 * LB_SIZE, 0x20 + from);
    image.set(data, from * 2 * LB_SIZE);
    images[from + 1] = Buffer.from(image);
    const isMergeable = ![0, 2, 4].includes(from);
    const timestamp = 1_700_000_000 + from;
    const diff = cleanDiff(BigInt(from), BigInt(from + 1), { isMergeable, timestamp });
    await sendDiff(host.channel, {
      uuid: UUID,
      diff,
      ios: [dataIo(from * 2, data)],
      sizeLb: SIZE_LB,
    });
  }
});

afterEach(() => host[Symbol.asyncDispose]());

const wdiffs = () =>
  readdirSync(join(host.directory, volume)).filter((name) => name.endsWith('.wdiff'));

async function apply(gid: bigint) {
  const { channel } = host;
  return await finished(channel, await channel.unary(ArchiveRpc.apply, { volume, gid }));
}

async function merge(gidB: bigint, until: MergeRequest['until']) {
  const { channel } = host;
  return await finished(channel, await channel.unary(ArchiveRpc.merge, { volume, gidB, until }));
}

async function restored(gid: bigint): Promise<Buffer> {
  const { channel } = host;
  await finished(channel, await channel.unary(ArchiveRpc.restore, { volume, gid }));
  const found = await channel.unary(ArchiveRpc.getRestored, { volume });
  return readFileSync(found.images.find((image) => image.gid === gid)?.path ?? '');
}

async function base() {
  const { snapB, snapE } = await host.channel.unary(ArchiveRpc.getBase, { volume });
  return [snapB?.gidB, snapE?.gidB];
}

async function check(gids: readonly number[]): Promise<void> {
  for (const gid of gids) {
    expect(Buffer.compare(await scanned(host.channel, BigInt(gid)), images[gid] as Buffer)).toBe(0);
  }
}

describe('apply', () => {
  it('brings the base forward and drops what is in it', async () => {
    const { gid } = await apply(3n);
    expect(gid).toBe(3n);
    expect(await base()).toEqual([3n, undefined]);
    expect(wdiffs()).toHaveLength(3);
    expect(await restorable(host.channel)).toEqual([3n, 4n, 5n, 6n]);
    await check([3, 4, 5, 6]);
    await host.restart();
    await check([3, 6]);
  });

  it('needs no exact snapshot, but something to do', async () => {
    await merge(4n, { $case: 'gidE', value: 9n });
    await apply(5n);
    expect(await base()).toEqual([4n, undefined]);
    for (const gid of [0n, 4n, 5n]) {
      await expect(apply(gid)).rejects.toMatchObject({ code: 'not-found' });
    }
  });

  it('goes in passes of -maxopen diffs', async () => {
    await host.restart({ config: { maxOpenDiffs: 2 } });
    await apply(5n);
    expect(await base()).toEqual([5n, undefined]);
    await check([5, 6]);
  });

  it('that was interrupted is shown, and goes on', async () => {
    const half = metaState(snapshot(0n, 1n), 1_700_000_003, snapshot(4n));
    await host.channel.unary(ArchiveRpc.setBase, {
      volume,
      base: {
        snapB: { gidB: 0n, gidE: 1n },
        snapE: { gidB: 4n, gidE: 4n },
        timestamp: half.timestamp,
      },
    });
    // As if half of the data had been written.
    const path = join(host.directory, volume, 'images/base.img');
    const bytes = readFileSync(path);
    (images[4] as Buffer).copy(bytes, 0, 0, 6 * LB_SIZE);
    writeFileSync(path, bytes);
    await host.restart();
    expect(await base()).toEqual([0n, 4n]);
    expect(await restorable(host.channel)).toEqual([4n, 5n, 6n]);
    await check([4, 5, 6]);
    const until = { $case: 'gidE', value: 9n } as const;
    await expect(merge(0n, until)).rejects.toMatchObject({ code: 'wrong-state' });
    await expect(restored(2n)).rejects.toMatchObject({ code: 'not-found' });
    expect(Buffer.compare(await restored(5n), images[5] as Buffer)).toBe(0);
    // The minimum is done whatever is asked for.
    await apply(1n);
    expect(await base()).toEqual([4n, undefined]);
    await check([4, 5, 6]);
  });

  it('stopped by force leaves the base applying; the next one ends it', async () => {
    await host.restart({ config: { applySleepPercent: 1, maxOpenDiffs: 1 } });
    const { channel } = host;
    const fault = host.volume.readers.change.bind(host.volume.readers);
    // Force stop as soon as the second pass has begun.
    let passes = 0;
    host.volume.readers.change = (gid) => {
      passes += 1;
      if (passes === 2) void channel.unary(ControlRpc.stop, { volume, mode: 'force' });
      return fault(gid);
    };
    await apply(6n).catch(() => undefined);
    await viewWhere(channel, ({ state }) => state === 'Stopped');
    await channel.unary(ControlRpc.start, { volume, role: 'unspecified' });
    const oldest = (await restorable(channel))[0] as bigint;
    await check([Number(oldest), 6]);
    await apply(6n);
    expect(await base()).toEqual([6n, undefined]);
    await check([6]);
  });

  it('sleeps the wanted part of the time', () => {
    expect(sleepAfter(1000, 0)).toBe(0);
    expect(sleepAfter(99, 50)).toBe(0);
    expect(sleepAfter(100, 50)).toBe(100);
    expect(sleepAfter(300, 75)).toBe(900);
    expect(sleepAfter(2, 99)).toBe(198);
    expect(sleepAfter(60_000, 50)).toBe(1000);
  });
});

describe('merge', () => {
  it('never crosses an explicit snapshot', async () => {
    for (const gid of [0n, 2n, 4n]) await merge(gid, { $case: 'gidE', value: 99n });
    expect(wdiffs()).toHaveLength(3);
    expect(await restorable(host.channel)).toEqual([2n, 4n, 6n]);
    await check([2, 4, 6]);
    await expect(merge(0n, { $case: 'gidE', value: 99n })).rejects.toMatchObject({
      code: 'not-found',
    });
    await host.restart();
    await check([2, 4, 6]);
  });

  it('keeps to its limits', async () => {
    await host.channel.unary(ArchiveRpc.disableSnapshots, { volume, gids: [2n, 4n] });
    await merge(1n, { $case: 'gidE', value: 4n });
    expect(await restorable(host.channel)).toEqual([1n, 4n, 5n, 6n]);
    const none = { $case: 'maxSizeMb', value: 0 } as const;
    await expect(merge(0n, none)).rejects.toMatchObject({ code: 'not-found' });
    await merge(0n, { $case: 'maxSizeMb', value: 1 });
    expect(await restorable(host.channel)).toEqual([6n]);
    await check([6]);
    for (const until of [undefined, { $case: 'gidE', value: 0n } as const]) {
      await expect(merge(0n, until)).rejects.toMatchObject({ code: 'invalid-argument' });
    }
  });

  it('gives a snappy sorted diff with the uuid of the newest', async () => {
    await merge(2n, { $case: 'gidE', value: 4n });
    const diff = host.volume.catalogue.diffs.find(cleanDiff(2n, 4n));
    expect(diff).toMatchObject({ isMergeable: false, timestamp: 1_700_000_003 });
    const handle = host.volume.catalogue.open(diff as NonNullable<typeof diff>);
    const file = openDiff(handle);
    expect(file.format).toBe('sorted');
    expect(file.uuid).toEqual(UUID);
    expect(handle.size()).toBe(diff?.dataSize);
    handle.close();
  });

  it('leaves alone where a restore is going', async () => {
    await host.channel.unary(ArchiveRpc.disableSnapshots, { volume, gids: [2n, 4n] });
    host.volume.wanted.add(3n);
    await merge(0n, { $case: 'maxSizeMb', value: 1 });
    expect(await restorable(host.channel)).toEqual([3n, 4n, 5n, 6n]);
    host.volume.wanted.delete(3n);
    await merge(0n, { $case: 'maxSizeMb', value: 1 });
    expect(await restorable(host.channel)).toEqual([6n]);
  });

  it('beside a restore in passes takes nothing from it', async () => {
    await host.channel.unary(ArchiveRpc.disableSnapshots, { volume, gids: [2n, 4n] });
    await host.restart({ config: { maxOpenDiffs: 1 } });
    const { channel } = host;
    const restore = await channel.unary(ArchiveRpc.restore, { volume, gid: 5n });
    const merging = merge(0n, { $case: 'maxSizeMb', value: 1 }).catch((e: WalbError) => e.code);
    await finished(channel, restore);
    await merging;
    const found = await channel.unary(ArchiveRpc.getRestored, { volume });
    const bytes = readFileSync(found.images[0]?.path ?? '');
    expect(Buffer.compare(bytes, images[5] as Buffer)).toBe(0);
  });

  it('that finds damage changes nothing', async () => {
    const name = formatDiffName(
      host.volume.catalogue.diffs.find(cleanDiff(3n, 4n)) as ReturnType<typeof cleanDiff>,
    );
    const path = join(host.directory, volume, name);
    const bytes = readFileSync(path);
    bytes.fill(0xff, 32 + 4096 + 2);
    writeFileSync(path, bytes);
    const before = wdiffs();
    await expect(merge(2n, { $case: 'gidE', value: 4n })).rejects.toMatchObject({
      code: 'corrupt',
    });
    expect(wdiffs()).toEqual(before);
    expect(readdirSync(join(host.directory, volume)).filter((n) => /^tmp/.test(n))).toEqual([]);
    await expect(restored(4n)).rejects.toMatchObject({ code: 'corrupt' });
    expect(readdirSync(join(host.directory, volume, 'images'))).toEqual(['base.img']);
    expect(Buffer.compare(await restored(3n), images[3] as Buffer)).toBe(0);
  });
});

describe('restore', () => {
  it('makes several snapshots one after another, each once', async () => {
    for (const gid of [1, 4, 6]) {
      expect(Buffer.compare(await restored(BigInt(gid)), images[gid] as Buffer)).toBe(0);
    }
    await expect(restored(4n)).rejects.toMatchObject({ code: 'already-exists' });
    await expect(restored(99n)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/no snapshot 99 .*get_restorable\(archive, 'vol', 'all'\)/),
    });
    const { channel } = host;
    await channel.unary(ArchiveRpc.delRestored, { volume, gid: 4n });
    const unknown = channel.unary(ArchiveRpc.delRestored, { volume, gid: 4n });
    await expect(unknown).rejects.toMatchObject({ code: 'not-found' });
    const { images: left } = await channel.unary(ArchiveRpc.getRestored, { volume });
    expect(left.map(({ gid }) => gid)).toEqual([1n, 6n]);
  });

  it('leaves nothing of an attempt that a crash ended', async () => {
    const leftover = join(host.directory, volume, 'images/restored-5.tmp');
    writeFileSync(leftover, 'half');
    await host.restart();
    expect(existsSync(leftover)).toBe(false);
  });
});

describe('resize', () => {
  const resize = async (sizeLb: number, zeroClear = false) => {
    const accepted = await host.channel.unary(ArchiveRpc.resize, { volume, sizeLb, zeroClear });
    if (accepted.taskId !== 0) await finished(host.channel, accepted);
    return accepted;
  };

  it('grows, and the extension reads as zeros', async () => {
    expect((await resize(SIZE_LB + 64)).taskId).toBe(0);
    expect((await resize(SIZE_LB + 128, true)).taskId).toBeGreaterThan(0);
    expect((await resize(SIZE_LB + 128, true)).taskId).toBe(0);
    const { value } = await host.channel.unary(ArchiveRpc.getVolSize, { volume });
    expect(value).toBe(SIZE_LB + 128);
    const wanted = Buffer.concat([images[3] as Buffer, Buffer.alloc(128 * LB_SIZE)]);
    expect(Buffer.compare(await scanned(host.channel, 3n), wanted)).toBe(0);
    expect(Buffer.compare(await restored(3n), wanted)).toBe(0);
  });

  it('never shrinks', async () => {
    await expect(resize(SIZE_LB - 1)).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(resize(0)).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});

describe('scans', () => {
  it('hash each bulk with its number as seed (bhash)', async () => {
    const bulkBytes = 8192;
    const wanted = Buffer.alloc(16);
    const image = images[4] as Buffer;
    for (let bulk = 0; bulk * bulkBytes < image.length; bulk += 1) {
      const data = image.subarray(bulk * bulkBytes, (bulk + 1) * bulkBytes);
      murmur3x64_128(data, bulk).forEach((byte, i) => {
        wanted[i] = (wanted[i] as number) ^ byte;
      });
    }
    const hashOf = async (gid: bigint, scanLb = 0): Promise<string> => {
      let hash = '';
      const request = { volume, gid, bulkBytes, scanLb };
      for await (const { event } of host.channel.serverStream(ArchiveRpc.blockHash, request)) {
        if (event?.$case === 'hash') hash = Buffer.from(event.value).toString('hex');
      }
      return hash;
    };
    expect(await hashOf(4n)).toBe(wanted.toString('hex'));
    await apply(4n);
    expect(await hashOf(4n)).toBe(wanted.toString('hex'));
    expect(await hashOf(4n, 16)).not.toBe(wanted.toString('hex'));
    await expect(hashOf(1n)).rejects.toMatchObject({ code: 'not-found' });
    await expect(hashOf(4n, SIZE_LB + 1)).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  it('refuse more open diffs than -maxopen-virt', async () => {
    await host.restart({ config: { maxOpenDiffsVirtual: 2 } });
    await check([2]);
    await expect(scanned(host.channel, 3n)).rejects.toMatchObject({ code: 'limit-exceeded' });
  });

  it('refuse bulks and sleeps that make no sense', async () => {
    const scan = async (more: { bulkBytes?: number; sleepPct?: number }) => {
      const request = { volume, gid: 2n, bulkBytes: 0, scanLb: 0, sleepPct: 0, ...more };
      const stream = host.channel.serverStream(ArchiveRpc.virtualFullScan, {
        ...request,
        compression: undefined,
      });
      for await (const _ of stream);
    };
    await scan({});
    await scan({ sleepPct: 99 });
    for (const bad of [{ bulkBytes: 1000 }, { bulkBytes: 2 ** 30 }, { sleepPct: 100 }]) {
      await expect(scan(bad)).rejects.toMatchObject({ code: 'invalid-argument' });
    }
  });
});

describe('snapshots', () => {
  it('become explicit and implicit; one bad gid does not keep the others from it', async () => {
    const { channel } = host;
    const { failures } = await channel.unary(ArchiveRpc.enableSnapshots, {
      volume,
      gids: [1n, 6n, 3n, 77n],
    });
    expect(failures.map(({ gid }) => gid)).toEqual([6n, 77n]);
    expect(await restorable(channel, false)).toEqual([1n, 2n, 3n, 4n, 6n]);
    await channel.unary(ArchiveRpc.disableSnapshots, { volume, gids: [1n, 2n, 3n, 4n] });
    expect(await restorable(channel, false)).toEqual([6n]);
    await host.restart();
    expect(await restorable(channel, false)).toEqual([6n]);
    expect(await restorable(channel)).toEqual([1n, 2n, 3n, 4n, 5n, 6n]);
  });

  it('are read while flags change', async () => {
    const { channel } = host;
    const gids = [1n, 2n, 3n, 4n, 5n];
    const changing = channel.unary(ArchiveRpc.disableSnapshots, { volume, gids });
    await check([5, 6, 3]);
    await changing;
    await check([5]);
  });
});

describe('start-up', () => {
  it('serves the other volumes when one is broken, and says what is wrong with it', async () => {
    const bad = 'broken';
    mkdirSync(join(host.directory, bad));
    writeFileSync(join(host.directory, bad, 'state'), 'nonsense');
    await host.restart();
    const { channel } = host;
    await check([6]);
    const { volumes } = await channel.unary(ControlRpc.listVolumes, {});
    expect(volumes).toEqual([bad, volume]);
    const requests = [
      channel.unary(ControlRpc.getState, { volume: bad }),
      channel.unary(ControlRpc.initVolume, { volume: bad, devicePath: '' }),
      channel.unary(ControlRpc.clearVolume, { volume: bad }),
      channel.unary(ArchiveRpc.restore, { volume: bad, gid: 1n }),
      channel.unary(ArchiveRpc.getDiffs, { volume: bad, gid0: 0n, gid1: 9n }),
    ];
    for (const request of requests) {
      await expect(request).rejects.toMatchObject({ code: 'corrupt' });
    }
    const { lastError } = await viewWhere(channel, () => true, bad);
    expect(lastError?.error?.message).toMatch(/broken\/state.*restart the server/);
    const { status } = await channel.unary(ControlRpc.status, { volume: '' });
    expect(status).toMatchObject({
      value: { volumes: [{ volume }, { volume: bad, lastError: { error: { code: 'corrupt' } } }] },
    });
    const sent = { volume: bad, uuid: UUID, diff: cleanDiff(0n, 1n), ios: [], sizeLb: SIZE_LB };
    expect(await sendDiff(channel, sent)).toMatchObject({ answer: 'other' });
    expect(readFileSync(join(host.directory, bad, 'state'), 'utf8')).toBe('nonsense');
  });

  it.each([
    ['state', 'the file'],
    ['images/base.img', 'the base image'],
  ])('never takes a volume without %s for an empty one', async (file) => {
    const kept = readFileSync(join(host.directory, volume, file));
    rmSync(join(host.directory, volume, file));
    await host.restart();
    const get = host.channel.unary(ControlRpc.getState, { volume });
    await expect(get).rejects.toMatchObject({ code: 'corrupt' });
    expect(wdiffs()).toHaveLength(6);
    writeFileSync(join(host.directory, volume, file), kept);
    await host.restart();
    await check([1, 6]);
  });

  it('removes what interrupted work left', async () => {
    const directory = join(host.directory, volume);
    writeFileSync(join(directory, 'tmpAbC123'), 'half a diff');
    mkdirSync(join(host.directory, 'begun'));
    writeFileSync(join(host.directory, 'begun', 'uuid'), Buffer.alloc(16));
    // A merge that was not cleaned up: the inputs are still there.
    const one = wdiffs().find((name) => name.includes('-2-3.')) as string;
    const copy = readFileSync(join(directory, one));
    await merge(2n, { $case: 'gidE', value: 4n });
    writeFileSync(join(directory, one), copy);
    await host.restart();
    expect(readdirSync(directory)).not.toContain('tmpAbC123');
    expect(readdirSync(host.directory)).not.toContain('begun');
    expect(wdiffs()).not.toContain(one);
    await check([2, 4, 5, 6]);
  });
});

describe('debug commands', () => {
  it('reload what was changed by hand, or nothing when it can not be used', async () => {
    const { channel } = host;
    const directory = join(host.directory, volume);
    writeFileSync(join(directory, 'base'), encodeMetaState(metaState(snapshot(0n), 1)));
    await channel.unary(ArchiveRpc.reloadMetadata, { volume });
    expect(await restorable(channel)).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n]);
    writeFileSync(join(directory, 'base'), 'nonsense');
    writeFileSync(join(directory, 'uuid'), Buffer.alloc(16));
    const reload = channel.unary(ArchiveRpc.reloadMetadata, { volume });
    await expect(reload).rejects.toMatchObject({ code: 'corrupt' });
    const { uuid } = await channel.unary(ArchiveRpc.getUuid, { volume });
    expect(Buffer.from(uuid)).toEqual(Buffer.from(UUID));
  });

  it('set uuid and state, durably', async () => {
    const { channel } = host;
    await channel.unary(ArchiveRpc.setUuid, { volume, uuid: Buffer.alloc(16, 1) });
    await channel.unary(ArchiveRpc.setState, { volume, state: 'Stopped' });
    await host.restart();
    expect(await channel.unary(ControlRpc.getState, { volume })).toEqual({ state: 'Stopped' });
    await channel.unary(ControlRpc.start, { volume, role: 'unspecified' });
    const { uuid } = await channel.unary(ArchiveRpc.getUuid, { volume });
    expect(Buffer.from(uuid)).toEqual(Buffer.alloc(16, 1));
    for (const state of ['Clear', 'FullSync', 'Target'] as const) {
      const set = channel.unary(ArchiveRpc.setState, { volume, state });
      await expect(set).rejects.toMatchObject({ code: 'invalid-argument' });
    }
    const short = channel.unary(ArchiveRpc.setUuid, { volume, uuid: Buffer.alloc(15) });
    await expect(short).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});

it('ts-delta tells how far replicas are behind', async () => {
  const { channel } = host;
  expect(await channel.unary(ArchiveRpc.getTsDelta, {})).toEqual({ items: [] });
  host.volume.replicas.note('a1', 4n, 1_700_000_003);
  const { items } = await channel.unary(ArchiveRpc.getTsDelta, {});
  expect(items).toEqual([
    {
      volume,
      dest: 'a1',
      kind: 'archive',
      destKind: 'archive',
      gid: 6n,
      timestamp: 1_700_000_005,
      destGid: 4n,
      destTimestamp: 1_700_000_003,
    },
  ]);
});
