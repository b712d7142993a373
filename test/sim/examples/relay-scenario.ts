/**
 * Two processes and a bad link: a source delivers numbered messages to a sink, which stores each in an
 * AppendLog. Connections break, hosts part, processes die, power fails. In the end every message is
 * stored exactly once.
 */
import { Mutex } from '../../../src/core/async-lock.ts';
import type { Env } from '../../../src/core/env.ts';
import { hasCode, WalbError } from '../../../src/core/errors.ts';
import type { Method } from '../../../src/core/network.ts';
import { handle } from '../../../src/rpc/service.ts';
import type { Scenario } from '../explore.ts';
import type { ProcessMain, SimProcess } from '../sim-process.ts';
import type { SimWorld } from '../world.ts';
import { AppendLog } from './append-log.ts';

export type RelayFlaw =
  /** Stores a message again when its answer was lost and it comes a second time. */
  | 'no-deduplication'
  /** Answers before the message is durable. */
  | 'answers-early';

const MESSAGES = 30;
const DISTURBANCES = 12;
/** Longer than any run; the sink is killed in the end. */
const LIFETIME = 3_600_000;
const ADDRESS = 'sink:1';

/** Asks the sink to store message `request`; answers the number of the last one stored. */
const store: Method<number, number, 'unary'> = {
  path: '/example.Relay/Store',
  kind: 'unary',
  request: numberCodec(),
  response: numberCodec(),
};

function numberCodec() {
  return {
    encode: (value: number) => Uint8Array.of(value & 0xff, value >> 8),
    decode: (bytes: Uint8Array) => bytes[0]! | (bytes[1]! << 8),
  };
}

export function relayScenario(flaw?: RelayFlaw): Scenario {
  const name = flaw === undefined ? 'relay' : `relay-${flaw}`;
  const about =
    flaw === undefined ? 'example: exactly-once delivery' : `canary: ${flaw} at the sink`;
  return { name, about, run: (world) => disturb(world, flaw) };
}

function sinkMain(flaw: RelayFlaw | undefined): ProcessMain {
  return async (env, signal) => {
    const log = await AppendLog.open(env);
    const turn = new Mutex('append');
    const accept = async (number: number) => {
      if (flaw === 'answers-early' && number === log.last + 1) {
        void log.append();
        return number;
      }
      if (number > log.last || (flaw === 'no-deduplication' && number > 0)) await log.append();
      return flaw === 'no-deduplication' ? number : log.last;
    };
    const serve = (number: number) => turn.run(() => accept(number));
    await env.network.listen(ADDRESS, [handle(store, serve)]);
    await env.clock.sleep(LIFETIME, signal);
  };
}

async function source(env: Env): Promise<void> {
  const channel = env.network.connect(ADDRESS, { clientId: 'source' });
  let stored = await deliver(env, () => channel.unary(store, 0, { timeout: 1000 }));
  while (stored < MESSAGES) {
    const next = stored + 1;
    stored = await deliver(env, () => channel.unary(store, next, { timeout: 1000 }));
  }
}

async function deliver(env: Env, call: () => Promise<number>): Promise<number> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!hasCode(error, 'unavailable', 'timeout')) throw error;
      await env.clock.sleep(env.random.u32() % 20);
    }
  }
}

async function disturb(world: SimWorld, flaw: RelayFlaw | undefined): Promise<void> {
  const [near, far] = [world.host('near'), world.host('far')];
  far.disk.makeDirectory('/data/log');
  far.disk.settle();
  world.links.setFaults({ latency: [0.1, 5], loss: 0.03, notice: [0, 50] });
  const group: Record<'source' | 'sink', SimProcess> = {
    source: world.spawn('source', near, source),
    sink: world.spawn('sink', far, sinkMain(flaw)),
  };
  const disturbances = [
    () => world.links.disconnect(near, far),
    () => world.links.partition(near, far),
    () => world.links.heal(near, far),
    () => world.kill(group.source),
    () => world.kill(group.sink),
    () => world.powerCut(far),
  ];
  for (let i = 0; i < DISTURBANCES; i++) {
    await world.sleep(world.random.between(0, 60));
    world.random.pick(disturbances)();
    if (!group.sink.alive) group.sink = world.restart(group.sink);
    if (!group.source.alive) group.source = world.restart(group.source);
  }
  world.links.heal(near, far);
  await group.source.exit;
  world.powerCut(far);
  await world.spawn('check', far, checkStored).exit;
}

async function checkStored(env: Env): Promise<void> {
  const { last } = await AppendLog.open(env);
  if (last === MESSAGES) return;
  throw new WalbError('corrupt', `${MESSAGES} messages were delivered, but ${last} are stored`);
}
