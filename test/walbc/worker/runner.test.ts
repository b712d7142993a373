/** The worker against a real group: what it says it would do, and what it does (worker.md 3-5). */
import { expect, it } from 'vitest';
import { RealClock } from '../../../src/core/real-clock.ts';
import { K_ARCHIVE, K_PROXY, K_STORAGE } from '../../../src/walbc/constants.ts';
import { Controller } from '../../../src/walbc/controller/controller.ts';
import { ServerLayout } from '../../../src/walbc/layout.ts';
import { ServerConnectionParam } from '../../../src/walbc/servers.ts';
import { workerConfig } from '../../../src/walbc/worker/config.ts';
import type { ConfigTree } from '../../../src/walbc/worker/config-values.ts';
import { Worker } from '../../../src/walbc/worker/runner.ts';
import { type Group, type GroupServer, startGroup } from '../../suite/in-process-group.ts';

const VOL = 'vol';
const HOUR_MS = 3_600_000;

/** An hour ahead, so that snapshots taken now are old. */
class LaterClock extends RealClock {
  override now(): number {
    return super.now() + HOUR_MS;
  }
}

function param(name: string, server: GroupServer, kind: 0 | 1 | 2): ServerConnectionParam {
  const [host = '', port = ''] = server.address.split(':');
  return new ServerConnectionParam(name, host, Number(port), kind);
}

/** A group with a volume backed up and some snapshots taken. */
async function backedUp(group: Group) {
  const s0 = param('s0', group.storage, K_STORAGE);
  const p0 = param('p0', group.proxy, K_PROXY);
  const a0 = param('a0', group.archive, K_ARCHIVE);
  const walbc = new Controller('walbc', new ServerLayout([s0], [p0], [a0]));
  const { path, device } = await group.device('d0', 4 * 2048);
  await walbc.init_storage(s0, VOL, path);
  await walbc.full_backup(s0, VOL);
  const gids: bigint[] = [];
  for (let i = 0; i < 3; i += 1) {
    await device.submit([{ kind: 'write', offset: i * 8, data: new Uint8Array(4096).fill(i + 1) }]);
    gids.push(await walbc.snapshot(s0, VOL, [a0]));
  }
  return { walbc, a0, gids };
}

function configFor(a0: ServerConnectionParam, extra: ConfigTree = {}) {
  const { address, port } = a0;
  return workerConfig([
    {
      general: { addr: address, port, walbc_path: 'walbc' },
      apply: { keep_period: 60 },
      merge: { interval: 60 },
    },
    extra,
  ]);
}

function worker(config: ReturnType<typeof workerConfig>, dryRun: boolean, clock: RealClock) {
  const lines: string[] = [];
  const stop = new AbortController();
  const made = new Worker(config, {
    dryRun,
    verbose: 1,
    clock,
    signal: stop.signal,
    print: (line) => {
      lines.push(line);
      if (/ (endTask|errTask)/.test(line)) stop.abort();
    },
  });
  return { run: () => made.run(), lines };
}

it('says what it would do, changes nothing, then does it', async () => {
  await using group = await startGroup();
  const { walbc, a0, gids } = await backedUp(group);
  const before = String(await walbc.get_base(a0, VOL));

  const dry = worker(configFor(a0), true, new LaterClock());
  expect(await dry.run()).toBe(0);
  expect(dry.lines.join('\n')).toMatch(
    /would name=apply vol=vol ax=a0 gid=\d+\n {2}because snapshots/,
  );
  expect(String(await walbc.get_base(a0, VOL))).toBe(before);

  const real = worker(configFor(a0), false, new LaterClock());
  expect(await real.run()).toBe(0);
  expect(real.lines.some((line) => / INFO endTask:name=apply/.test(line))).toBe(true);
  const base = await walbc.get_base(a0, VOL);
  expect(base.B.gidB).toBe(gids.at(-1));
  walbc.close();
});

it('does nothing while everything is young', async () => {
  await using group = await startGroup();
  const { walbc, a0 } = await backedUp(group);
  const dry = worker(configFor(a0), true, new RealClock());
  expect(await dry.run()).toBe(0);
  expect(dry.lines).toEqual(['nothing to do']);
  walbc.close();
});

it('names a destination it can not reach, and goes on', async () => {
  await using group = await startGroup();
  const { walbc, a0 } = await backedUp(group);
  const servers = { a1: { addr: '127.0.0.1', port: 1, interval: 1 } };
  const dry = worker(configFor(a0, { repl: { servers } }), true, new LaterClock());
  expect(await dry.run()).toBe(0);
  expect(dry.lines[0]).toMatch(/ WARN destination can not be reached:a1:127.0.0.1:1$/);
  expect(dry.lines[1]).toContain('would name=apply');
  walbc.close();
});
