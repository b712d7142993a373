/**
 * A library in Python that runs `walbc` and reads what it prints, as the original's does, works with
 * these servers: its flows from the first backup to the last `clear` (controller-api.md).
 */
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ServerParam } from '../../../src/walbc/index.ts';
import { describeWith } from '../../support/tools.ts';
import { walbc } from '../../support/walbc.ts';
import { Cluster, SIZE, VOLUME } from '../scenarios/support/cluster.ts';
import { ROOT } from '../support.ts';

const LIBRARY = fileURLToPath(new URL('library.py', import.meta.url));
const RELAY = fileURLToPath(new URL('relay.py', import.meta.url));
const MIB = 2 ** 20;

let cluster: Cluster;
let relay: Server;

function serverOf(kind: string): (server: ServerParam) => object {
  return ({ name, address, port }) => ({ name, address, port, kind });
}

/** Runs words as the program `walbc` does, for relay.py. */
function startRelay(path: string): Server {
  const server = createServer((socket) => {
    createInterface({ input: socket }).once('line', async (line) => {
      socket.end(`${JSON.stringify(await walbc(...(JSON.parse(line) as string[])))}\n`);
    });
  });
  return server.listen(path);
}

const socketPath = (): string => join(cluster.folder, 'relay.sock');

/** Runs one step of the library, in a process of its own each time, as scripts do. */
async function library(program: string, step: string, ...args: string[]): Promise<unknown> {
  const { storageL, proxyL, archiveL } = cluster.walbc.sLayout;
  const servers = {
    storage: storageL.map(serverOf('storage')),
    proxy: proxyL.map(serverOf('proxy')),
    archive: archiveL.map(serverOf('archive')),
  };
  const layout = join(cluster.folder, `${step}-${args[0] ?? ''}.json`);
  const settings = { walbc: program, servers, volume: VOLUME, debug: true };
  writeFileSync(layout, JSON.stringify(settings));
  const { stdout } = await execa('python3', [LIBRARY, layout, step, ...args], {
    stdin: 'ignore',
    timeout: 110_000,
    env: { PYTHONDONTWRITEBYTECODE: '1', WALBC_RELAY: socketPath() },
  });
  return JSON.parse(stdout);
}

const WALBC = join(ROOT, 'bin/walbc');

describeWith(['python3'], 'a library that runs walbc', () => {
  beforeAll(async () => {
    cluster = await Cluster.start({
      storages: 2,
      archives: 2,
      storage: ['-allow-exec', '/bin/echo', '-snapintvl', '3600'],
    });
    relay = startRelay(socketPath());
  });

  afterAll(async () => {
    relay?.close();
    await cluster?.[Symbol.asyncDispose]();
  });

  test('init_storage (with the program itself), full_backup', async () => {
    await Promise.all(
      ['s0', 's1'].map((name) => library(WALBC, 'init', name, cluster.disk(name).path)),
    );
    await cluster.disk('s0').write(4096);
    expect(await library(RELAY, 'full_backup')).toBeGreaterThan(0);
  });

  test('snapshot, restore, del_restored, disable_snapshot, merge, apply, gc_diff', async () => {
    await cluster.disk('s0').write(4096);
    const { gids, restored, explicit } = (await library(RELAY, 'snapshots')) as Record<
      string,
      number[]
    >;
    const [first = 0, second, third] = gids as number[];
    expect([second, third]).toEqual([first + 1, first + 2]);
    expect(restored).toEqual([first]);
    // Those that were disabled are listed no more; implicit ones come and go.
    expect(explicit).toContain(third);
    expect(explicit).not.toContain(first);
    expect(explicit).not.toContain(second);
  });

  test('replicate_once, synchronize, snapshot at both archives', async () => {
    const [replicated, synchronized, taken] = (await library(RELAY, 'synchronize')) as number[];
    expect(replicated).toBe(synchronized);
    expect(taken).toBe((replicated as number) + 1);
  });

  test('every getter reads what it expects', async () => {
    expect(await library(RELAY, 'information')).toMatchObject({
      kinds: ['storage', 'storage', 'proxy', 'archive', 'archive'],
      states: ['Target', 'Standby', 'Started', 'Archived', 'Archived'],
      volumes: Array.from({ length: 5 }, () => [VOLUME]),
      size_mb: SIZE / MIB,
      progress: 0,
      num_diff: true,
      total_size: true,
      chain: true,
      actions: ['Apply', 'Merge', 'ReplSyncAsClient', 'Resize', 'Restore'],
      overflow: '0',
      send_error: '0',
      uuids: true,
      archive_uuids: true,
      all: true,
      cold: [],
      meta_snap: true,
      applying: true,
      latest: true,
      hashes: true,
      info: [['zstd', 3, 1], 0],
      status: ['hostType storage', `volId ${VOLUME}`, 'state Target'],
      exec: 'a b',
    });
  });

  test('resize everywhere', async () => {
    expect(await library(RELAY, 'resize', '16')).toBeNull();
    expect(await cluster.walbc.get_vol_size_lb(cluster.a1, VOLUME)).toBe((16 * MIB) / 512);
  });

  test('go_standby, and hash_backup from the other storage', async () => {
    expect(await library(RELAY, 'exchange')).toMatchObject({
      gid: expect.any(Number),
      refused: true,
      states: ['Standby', 'Target'],
    });
    const gid = (await cluster.walbc.get_restorable_gid(cluster.a0, VOLUME)).at(-1) as bigint;
    expect(await cluster.restoredHash(cluster.a0, gid)).toBe(await cluster.disk('s1').hash());
  });

  test('clear everywhere, then shutdown', async () => {
    expect(await library(RELAY, 'clear')).toEqual(Array.from({ length: 5 }, () => 'Clear'));
  });
});
