/** The rules of the simulated world: its time, its deaths, its links, and that it is repeatable. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Env } from '../../src/core/env.ts';
import { hasCode, WalbError } from '../../src/core/errors.ts';
import type { Method } from '../../src/core/network.ts';
import { handle } from '../../src/rpc/service.ts';
import { appendLogScenario } from './examples/append-log-scenario.ts';
import { runSeed } from './explore.ts';
import { SimWorld } from './world.ts';

const world = (seed = '1') => new SimWorld({ seed });

describe('time', () => {
  it('jumps: a day of sleep takes no time, and clocks of a host can be set', async () => {
    const w = world();
    await w.run(async () => {
      const host = w.host('h');
      const seen: number[] = [];
      const process = w.spawn('p', host, async ({ clock }) => {
        const [wall, monotonic] = [clock.now(), clock.monotonic()];
        await clock.sleep(86_400_000);
        host.setClock(-5000);
        seen.push(clock.now() - wall, clock.monotonic() - monotonic);
      });
      expect(await process.exit).toEqual({ kind: 'ended' });
      expect(seen).toEqual([86_395_000, 86_400_000]);
    });
  });

  it('runs timers in order, drops cancelled ones, and goes on at each yield', async () => {
    const w = world();
    const seen: string[] = [];
    await w.run(async () => {
      const main = async ({ clock }: Env) => {
        clock.after(20, () => seen.push('20'));
        clock.after(10, () => seen.push('10'));
        clock.after(15, () => seen.push('never'))();
        for (let i = 0; i < 1000; i++) await clock.yield();
        expect(clock.monotonic()).toBeGreaterThan(0);
        await clock.sleep(30);
      };
      await w.spawn('p', w.host('h'), main).exit;
    });
    expect(seen).toEqual(['10', '20']);
  });

  it('interrupts a sleep', async () => {
    const w = world();
    await w.run(async () => {
      const process = w.spawn('p', w.host('h'), async ({ clock }, signal) => {
        await expect(clock.sleep(60_000, signal)).rejects.toSatisfy((e) => hasCode(e, 'cancelled'));
        await expect(clock.sleep(1, signal)).rejects.toSatisfy((e) => hasCode(e, 'cancelled'));
        expect(clock.monotonic()).toBe(100);
      });
      await w.sleep(100);
      process.stop();
      expect(await process.exit).toEqual({ kind: 'ended' });
    });
  });

  it('orders what happens at the same moment by the seed', async () => {
    const orders = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const w = world(String(seed));
      const order: number[] = [];
      await w.run(async () => {
        const main = (id: number) => async (env: Env) => {
          await env.clock.sleep(10);
          order.push(id);
        };
        const processes = [1, 2, 3].map((id) => w.spawn(`p${id}`, w.host('h'), main(id)));
        await Promise.all(processes.map((process) => process.exit));
      });
      orders.add(order.join());
    }
    expect(orders.size).toBe(6);
  });
});

describe('death', () => {
  it('ends a process at an await: nothing after it runs, not even finally', async () => {
    const w = world();
    let ran = '';
    await w.run(async () => {
      const process = w.spawn('p', w.host('h'), async ({ clock }, signal) => {
        signal.addEventListener('abort', () => (ran += 'abort '));
        clock.after(150, () => (ran += 'timer '));
        try {
          await clock.sleep(200);
          ran += 'after ';
        } finally {
          ran += 'finally ';
        }
      });
      await w.sleep(100);
      w.kill(process);
      expect(await process.exit).toEqual({ kind: 'killed' });
      await w.sleep(1000);
    });
    expect(ran).toBe('');
  });

  it('between two synchronous calls lets nothing more reach the disk', async () => {
    const w = world();
    await w.run(async () => {
      const host = w.host('h');
      const process = w.spawn('p', host, async ({ files }) => {
        try {
          files.makeDirectory('/a');
          files.makeDirectory('/b');
        } finally {
          files.makeDirectory('/c');
        }
      });
      process.crashAt(2, () => w.kill(process));
      expect(await process.exit).toEqual({ kind: 'killed' });
      expect([...host.disk.needDirectory('/').names.keys()]).toEqual(['a']);
    });
  });

  it('keeps the page cache when killed, loses it with the power', async () => {
    const kept = { killed: 0, powerCut: 0 };
    for (let seed = 0; seed < 20; seed++) {
      for (const how of ['killed', 'powerCut'] as const) {
        const w = world(String(seed));
        await w.run(async () => {
          const host = w.host('h');
          const process = w.spawn('p', host, async ({ files, clock }) => {
            files.open('/f', 'create').write(Buffer.from('data'), 0);
            await clock.sleep(1000);
          });
          await w.sleep(10);
          if (how === 'killed') w.kill(process);
          else w.powerCut(host);
          if (host.disk.find('/f') !== undefined) kept[how]++;
        });
      }
    }
    expect(kept.killed).toBe(20);
    expect(kept.powerCut).toBeGreaterThan(0);
    expect(kept.powerCut).toBeLessThan(20);
  });

  it('releases locks, and a second process of the name starts only then', async () => {
    const w = world();
    await w.run(async () => {
      const main = async ({ files, clock }: Env) => {
        files.lock('/lock');
        await clock.sleep(1000);
      };
      const process = w.spawn('p', w.host('h'), main);
      await w.sleep(10);
      expect(() => w.restart(process)).toThrow(/runs already/);
      const other = w.spawn('q', w.host('h'), main, { mayFail: true });
      expect(await other.exit).toMatchObject({ kind: 'failed', error: { code: 'busy' } });
      w.kill(process);
      expect(await w.restart(process).exit).toEqual({ kind: 'ended' });
    });
  });
});

describe('links', () => {
  const json = {
    encode: (value: unknown) => Buffer.from(JSON.stringify(value)),
    decode: (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString()),
  };
  const ask: Method<unknown, unknown, 'unary'> = {
    path: '/test.Echo/Ask',
    kind: 'unary',
    request: json,
    response: json,
  };

  const echo = async (env: Env, signal: AbortSignal) => {
    await env.network.listen('echo:1', [handle(ask, async (request) => ({ request }))]);
    await env.clock.sleep(1_000_000, signal);
  };

  const call = (env: Env, request: unknown) =>
    env.network.connect('echo:1', { clientId: 'client' }).unary(ask, request);

  it('carry calls in virtual time', async () => {
    const w = world();
    await w.run(async () => {
      w.spawn('echo', w.host('a'), echo);
      w.links.setFaults({ latency: [10, 20] });
      const client = w.spawn('client', w.host('b'), async (env) => {
        await env.clock.sleep(1);
        expect(await call(env, 'hello')).toEqual({ request: 'hello' });
        expect(env.clock.monotonic()).toBeGreaterThanOrEqual(21);
        expect(env.clock.monotonic()).toBeLessThan(500);
      });
      expect(await client.exit).toEqual({ kind: 'ended' });
    });
  });

  it('fail while hosts are apart and work again after', async () => {
    const w = world();
    await w.run(async () => {
      const [a, b] = [w.host('a'), w.host('b')];
      w.spawn('echo', a, echo);
      const client = w.spawn('client', b, async (env) => {
        await env.clock.sleep(10);
        await expect(call(env, 1)).rejects.toSatisfy((e) => hasCode(e, 'unavailable'));
        await env.clock.sleep(1000);
        expect(await call(env, 2)).toEqual({ request: 2 });
      });
      w.links.partition(a, b);
      await w.sleep(500);
      w.links.heal(a, b);
      expect(await client.exit).toEqual({ kind: 'ended' });
    });
  });

  it('break when the other process is gone; its next incarnation answers', async () => {
    const w = world();
    await w.run(async () => {
      const never = new Promise<unknown>(() => {});
      const silent = async (env: Env) => {
        await env.network.listen('echo:1', [handle(ask, () => never)]);
        await env.clock.sleep(1_000_000);
      };
      const server = w.spawn('echo', w.host('a'), silent);
      const client = w.spawn('client', w.host('b'), async (env) => {
        await env.clock.sleep(10);
        await expect(call(env, 1)).rejects.toSatisfy((e) => hasCode(e, 'unavailable'));
        await env.clock.sleep(1000);
        expect(await call(env, 2)).toEqual({ request: 2 });
      });
      await w.sleep(100);
      w.powerCut(server.host);
      w.spawn('echo', server.host, echo);
      expect(await client.exit).toEqual({ kind: 'ended' });
    });
  });

  it('lose connections by chance', async () => {
    const w = world();
    let lost = 0;
    await w.run(async () => {
      w.links.setFaults({ loss: 0.05 });
      w.spawn('echo', w.host('a'), echo);
      const client = w.spawn('client', w.host('b'), async (env) => {
        await env.clock.sleep(10);
        for (let i = 0; i < 100; i++) {
          await call(env, i).catch((error) => {
            expect(hasCode(error, 'unavailable')).toBe(true);
            lost++;
          });
        }
      });
      expect(await client.exit).toEqual({ kind: 'ended' });
    });
    expect(lost).toBeGreaterThan(3);
    expect(lost).toBeLessThan(60);
    expect(w.links.lost).toBeGreaterThan(0);
  });
});

describe('failures', () => {
  const failing = (w: SimWorld, main: (env: Env) => Promise<void>) =>
    w.run(() => w.spawn('p', w.host('h'), main).exit);

  it('of a process fail the run, with seed and trace', async () => {
    const run = failing(world('17'), async ({ files }) => {
      files.makeDirectory('/x');
      throw new WalbError('corrupt', 'broken');
    });
    await expect(run).rejects.toThrow(/seed 17 at .*broken[\s\S]*p make directory \/x/);
  });

  it('of waiting for what can not come are found', async () => {
    const run = failing(world(), () => new Promise(() => {}));
    await expect(run).rejects.toThrow(/stuck/);
  });

  it('of endless loops are found', async () => {
    const w = new SimWorld({ seed: 1, maxEvents: 1000 });
    const run = failing(w, async ({ clock }) => {
      for (;;) await clock.yield();
    });
    await expect(run).rejects.toThrow(/did not end within 1000 events/);
  });

  it('of sources that go around the Env are found', async () => {
    const { RealClock } = await import('../../src/core/real-clock.ts');
    const now = failing(world(), async () => void new RealClock().now());
    await expect(now).rejects.toThrow(/now in simulated code/);
    const timer = failing(world(), async () => void new RealClock().after(1, () => {}));
    await expect(timer).rejects.toThrow(/setTimeout in simulated code/);
    expect(new RealClock().now()).toBeGreaterThan(0);
  });
});

describe('repetition', () => {
  it('gives the same trace for the same seed, and another for another', async () => {
    const hashes = new Map<string, string>();
    for (const seed of ['1', '2', '3', '1', '2', '3']) {
      const { traceHash } = await runSeed(appendLogScenario(), seed);
      expect(hashes.get(seed) ?? traceHash).toBe(traceHash);
      hashes.set(seed, traceHash);
    }
    expect(new Set(hashes.values()).size).toBe(3);
  });

  it('gives the same trace in another process, under load or not', async () => {
    const { traceHash } = await runSeed(appendLogScenario(), '5');
    const args = ['tools/sim.ts', 'append-log', '--seed', '5'];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(stdout).toContain(traceHash);
  });
});
