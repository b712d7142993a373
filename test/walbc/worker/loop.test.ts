/** The worker's loop against a real group: starts, ends, failures, limits (worker.md 1, 3, 5). */
import { expect, it } from 'vitest';
import { type Millis, type Network, WalbError } from '../../../src/core/index.ts';
import { RealClock } from '../../../src/core/real-clock.ts';
import { ArchiveRpc } from '../../../src/rpc/index.ts';
import { K_ARCHIVE, K_STORAGE } from '../../../src/walbc/constants.ts';
import { Controller } from '../../../src/walbc/controller/controller.ts';
import { ServerLayout } from '../../../src/walbc/layout.ts';
import { ServerConnectionParam } from '../../../src/walbc/servers.ts';
import { workerConfig } from '../../../src/walbc/worker/config.ts';
import { Worker, type WorkerOptions } from '../../../src/walbc/worker/runner.ts';
import { type Group, type GroupServer, startGroup } from '../../suite/in-process-group.ts';

const VOL = 'vol';

/** An hour ahead, and it does not sleep, but knows for how long it would have. */
class ImpatientClock extends RealClock {
  readonly slept: Millis[] = [];
  override now(): number {
    return super.now() + 3_600_000;
  }
  override async sleep(ms: Millis, signal?: AbortSignal): Promise<void> {
    this.slept.push(ms);
    await super.sleep(Math.min(ms, 20), signal);
  }
}

interface Run {
  readonly code: number;
  readonly lines: readonly string[];
  readonly slept: readonly Millis[];
}

/** Runs a worker until it ends, or until a line matches `until`. */
async function runWorker(
  port: number,
  options: Partial<WorkerOptions>,
  until?: RegExp,
  general: object = {},
): Promise<Run> {
  const lines: string[] = [];
  const stop = new AbortController();
  const clock = new ImpatientClock();
  const config = workerConfig([
    {
      general: { addr: '127.0.0.1', port, kick_interval: 7, ...general },
      apply: { keep_period: 60, interval: 0 },
      merge: { interval: 60 },
    },
  ]);
  const worker = new Worker(config, {
    dryRun: false,
    verbose: 1,
    clock,
    signal: stop.signal,
    print: (line) => {
      lines.push(line);
      if (until?.test(line)) stop.abort();
    },
    ...options,
  });
  return { code: await worker.run(), lines, slept: clock.slept };
}

async function withOldSnapshots(
  group: Group,
): Promise<{ port: number; walbc: Controller; a0: ServerConnectionParam }> {
  const param = (name: string, { address }: GroupServer, kind: 0 | 1 | 2) => {
    const [host = '', port = ''] = address.split(':');
    return new ServerConnectionParam(name, host, Number(port), kind);
  };
  const s0 = param('s0', group.storage, K_STORAGE);
  const a0 = param('a0', group.archive, K_ARCHIVE);
  const walbc = new Controller(
    'walbc',
    new ServerLayout([s0], [param('p0', group.proxy, 1)], [a0]),
  );
  const { path } = await group.device('d0', 4 * 2048);
  await walbc.init_storage(s0, VOL, path);
  await walbc.full_backup(s0, VOL);
  for (let i = 0; i < 3; i += 1) await walbc.snapshot(s0, VOL, [a0]);
  return { port: a0.port, walbc, a0 };
}

it('ends with exit code 1 after three failed rounds, 10 s apart', async () => {
  const { code, lines, slept } = await runWorker(1, {});
  expect(code).toBe(1);
  expect(slept).toEqual([10_000, 10_000]);
  expect(lines.filter((line) => / ERROR round failed:/.test(line))).toHaveLength(3);
  expect(lines.at(-1)).toMatch(/ ERROR end walb-worker:3 rounds in a row failed$/);
});

it('prints what it was started with, then selects without starting anything (-no)', async () => {
  await using group = await startGroup();
  const { port, walbc, a0 } = await withOldSnapshots(group);
  const before = String(await walbc.get_base(a0, VOL));
  const announce = ['walb worker -no', '>>>', 'general: {}', '<<<'];
  const selected =
    / DEBUG selected:step 2 apply old snapshots:name=apply vol=vol ax=a0 gid=\d+:snapshots up to/;
  const { code, lines, slept } = await runWorker(port, { selectOnly: true, announce }, selected);
  expect(code).toBe(0);
  expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} INFO start walb-worker$/);
  expect(lines.slice(1, 5)).toEqual(announce);
  expect(slept).toEqual([7000]);
  expect(lines.join('\n')).not.toContain('startTask');
  expect(String(await walbc.get_base(a0, VOL))).toBe(before);
  walbc.close();
});

it('finishes the task it has begun when it is told to end', async () => {
  await using group = await startGroup();
  const { port, walbc, a0 } = await withOldSnapshots(group);
  const { code, lines } = await runWorker(port, {}, / INFO startTask:name=apply/);
  expect(code).toBe(0);
  expect(lines.findIndex((line) => / INFO endTask:name=apply/.test(line))).toBeGreaterThan(0);
  expect(lines.at(-1)).toMatch(/ INFO end walb-worker$/);
  const restorable = await walbc.get_restorable_gid(a0, VOL);
  expect((await walbc.get_base(a0, VOL)).B.gidB).toBe(restorable.at(-1));
  walbc.close();
});

it('starts nothing with max_task 0, and runs only the step it is told to', async () => {
  await using group = await startGroup();
  const { port, walbc } = await withOldSnapshots(group);
  const none = await runWorker(port, {}, / DEBUG selected/, { max_task: 0 });
  expect(none.lines.join('\n')).not.toContain('startTask');
  const merges = await runWorker(port, { step: 5 }, / DEBUG (selected|no task)/);
  expect(merges.lines.join('\n')).not.toContain('name=apply');
  walbc.close();
});

it('ends when its lifetime is over; -vv shows what it chose from', async () => {
  await using group = await startGroup();
  const { port, walbc } = await withOldSnapshots(group);
  const { code, lines } = await runWorker(port, { lifetime: 1, verbose: 2, step: 4 });
  expect(code).toBe(0);
  expect(lines.join('\n')).toMatch(
    / DEBUG volume:vol=vol numDiff=\d+ restorable=\d+ latest=\d+ doNotMerge=\n/,
  );
  expect(lines.join('\n')).toMatch(/ DEBUG selection took \d+\.\d{3} s/);
  walbc.close();
});

it('logs a task that fails, and chooses it again', async () => {
  await using group = await startGroup();
  const { port, walbc } = await withOldSnapshots(group);
  const lines: string[] = [];
  const stop = new AbortController();
  const { code } = await runWorker(port, {
    signal: stop.signal,
    environment: { network: refusingFirst(group.env.network, ArchiveRpc.apply.path) },
    print: (line) => {
      lines.push(line);
      if (/ endTask:/.test(line)) stop.abort();
    },
  });
  expect(code).toBe(0);
  const tasks = lines.map((line) => / (?:INFO|ERROR) (\w+Task):name=apply/.exec(line)?.[1]);
  const order = tasks.filter((name) => name !== undefined);
  expect(order).toEqual(['startTask', 'errTask', 'startTask', 'endTask']);
  expect(lines.find((line) => line.includes('errTask'))).toMatch(/gid=\d+:.*too busy for a test/);
  walbc.close();
});

/** A network on which the first call of one method is refused. */
function refusingFirst(network: Network, path: string): Network {
  let isRefused = false;
  return {
    listen: (...args) => network.listen(...args),
    connect: (...args) => {
      const channel = network.connect(...args);
      return {
        address: channel.address,
        unary: async (method, request, options) => {
          if (method.path === path && !isRefused) {
            isRefused = true;
            throw new WalbError('limit-exceeded', 'too busy for a test');
          }
          return await channel.unary(method, request, options);
        },
        serverStream: (method, request, options) => channel.serverStream(method, request, options),
        bidi: (method, options) => channel.bidi(method, options),
        close: () => channel.close(),
      };
    },
  };
}
