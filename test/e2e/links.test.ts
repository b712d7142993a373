/** scenarios.md e9, e11, e12: the network between servers fails in the middle of work. */
import { expect, test } from 'vitest';
import { FaultProxy } from './fault-proxy.ts';
import { randomBytes, SOON, TestGroup, until, VOLUME } from './support.ts';

test('e9: the link from storage to proxy is cut; after the repair a snapshot arrives', async () => {
  const links: FaultProxy[] = [];
  await using test = await TestGroup.start({
    storage: ['-delay', '1', '-maxdelay', '1'],
    link: async (name, address) => (name === 'p0' ? await linkTo(links, address) : address),
  });
  const { walbc, group } = test;
  await using link = links[0] as FaultProxy;
  await test.backUp();
  link.cut();
  await using client = await group.connect();
  await client.write(0, new Uint8Array(1 << 20).fill(1));
  const gid = await walbc.snapshot_nbk(test.s0, VOLUME);
  await until('the failure is in the status', async () =>
    /last error.*no available proxy/.test(await test.status(test.s0)),
  );
  expect(await walbc.get_restorable_gid(test.a0, VOLUME)).not.toContain(gid);
  link.mend();
  await walbc.kick_all([test.s0]);
  await walbc.wait_for_restorable(test.a0, VOLUME, gid, SOON);
  await test.expectArrival();
});

test('e11: the link from proxy to archive is cut in the middle of a diff; it arrives whole', async () => {
  const links: FaultProxy[] = [];
  await using test = await TestGroup.start({
    link: async (name, address) => (name === 'a0' ? await linkTo(links, address) : address),
  });
  const { walbc, group } = test;
  await using link = links[0] as FaultProxy;
  await test.backUp();
  await using client = await group.connect();
  await client.write(0, randomBytes(8 << 20));
  const cut = link.afterBytes(1 << 20).then(() => link.cut());
  const gid = await walbc.snapshot_nbk(test.s0, VOLUME);
  await cut;
  link.mend();
  await walbc.kick_all([test.p0]);
  await walbc.wait_for_restorable(test.a0, VOLUME, gid, SOON);
  await test.expectArrival();
});

test('e12: the link is cut during a full backup; both ends return to SyncReady, the next one succeeds', async () => {
  const links: FaultProxy[] = [];
  await using test = await TestGroup.start({
    link: async (name, address) => (name === 'a0' ? await linkTo(links, address) : address),
  });
  const { walbc, group } = test;
  await using link = links[0] as FaultProxy;
  {
    await using client = await group.connect();
    await client.write(0, randomBytes(16 << 20));
  }
  await walbc.init_storage(test.s0, VOLUME, group.devicePath);
  const backup = walbc.full_backup(test.s0, VOLUME, SOON);
  backup.catch(() => {});
  await link.afterBytes(6 << 20);
  link.cut();
  await expect(backup).rejects.toMatchObject({ code: 'unavailable' });
  link.mend();
  for (const server of [test.s0, test.a0]) {
    await until(`${server.name} is SyncReady`, async () => {
      return (await walbc.get_state(server, VOLUME)) === 'SyncReady';
    });
  }
  await walbc.full_backup(test.s0, VOLUME, SOON);
  await test.expectArrival();
});

async function linkTo(links: FaultProxy[], address: string): Promise<string> {
  const link = await FaultProxy.to(address);
  links.push(link);
  return link.address;
}
