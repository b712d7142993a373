/**
 * Snapshots served at once over NBD (architecture.md decision 9): what clients read and write, who waits
 * for whom, and that everything is let go of in the end.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { exportServing } from '../../src/archive-server/export-socket.ts';
import type { ExportServing } from '../../src/archive-server/exports.ts';
import { LB_SIZE, silentLogger } from '../../src/core/index.ts';
import { RealClock } from '../../src/core/real-clock.ts';
import { RealFiles } from '../../src/core/real-files.ts';
import { ArchiveRpc, ControlRpc, type ExportInfo, StopMode } from '../../src/rpc/index.ts';
import { connectNbd } from '../../src/wdev/nbd/index.ts';
import { describeWith } from '../support/tools.ts';
import {
  cleanDiff,
  dataIo,
  finished,
  fullBackup,
  sendDiff,
  type TestArchive,
  testArchive,
  VOLUME,
  viewWhere,
} from './support.ts';

const SIZE_LB = 4096;
const UUID = new Uint8Array(16).fill(3);
const clock = new RealClock();
const run = promisify(execFile);
const serveExport: ExportServing = exportServing({
  clock,
  log: silentLogger,
  files: new RealFiles(),
});

/** A volume with the snapshots 1, 2 and 3, and what each of them holds. */
async function archiveWithSnapshots(options = {}): Promise<TestArchive & { images: Buffer[] }> {
  const host = await testArchive({ serveExport, ...options });
  const { channel } = host;
  const image = Buffer.alloc(SIZE_LB * LB_SIZE);
  for (let i = 0; i < image.length / 2; i += 1) image[i] = (i >> 9) & 0xff;
  await channel.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: '' });
  await fullBackup(channel, { image, uuid: UUID, bulkLb: 512 });
  const images: Buffer[] = [];
  for (const from of [0n, 1n, 2n]) {
    const address = Number(from) * 100 + 7;
    const data = Buffer.alloc(50 * LB_SIZE, 0x40 + Number(from));
    image.set(data, address * LB_SIZE);
    images[Number(from) + 1] = Buffer.from(image);
    const ios = [dataIo(address, data)];
    await sendDiff(channel, { uuid: UUID, diff: cleanDiff(from, from + 1n), ios, sizeLb: SIZE_LB });
  }
  return Object.assign(host, { images });
}

const opened = (
  { channel }: TestArchive,
  gid: bigint,
  more: Partial<{ address: string; readOnly: boolean; fill: boolean }> = {},
): Promise<ExportInfo> => {
  const request = { volume: VOLUME, gid, address: '', readOnly: false, fill: false, ...more };
  return channel.unary(ArchiveRpc.exportSnapshot, request);
};

const closed = ({ channel }: TestArchive, { exportId }: ExportInfo, force = false) =>
  channel.unary(ArchiveRpc.closeExport, { exportId, force });

const connected = ({ address, name }: ExportInfo) =>
  connectNbd({ kind: 'unix', path: address.slice('unix:'.length) }, { exportName: name, clock });

/** Files of the archive this process holds open. */
function openFiles(directory: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(directory) ? [path] : [];
    } catch {
      return [];
    }
  });
}

describe('an export', () => {
  it('shows the snapshot, takes writes, and leaves the archive as it was', async () => {
    await using host = await archiveWithSnapshots();
    const info = await opened(host, 2n);
    expect(info).toMatchObject({ volume: VOLUME, gid: 2n, sizeLb: SIZE_LB, readOnly: false });
    {
      await using client = await connected(info);
      const whole = Buffer.alloc(client.size);
      await client.read(0, whole);
      expect(Buffer.compare(whole, host.images[2] as Buffer)).toBe(0);
      await client.write(3 * LB_SIZE, Buffer.alloc(10 * LB_SIZE, 0xaa));
      await client.writeZeroes(8 * LB_SIZE, 100 * LB_SIZE);
      await client.read(0, whole);
      const wanted = Buffer.from(host.images[2] as Buffer);
      wanted.fill(0xaa, 3 * LB_SIZE, 8 * LB_SIZE).fill(0, 8 * LB_SIZE, 108 * LB_SIZE);
      expect(Buffer.compare(whole, wanted)).toBe(0);
    }
    const again = await opened(host, 2n);
    {
      await using client = await connected(again);
      const whole = Buffer.alloc(client.size);
      await client.read(0, whole);
      expect(Buffer.compare(whole, host.images[2] as Buffer)).toBe(0);
    }
    const { exports } = await host.channel.unary(ArchiveRpc.listExports, { volume: '' });
    expect(exports.map(({ exportId }) => exportId).sort()).toEqual(
      [info.exportId, again.exportId].sort(),
    );
    await closed(host, info);
    await closed(host, again);
    expect(openFiles(host.directory)).toEqual([]);
    expect(readdirSync(join(host.directory, VOLUME, 'exports'))).toEqual([]);
  });

  it('is read-only when asked for', async () => {
    await using host = await archiveWithSnapshots();
    await using client = await connected(await opened(host, 3n, { readOnly: true }));
    expect(client.readOnly).toBe(true);
    await expect(client.write(0, Buffer.alloc(512))).rejects.toMatchObject({
      code: 'permission-denied',
    });
    await expect(opened(host, 3n, { readOnly: true, fill: true })).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  });

  it('is not closed under its clients unless by force', async () => {
    await using host = await archiveWithSnapshots();
    const info = await opened(host, 1n);
    const client = await connected(info);
    await expect(closed(host, info)).rejects.toMatchObject({ code: 'busy' });
    await closed(host, info, true);
    await expect(client.read(0, Buffer.alloc(512))).rejects.toMatchObject({ code: 'unavailable' });
    expect(openFiles(host.directory)).toEqual([]);
    await expect(closed(host, info)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('keeps an apply from going beyond its snapshot until it is filled', async () => {
    await using host = await archiveWithSnapshots();
    const { channel } = host;
    const first = await opened(host, 2n);
    const apply = (gid: bigint) => channel.unary(ArchiveRpc.apply, { volume: VOLUME, gid });
    await expect(apply(3n)).rejects.toMatchObject({ code: 'busy' });
    await finished(channel, await apply(2n));
    await using client = await connected(first);
    const whole = Buffer.alloc(client.size);
    await client.read(0, whole);
    expect(Buffer.compare(whole, host.images[2] as Buffer)).toBe(0);
    const filled = await opened(host, 2n, { fill: true });
    await finished(channel, { taskId: filled.fillTaskId });
    await client.close();
    await closed(host, first);
    await finished(channel, await apply(3n));
    await using other = await connected(filled);
    await other.read(0, whole);
    expect(Buffer.compare(whole, host.images[2] as Buffer)).toBe(0);
  });

  it('ends with its volume and with the server, and leaves nothing after a crash', async () => {
    await using host = await archiveWithSnapshots();
    const { channel } = host;
    const info = await opened(host, 1n, { fill: true });
    const client = await connected(info);
    await finished(
      channel,
      await channel.unary(ControlRpc.stop, { volume: VOLUME, mode: StopMode.GRACEFUL }),
    );
    await expect(opened(host, 1n)).rejects.toMatchObject({ code: 'wrong-state' });
    await channel.unary(ControlRpc.clearVolume, { volume: VOLUME });
    await expect(client.read(0, Buffer.alloc(512))).rejects.toMatchObject({ code: 'unavailable' });
    expect(openFiles(host.directory)).toEqual([]);
    expect(readdirSync(host.directory)).toEqual([]);
  });

  it('loses its overlay with the server', async () => {
    await using host = await archiveWithSnapshots();
    await opened(host, 1n);
    const exports = join(host.directory, VOLUME, 'exports');
    mkdirSync(exports, { recursive: true });
    writeFileSync(join(exports, 'dead0000.img'), 'left by a crash');
    await host.restart();
    expect(readdirSync(join(host.directory, VOLUME))).not.toContain('exports');
    const { exports: open } = await host.channel.unary(ArchiveRpc.listExports, { volume: '' });
    expect(open).toEqual([]);
  });

  it('refuses what can not be served, and holds nothing open then', async () => {
    await using host = await archiveWithSnapshots();
    await expect(opened(host, 9n)).rejects.toMatchObject({ code: 'not-found' });
    const bad = ['unix:relative', 'nowhere', `unix:/tmp/${'x'.repeat(200)}`];
    for (const address of bad) {
      await expect(opened(host, 1n, { address })).rejects.toMatchObject({
        code: 'invalid-argument',
      });
    }
    await expect(opened(host, 1n, { address: '0.0.0.0:0' })).rejects.toMatchObject({
      code: 'permission-denied',
    });
    expect(openFiles(host.directory)).toEqual([]);
    const apply = await host.channel.unary(ArchiveRpc.apply, { volume: VOLUME, gid: 3n });
    await finished(host.channel, apply);
  });

  it('listens elsewhere when the path of the volume is too long for a socket', async () => {
    await using host = await archiveWithSnapshots();
    const deep = join(host.directory, 'd'.repeat(120));
    await using other = await archiveWithSnapshots({ directory: deep });
    const info = await opened(other, 3n);
    expect(info.address.length).toBeLessThan('unix:'.length + 108);
    await using client = await connected(info);
    const whole = Buffer.alloc(client.size);
    await client.read(0, whole);
    expect(Buffer.compare(whole, other.images[3] as Buffer)).toBe(0);
  });

  it('serves on a port of the loopback', async () => {
    await using host = await archiveWithSnapshots();
    const { address, name } = await opened(host, 3n, { address: '127.0.0.1:0' });
    const port = Number(address.split(':')[1]);
    await using client = await connectNbd(
      { kind: 'tcp', host: '127.0.0.1', port },
      { exportName: name, clock },
    );
    expect(client.size).toBe(SIZE_LB * LB_SIZE);
  });

  it('stays what it is while its diffs are merged away', async () => {
    await using host = await archiveWithSnapshots();
    const { channel } = host;
    await channel.unary(ArchiveRpc.disableSnapshots, { volume: VOLUME, gids: [1n, 2n] });
    await using client = await connected(await opened(host, 2n));
    const until = { $case: 'gidE', value: 9n } as const;
    const merge = await channel.unary(ArchiveRpc.merge, { volume: VOLUME, gidB: 0n, until });
    await finished(channel, merge);
    const { restorableRevision } = await viewWhere(channel, () => true);
    expect(restorableRevision).toBeGreaterThan(0);
    const whole = Buffer.alloc(client.size);
    await client.read(0, whole);
    expect(Buffer.compare(whole, host.images[2] as Buffer)).toBe(0);
  });
});

describeWith(['nbdinfo', 'nbdcopy', 'qemu-img'], 'an export and real clients', () => {
  it('is read by nbdinfo, nbdcopy and qemu-img compare', async () => {
    await using host = await archiveWithSnapshots();
    const { channel } = host;
    const { uri } = await opened(host, 2n);
    const { stdout } = await run('nbdinfo', ['--json', uri]);
    expect(JSON.parse(stdout).exports[0]['export-size']).toBe(SIZE_LB * LB_SIZE);
    const copy = join(host.directory, 'copy.img');
    await run('nbdcopy', [uri, copy]);
    expect(Buffer.compare(readFileSync(copy), host.images[2] as Buffer)).toBe(0);
    const restore = await channel.unary(ArchiveRpc.restore, { volume: VOLUME, gid: 2n });
    await finished(channel, restore);
    const { images } = await channel.unary(ArchiveRpc.getRestored, { volume: VOLUME });
    const path = images[0]?.path as string;
    await run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', uri, path]);
    // And back: what a client writes is what a client reads.
    const { uri: writable } = await opened(host, 1n);
    await run('nbdcopy', [path, writable]);
    await run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', writable, path]);
  });
});
