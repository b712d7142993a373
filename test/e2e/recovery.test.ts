/** W1, W3, W4 with real processes: kill -9 in the middle of work, restart, nothing acknowledged is lost. */
import { expect, test } from 'vitest';
import { CountingWriter, SOON, TestGroup, until, VOLUME } from './support.ts';

test('W1: a killed storage server resumes by itself; the workload never notices', async () => {
  await using test = await TestGroup.start();
  const { group, walbc } = test;
  await test.backUp();
  await using client = await group.connect();
  const writer = new CountingWriter();
  writer.start(client);
  await writer.more(100);
  await group.kill('s0');
  await writer.more(200);
  await group.startMember('s0');
  await writer.more(100);
  expect(await walbc.get_state(test.s0, VOLUME)).toBe('Target');
  await writer.stop();
  await test.expectArrival();
  await writer.verify(client);
});

test('W1: a killed device redoes its log; what was acknowledged is there, transfer goes on', async () => {
  await using test = await TestGroup.start();
  const { group } = test;
  await test.backUp();
  const writer = new CountingWriter();
  writer.start(await group.connect());
  await writer.more(500);
  await group.kill('device');
  await writer.stop();
  expect(writer.unknown).toBeDefined();
  await group.startMember('device');
  await using client = await group.connect();
  await writer.verify(client);
  await test.expectArrival();
  writer.start(client);
  await writer.more(100);
  await writer.stop();
  await test.expectArrival();
});

test('W1: everything killed at once, as by a power cut of the host, and started again', async () => {
  await using test = await TestGroup.start();
  const { group } = test;
  await test.backUp();
  const writer = new CountingWriter();
  writer.start(await group.connect());
  await writer.more(300);
  for (const name of ['device', 's0', 'p0', 'a0'] as const) await group.kill(name);
  await writer.stop();
  for (const name of ['a0', 'p0', 'device', 's0'] as const) await group.startMember(name);
  await using client = await group.connect();
  await writer.verify(client);
  await test.expectArrival();
});

test('W2: log lost while a storage server is down shows as overflow; a hash backup recovers', async () => {
  await using test = await TestGroup.start({ logSize: 16 << 20 });
  const { group, walbc } = test;
  await test.backUp();
  await group.kill('s0');
  await using client = await group.connect();
  for (let value = 1; value <= 3; value++) {
    await client.write(1 << 20, new Uint8Array(8 << 20).fill(value));
  }
  await group.startMember('s0');
  expect(await walbc.is_overflow(test.s0, VOLUME)).toBe(true);
  await walbc.stop(test.s0, VOLUME);
  await expect(walbc.snapshot_nbk(test.s0, VOLUME)).rejects.toMatchObject({ code: 'overflow' });
  await walbc.hash_backup(test.s0, VOLUME, SOON);
  expect(await walbc.is_overflow(test.s0, VOLUME)).toBe(false);
  await test.expectArrival();
});

test('W3: with the proxy dead, log usage grows; after its restart kick_all moves it at once', async () => {
  await using test = await TestGroup.start({ storage: ['-delay', '60', '-maxdelay', '60'] });
  const { group, walbc } = test;
  await test.backUp();
  await test.expectArrival();
  await group.kill('p0');
  await using client = await group.connect();
  const before = await logUsage(test);
  await client.write(0, new Uint8Array(4 << 20).fill(7));
  await client.flush();
  await until('log usage shows the write', async () => (await logUsage(test)) >= before + 1024);
  const gid = await walbc.snapshot_nbk(test.s0, VOLUME);
  await group.startMember('p0');
  await walbc.kick_all([test.s0]);
  await walbc.wait_for_restorable(test.a0, VOLUME, gid, SOON);
  await test.expectArrival();
});

test('W4: diffs wait at the proxy for a dead archive and arrive after its restart', async () => {
  await using test = await TestGroup.start();
  const { group, walbc } = test;
  await test.backUp();
  await group.kill('a0');
  await using client = await group.connect();
  await client.write(1 << 20, new Uint8Array(1 << 20).fill(9));
  const gid = await walbc.snapshot_nbk(test.s0, VOLUME);
  const waiting = () => walbc.run_ctl(test.p0, ['get', 'proxy-diff', VOLUME, 'a0']);
  await until('a diff waits at the proxy', async () => (await waiting()).includes(`-->|${gid}|`));
  await group.kill('p0');
  await group.startMember('p0');
  await group.startMember('a0');
  await walbc.kick_all([test.p0]);
  await walbc.wait_for_restorable(test.a0, VOLUME, gid, SOON);
  await test.expectArrival();
});

test('W4: an archive that refuses for too long is flagged; a kick goes on after the repair', async () => {
  await using test = await TestGroup.start({
    proxy: ['-rto', '1', '-delay', '1', '-maxdelay', '1'],
  });
  const { walbc } = test;
  await test.backUp();
  await walbc.stop(test.a0, VOLUME);
  const gid = await walbc.snapshot_nbk(test.s0, VOLUME);
  await until('is_wdiff_send_error', () => walbc.is_wdiff_send_error(test.p0, VOLUME, test.a0));
  await walbc.start(test.a0, VOLUME);
  await walbc.kick_all([test.p0]);
  await walbc.wait_for_restorable(test.a0, VOLUME, gid, SOON);
  expect(await walbc.is_wdiff_send_error(test.p0, VOLUME, test.a0)).toBe(false);
  await test.expectArrival();
});

/** Physical blocks of the ring in use, of the first volume. */
async function logUsage({ walbc, s0 }: TestGroup): Promise<number> {
  const text = await walbc.run_ctl(s0, ['get', 'log-usage', VOLUME]);
  return Number(/usage_pb:(\d+)/.exec(text)?.[1]);
}
