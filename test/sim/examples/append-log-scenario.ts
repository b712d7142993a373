/** An AppendLog that is killed, loses power and meets failing syncs; no acknowledged record is lost. */
import type { Env } from '../../../src/core/env.ts';
import { hasCode } from '../../../src/core/errors.ts';
import type { Scenario } from '../explore.ts';
import type { SimProcess } from '../sim-process.ts';
import type { SimWorld } from '../world.ts';
import { AppendLog, type Flaw } from './append-log.ts';

/** Crashes per world, and Env calls within which each of them comes. */
const CRASHES = 8;
const CALLS_TO_CRASH = 60;

export function appendLogScenario(flaw?: Flaw): Scenario {
  const name = flaw === undefined ? 'append-log' : `append-log-${flaw}`;
  const about = flaw === undefined ? 'example: a durable log' : `canary: a log flawed by ${flaw}`;
  return { name, about, run: (world) => crashRepeatedly(world, flaw) };
}

async function crashRepeatedly(world: SimWorld, flaw: Flaw | undefined): Promise<void> {
  const host = world.host('host');
  host.disk.makeDirectory('/data/log');
  host.disk.settle();
  host.disk.faults.add({ operation: 'sync', code: 'EIO', probability: 0.02 });
  let acknowledged = 0;
  const main = async (env: Env, signal: AbortSignal) => {
    const log = await AppendLog.open(env, flaw);
    if (log.last < acknowledged) {
      throw new Error(`record ${acknowledged} was acknowledged, but only ${log.last} are left`);
    }
    while (!signal.aborted) {
      acknowledged = await log.append();
      await env.clock.sleep(env.random.u32() % 20, signal);
    }
  };
  let process = world.spawn('log', host, main, { mayFail: true });
  for (let crash = 0; crash < CRASHES; crash++) {
    await crashOnce(world, process);
    process = world.restart(process, { mayFail: true });
  }
  host.disk.faults.clear();
  await world.sleep(1000);
  process.kill();
  world.powerCut(host);
  process = world.restart(process);
  await world.sleep(1000);
}

/** Ends the process in one of the ways it can end; anything but a disk error is a finding. */
async function crashOnce(world: SimWorld, process: SimProcess): Promise<void> {
  const crash = world.random.pick([() => world.powerCut(process.host), () => world.kill(process)]);
  if (world.random.chance(0.5)) process.crashAt(world.random.between(1, CALLS_TO_CRASH), crash);
  else world.schedule(world.random.between(0, 400_000), crash);
  const exit = await process.exit;
  if (exit.kind === 'failed' && !hasCode(exit.error, 'io')) throw exit.error;
}
