/** How a server process ends (cli.md 2, semantics.md F.1): virtual time, and a process to signal. */
import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Listener } from '../../src/core/index.ts';
import { HostType } from '../../src/rpc/index.ts';
import { ServerCore } from '../../src/server/server-core.ts';
import {
  type SignalSource,
  serveUntilShutdown,
  shutDownOnSignals,
} from '../../src/server/shutdown.ts';
import { ServerWorld } from './server-world.ts';

class FakeProcess extends EventEmitter {
  readonly pid = 7;
  readonly killed: string[] = [];

  kill(_pid: number, signal: string): void {
    this.killed.push(signal);
  }
}

interface Ending {
  readonly world: ServerWorld;
  readonly core: ServerCore;
  readonly process: FakeProcess;
  readonly source: SignalSource;
  /** Calls that have not ended keep `close` from resolving until they do, or are aborted. */
  readonly calls: { end(): void; isAborted: boolean };
  readonly listener: Listener;
}

function withServer(work: (ending: Ending) => Promise<void>): Promise<void> {
  return ServerWorld.run(async (world) => {
    const core = new ServerCore(world.client, {
      hostType: HostType.PROXY,
      nodeId: 'p0',
      maxForegroundTasks: 1,
      pid: 7,
    });
    const ended = Promise.withResolvers<void>();
    const calls = { end: ended.resolve, isAborted: false };
    const listener: Listener = {
      address: 'p0:1',
      close: () => ended.promise,
      abort: () => {
        calls.isAborted = true;
        ended.resolve();
      },
    };
    const process = new FakeProcess();
    await work({
      world,
      core,
      process,
      source: process as unknown as SignalSource,
      calls,
      listener,
    });
  });
}

const elapsedMs = ({ world }: Ending): number => world.world.elapsed / 1000;

describe('the end of a server', () => {
  it.each(['graceful', 'force'] as const)('%s takes no time when nothing runs', (kind) =>
    withServer(async (ending) => {
      ending.calls.end();
      const began = elapsedMs(ending);
      const served = serveUntilShutdown(ending.core, ending.listener, async () => {});
      ending.core.requestShutdown(kind);
      await served;
      expect(elapsedMs(ending)).toBe(began);
      await ending.world.sleep(2000);
      expect(ending.calls.isAborted).toBe(false);
    }),
  );

  it('graceful waits for calls and work as long as they take', () =>
    withServer(async (ending) => {
      const { core, listener, world, calls } = ending;
      const work = Promise.withResolvers<void>();
      let isOver = false;
      const served = serveUntilShutdown(core, listener, () => work.promise).then(() => {
        isOver = true;
      });
      core.requestShutdown('graceful');
      await world.sleep(100_000);
      calls.end();
      await world.sleep(100_000);
      expect([isOver, calls.isAborted]).toEqual([false, false]);
      work.resolve();
      await served;
    }));

  it('force breaks calls that do not end, after a while in which they may answer', () =>
    withServer(async (ending) => {
      const { core, listener } = ending;
      const began = elapsedMs(ending);
      const served = serveUntilShutdown(core, listener, async () => {});
      core.requestShutdown('force');
      await served;
      expect(ending.calls.isAborted).toBe(true);
      expect(elapsedMs(ending) - began).toBeCloseTo(500, 0);
    }));

  it('graceful becomes force when that is asked for', () =>
    withServer(async (ending) => {
      const { core, listener, world, calls } = ending;
      const served = serveUntilShutdown(core, listener, async () => {});
      core.requestShutdown('graceful');
      await world.sleep(5000);
      expect([calls.isAborted, core.forced.aborted]).toEqual([false, false]);
      core.requestShutdown('force');
      core.requestShutdown('graceful');
      expect(core.forced.aborted).toBe(true);
      await served;
      expect(calls.isAborted).toBe(true);
    }));
});

describe('signals', () => {
  it.each(['SIGINT', 'SIGQUIT', 'SIGABRT', 'SIGTERM'] as const)(
    '%s is a shutdown by force',
    (name) =>
      withServer(async ({ core, process, source }) => {
        using _signals = shutDownOnSignals(core, source);
        process.emit(name, name);
        expect(await core.untilShutdown()).toBe('force');
        expect(core.forced.aborted).toBe(true);
      }),
  );

  it('the echo of a signal changes nothing; an impatient one ends the process', () =>
    withServer(async ({ core, process, source, world }) => {
      using _signals = shutDownOnSignals(core, source);
      process.emit('SIGINT', 'SIGINT');
      await world.sleep(300);
      process.emit('SIGTERM', 'SIGTERM');
      expect(process.killed).toEqual([]);
      await world.sleep(3000);
      process.emit('SIGTERM', 'SIGTERM');
      expect(process.killed).toEqual(['SIGTERM']);
      expect(process.listenerCount('SIGTERM')).toBe(0);
    }));

  it('are left alone again afterwards', () =>
    withServer(async ({ core, process, source }) => {
      shutDownOnSignals(core, source)[Symbol.dispose]();
      expect(process.eventNames()).toEqual([]);
      process.emit('SIGTERM', 'SIGTERM');
      expect(core.isShuttingDown).toBe(false);
    }));
});
