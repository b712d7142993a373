/** Devices written by the kernel driver open here and redo to what the driver's own redo gave (W1, W10). */
import { expect, test } from 'vitest';
import { openDevice } from '../../../src/wdev/index.ts';
import { describeGolden, golden } from '../../golden/golden.ts';
import { type TestEnv, testEnv } from '../support/test-env.ts';

async function open(env: TestEnv, ldev: string, ddev: Uint8Array) {
  env.files.put('log', golden.read(`kernel/${ldev}.ldev`));
  env.files.put('data', ddev);
  return openDevice(env, { log: 'log', data: 'data' });
}

/** A figure of the driver's `info.txt` of that moment. */
function lsidOf(scenario: string, name: string): bigint {
  const text = golden.read(`kernel/${scenario}.info.txt`).toString();
  const value = new RegExp(`^${name} +([0-9]+)$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`no ${name} in ${scenario}.info.txt`);
  return BigInt(value);
}

function sameBytes(name: string, actual: Uint8Array, expected: Uint8Array): void {
  expect(Buffer.compare(actual, expected), `${name} differs`).toBe(0);
}

const sizes = golden.available
  ? golden.list('kernel').filter((name) => name.startsWith('pbs'))
  : [];

describeGolden('formats.md 3: log devices of the kernel driver', () => {
  test.each(sizes)('%s: a power cut is redone to the same devices', async (pbs) => {
    const env = testEnv();
    const cut = golden.read(`kernel/${pbs}/powercut.cut.ddev`);
    const device = await open(env, `${pbs}/powercut.cut`, cut);
    sameBytes('data', env.files.content('data'), golden.read(`kernel/${pbs}/powercut.redone.ddev`));
    sameBytes('log', env.files.content('log'), golden.read(`kernel/${pbs}/powercut.redone.ldev`));
    const { latest, written, prevWritten, oldest } = await device.lsids();
    const end = lsidOf(`${pbs}/powercut.redone`, 'latest');
    expect([latest, written, prevWritten, oldest]).toEqual([end, end, end, 0n]);
    await device.close();
  });

  test.each(sizes)('%s: a clean stop leaves nothing to redo', async (pbs) => {
    const env = testEnv();
    const image = golden.read(`kernel/${pbs}/basic.nocheckpoint.ddev`);
    const log = golden.read(`kernel/${pbs}/basic.clean.ldev`);
    const device = await open(env, `${pbs}/basic.clean`, image);
    sameBytes('data', env.files.content('data'), image);
    await device.close();
    sameBytes('log', env.files.content('log'), log);
  });

  test.each(sizes)('%s: log behind the checkpoint is redone over an older image', async (pbs) => {
    const env = testEnv();
    const older = golden.read(`kernel/${pbs}/basic.live.ddev`);
    const device = await open(env, `${pbs}/basic.nocheckpoint`, older);
    const redone = golden.read(`kernel/${pbs}/basic.nocheckpoint.ddev`);
    sameBytes('data', env.files.content('data'), redone);
    await device.close();
  });

  test.each(sizes)('%s: the whole log over an empty disk gives the data device', async (pbs) => {
    for (const scenario of ['basic.live', 'par.live', 'ext4.live', 'powercut.redone']) {
      const env = testEnv();
      const ddev = golden.read(`kernel/${pbs}/${scenario}.ddev`);
      env.files.put('log', golden.read(`kernel/${pbs}/${scenario}.ldev`));
      env.files.put('data', new Uint8Array(ddev.length));
      rewind(env);
      const device = await openDevice(env, { log: 'log', data: 'data' });
      sameBytes(scenario, env.files.content('data'), ddev);
      await device.close();
    }
  });

  test.each(sizes)(
    '%s: overflow is seen, survives reopening, and a reset clears it (W2)',
    async (pbs) => {
      const env = testEnv();
      const device = await open(env, `${pbs}/overflow.overflowed`, new Uint8Array(32 << 20));
      expect(await device.isOverflow()).toBe(true);
      const latest = lsidOf(`${pbs}/overflow.overflowed`, 'latest');
      expect((await device.lsids()).latest).toBe(latest);
      await expect(device.setOldestLsid(latest)).rejects.toMatchObject({ code: 'overflow' });
      await device.close();
      const again = await openDevice(env, { log: 'log', data: 'data' });
      expect(await again.isOverflow()).toBe(true);
      await again.resetLog();
      expect(await again.isOverflow()).toBe(false);
      await again.close();
    },
  );

  test.each(sizes)('%s: the log of a wrapped ring reads back pack by pack', async (pbs) => {
    const env = testEnv();
    const device = await open(env, `${pbs}/wrap.live`, new Uint8Array(32 << 20));
    const { oldest, latest } = await device.lsids();
    let next = oldest;
    for await (const pack of device.readLog(oldest)) {
      expect(pack.lsid).toBe(next);
      next += 1n + BigInt(pack.data.length / pack.header.length);
    }
    expect(next).toBe(latest);
    expect(latest - oldest).toBeGreaterThan(0n);
    await device.close();
  });
});

/** Sets written_lsid back to oldest_lsid, so that opening redoes all there is. */
function rewind(env: TestEnv): void {
  const log = env.files.content('log');
  const view = new DataView(log.buffer, log.byteOffset + 4096);
  const pbs = view.getUint32(12, true);
  view.setBigUint64(88, view.getBigUint64(80, true), true);
  view.setUint32(4, 0, true);
  let sum = 0;
  for (let at = 0; at < pbs; at += 4) sum = (sum + view.getUint32(at, true)) >>> 0;
  view.setUint32(4, -sum >>> 0, true);
}
