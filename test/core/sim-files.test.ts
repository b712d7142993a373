import { describe, expect, it } from 'vitest';
import { hasCode } from '../../src/core/errors.ts';
import { MIB } from '../../src/core/units.ts';
import { SimFiles } from '../sim/sim-files.ts';
import { SimHost } from '../sim/sim-host.ts';
import { SimRandom } from '../sim/sim-random.ts';
import { filesSuite } from './files-suite.ts';

/** A disk without a world: latencies are over at once. */
function simFiles(seed = '1', capacity?: number): { files: SimFiles; host: SimHost } {
  const random = new SimRandom(seed);
  const elapsed = () => 0;
  const host = new SimHost({
    name: 'h',
    random,
    elapsed,
    ...(capacity === undefined ? {} : { capacity }),
  });
  const latency = () => new Promise<void>((resolve) => setImmediate(resolve));
  const nothing = () => {};
  const caller = { enter: nothing, latency, work: nothing, now: () => 0 };
  const files = new SimFiles(host.disk, caller);
  files.makeDirectory('/data');
  host.disk.settle();
  return { files, host };
}

filesSuite('the simulator', () => {
  const dispose = () => {};
  return { files: simFiles().files, directory: '/data', reportsHoles: true, dispose };
});

describe('SimFiles: faults', () => {
  it('runs full in the middle of a write and says so', () => {
    const { files } = simFiles('1', MIB);
    const handle = files.open('/data/f', 'create');
    handle.write(new Uint8Array(MIB / 2), 0);
    expect(() => handle.write(new Uint8Array(MIB), MIB / 2)).toThrow(/ENOSPC.*free space/);
    expect(handle.size()).toBeLessThanOrEqual(MIB);
    files.remove('/data/f');
    expect(files.freeBytes('/data')).toBe(MIB);
  });

  it('fails the calls that a rule names, as often as it says', () => {
    const { files, host } = simFiles();
    const handle = files.open('/data/f', 'create');
    host.disk.faults.add({ operation: 'write', code: 'EIO', path: /f$/, times: 1 });
    host.disk.faults.add({ operation: 'read', code: 'EIO', path: /other/ });
    expect(() => handle.write(new Uint8Array(10), 0)).toThrow(/write \/data\/f: EIO/);
    handle.write(new Uint8Array(10), 0);
    expect(handle.read(new Uint8Array(10), 0)).toBe(10);
    expect(host.disk.faults.count).toBe(1);
    host.disk.faults.clear();
  });

  it('fails every later sync of a handle whose sync failed, but not of a new one', async () => {
    const { files, host } = simFiles();
    const handle = files.open('/data/f', 'create');
    host.disk.faults.add({ operation: 'sync', code: 'EIO', times: 1 });
    await expect(handle.sync()).rejects.toSatisfy((error) => hasCode(error, 'io'));
    await expect(handle.sync()).rejects.toSatisfy((error) => hasCode(error, 'io'));
    await files.open('/data/f', 'read').sync();
  });

  it('may lose what a failed sync should have stored, though later syncs succeed', async () => {
    let losses = 0;
    for (let seed = 0; seed < 20; seed++) {
      const { files, host } = simFiles(String(seed));
      const handle = files.open('/data/f', 'create');
      await files.syncDirectory('/data');
      handle.write(new Uint8Array(512).fill(1), 0);
      host.disk.faults.add({ operation: 'sync', code: 'EIO', times: 1 });
      await expect(handle.sync()).rejects.toThrow();
      await files.open('/data/f', 'read').sync();
      host.disk.powerCut();
      if (files.info('/data/f')!.size === 0) losses++;
    }
    expect(losses).toBeGreaterThan(0);
    expect(losses).toBeLessThan(20);
  });

  it('flips one bit, which is there after a power cut too', async () => {
    const { files, host } = simFiles();
    const handle = files.open('/data/f', 'create');
    handle.write(new Uint8Array(1000), 0);
    await handle.sync();
    await files.syncDirectory('/data');
    host.disk.rot('/data/f');
    host.disk.powerCut();
    const bytes = new Uint8Array(1000);
    files.open('/data/f', 'read').read(bytes, 0);
    expect(bytes.filter((byte) => byte !== 0)).toHaveLength(1);
  });

  it('has block devices of fixed size', async () => {
    const { files, host } = simFiles();
    host.disk.addDevice('/dev/walb/log', 8192);
    const handle = files.open('/dev/walb/log', 'update');
    expect([handle.isBlockDevice, handle.size()]).toEqual([true, 8192]);
    expect(() => handle.write(new Uint8Array(1000), 8000)).toThrow(/ENOSPC/);
    expect(() => handle.truncate(0)).toThrow(/block device/);
    expect(() => files.open('/dev/walb/log', 'replace')).toThrow(/device/);
    expect(handle.size()).toBe(8192);
    expect(handle.nextData(100)).toEqual({ start: 100, end: 8192 });
    handle.write(new Uint8Array(512).fill(3), 512);
    await handle.sync();
    host.disk.powerCut();
    const sector = new Uint8Array(512);
    files.open('/dev/walb/log', 'read').read(sector, 512);
    expect(sector.every((byte) => byte === 3)).toBe(true);
  });
});
