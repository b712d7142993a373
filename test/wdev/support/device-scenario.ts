/**
 * A volume device in the simulated world: killed and cut off from power at any call it makes, on disks
 * whose syncs fail now and then. Nothing acknowledged is lost by a kill, nothing flushed by a power
 * cut, and what is left is always a state the volume had.
 */
import { type Env, hasCode, LB_SIZE } from '../../../src/core/index.ts';
import { appendLimits } from '../../../src/wdev/engine/log-appender.ts';
import { formatDevice, openDevice, type WalbDevice } from '../../../src/wdev/index.ts';
import type { Scenario } from '../../sim/explore.ts';
import type { SimProcess } from '../../sim/sim-process.ts';
import type { SimWorld } from '../../sim/world.ts';
import { randomRequest, VolumeModel } from './volume-model.ts';

const CRASHES = 6;
/** Env calls within which a crash comes. */
const CALLS_TO_CRASH = 400;
const FILES = { log: '/vol/log', data: '/vol/data' };
const PENDING = 64 * 1024;
const SIZE_LB = 400;

type Loss = 'nothing acknowledged' | 'nothing flushed';

/** What the workload did, as it outlives the processes. */
interface Story {
  readonly model: VolumeModel;
  readonly pbs: number;
  readonly ringPb: number;
  /** Requests after the last flush that were acknowledged; later ones were under way. */
  acknowledged: number;
  allowed: Loss;
}

export const deviceScenario: Scenario = {
  name: 'volume-device',
  about: 'a volume device that is killed and loses power at any moment',
  run: crashRepeatedly,
};

async function crashRepeatedly(world: SimWorld): Promise<void> {
  const host = world.host('storage');
  host.disk.makeDirectory('/vol');
  host.disk.settle();
  const pbs = world.random.pick([512, 4096]);
  const ringPb = world.random.between(80, 300);
  const story: Story = {
    model: new VolumeModel(SIZE_LB),
    pbs,
    ringPb,
    acknowledged: 0,
    allowed: 'nothing acknowledged',
  };
  const logBytes = (ringPb + 4096 / pbs + 2) * pbs;
  const format = world.spawn('format', host, (env) =>
    formatDevice(env, { ...FILES, name: 'v', sizeLb: SIZE_LB, pbs, logBytes }),
  );
  await format.exit;
  host.disk.faults.add({ operation: 'sync', code: 'EIO', probability: 0.005 });
  let process = world.spawn('device', host, (env, signal) => work(env, signal, story), {
    mayFail: true,
  });
  for (let crash = 0; crash < CRASHES; crash++) {
    await crashOnce(world, process, story);
    process = world.restart(process, { mayFail: true });
  }
  host.disk.faults.clear();
  await world.sleep(300);
  process.kill();
  process = world.restart(process);
  await world.sleep(300);
  process.stop();
  await process.exit;
}

async function crashOnce(world: SimWorld, process: SimProcess, story: Story): Promise<void> {
  const [loss, crash] = world.random.pick<[Loss, () => void]>([
    ['nothing flushed', () => world.powerCut(process.host)],
    ['nothing acknowledged', () => world.kill(process)],
  ]);
  if (world.random.chance(0.7)) {
    process.crashAt(world.random.between(1, CALLS_TO_CRASH), () => happen(story, loss, crash));
  } else world.schedule(world.random.between(0, 300_000), () => happen(story, loss, crash));
  const exit = await process.exit;
  if (exit.kind !== 'failed') return;
  // A disk that failed a sync may have dropped what was not synced.
  story.allowed = 'nothing flushed';
  if (!hasCode(exit.error, 'io')) throw exit.error;
}

/** What one crash may lose stays lost, also when the next one comes before anybody looked. */
function happen(story: Story, loss: Loss, crash: () => void): void {
  if (loss === 'nothing flushed') story.allowed = loss;
  crash();
}

async function work(env: Env, signal: AbortSignal, story: Story): Promise<void> {
  const device = await openDevice(env, { ...FILES, pendingBytes: PENDING });
  check(device, story);
  const pick = (below: number) => env.random.u32() % below;
  while (!signal.aborted) {
    const choice = pick(20);
    if (choice < 12) await write(device, story, pick);
    else if (choice < 15) await flush(device, story);
    else if (choice < 16) await device.takeCheckpoint();
    else if (choice < 17) await erase(device);
    else if (choice < 18 && pick(8) === 0) await device.resetLog();
    else if (choice < 18) await ship(device);
    else await env.clock.sleep(pick(40), signal).catch(() => {});
  }
  await device.close();
}

/** After a start the content is a state that the crash allows. */
function check(device: WalbDevice, story: Story): void {
  const actual = new Uint8Array(SIZE_LB * LB_SIZE);
  device.read(0, actual);
  const { pbs, ringPb } = story;
  const { maxIoLb } = appendLimits({ pbs, ringPb, ringOffsetPb: 0 }, PENDING);
  const least = story.allowed === 'nothing flushed' ? 0 : story.acknowledged;
  if (story.model.crashedTo(actual, maxIoLb, least) === undefined) {
    throw new Error(`the volume is in no state it may be in: may lose ${story.allowed}`);
  }
  story.acknowledged = 0;
  story.allowed = 'nothing acknowledged';
}

async function write(
  device: WalbDevice,
  story: Story,
  pick: (below: number) => number,
): Promise<void> {
  const requests = Array.from({ length: 1 + pick(8) }, () => randomRequest(pick, SIZE_LB, 100));
  story.model.apply(requests);
  await device.submit(requests);
  story.acknowledged = story.model.unsafe;
}

async function flush(device: WalbDevice, story: Story): Promise<void> {
  const count = story.model.unsafe;
  await device.flush();
  story.model.flushed(count);
  story.acknowledged = story.model.unsafe;
}

async function erase(device: WalbDevice): Promise<void> {
  if (await device.isOverflow()) return;
  await device.setOldestLsid((await device.lsids()).prevWritten);
}

/** As the storage server does: everything permanent is read, then erased. A checkpoint may come between. */
async function ship(device: WalbDevice): Promise<void> {
  if (await device.isOverflow()) return;
  const { oldest, prevWritten, permanent } = await device.lsids();
  let next = oldest;
  for await (const pack of device.readLog(oldest)) {
    if (pack.lsid !== next) throw new Error(`the log has a gap at ${next}: ${pack.lsid} follows`);
    next += 1n + BigInt(pack.data.length / pack.header.length);
  }
  if (next < permanent) throw new Error(`the log ends at ${next}, permanent is ${permanent}`);
  await device.setOldestLsid(prevWritten);
}
