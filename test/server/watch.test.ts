import { describe, expect, it } from 'vitest';
import { RealClock } from '../../src/core/real-clock.ts';
import type { Progress, VolumeView, WatchEvent } from '../../src/rpc/index.ts';
import { ChangeHub } from '../../src/server/change-hub.ts';
import { clearView } from '../../src/server/status.ts';
import { watchVolumes } from '../../src/server/watch.ts';

const IDENTITY = { hostType: 'storage', nodeId: 's0', instance: '1' } as const;
const RUNNING: Progress = {
  kind: 'FullBackup',
  taskId: 1,
  done: 0,
  total: 10,
  inBytes: false,
  began: 0,
  peer: '',
};

/** A clock whose timers fire when told to. */
class HandClock extends RealClock {
  readonly timers: (() => void)[] = [];
  override after(_delay: number, fn: () => void): () => void {
    this.timers.push(fn);
    return () => {
      this.timers.splice(this.timers.indexOf(fn), 1);
    };
  }
}

function setUp(views: Map<string, VolumeView>) {
  const clock = new HandClock();
  const hub = new ChangeHub();
  const abort = new AbortController();
  const source = {
    clock,
    hub,
    identity: IDENTITY,
    volumes: () => [...views.keys()],
    view: (volume: string) => views.get(volume) ?? clearView(volume),
  };
  const events = (wanted: string[]) => watchVolumes(source, wanted, { signal: abort.signal });
  return { clock, hub, abort, events };
}

const text = ({ event }: WatchEvent): string =>
  event?.$case === 'volume' ? `${event.value.volume}:${event.value.state}` : `${event?.$case}`;

async function next(events: AsyncGenerator<WatchEvent>): Promise<string> {
  const { value } = await events.next();
  return value === undefined ? 'end' : text(value as WatchEvent);
}

describe('Control.Watch', () => {
  it('sends what there is, then ready, then changes, each volume once however often it changed', async () => {
    const views = new Map([['a', { ...clearView('a'), state: 'Target' as const }]]);
    const { hub, events } = setUp(views);
    const watch = events([]);
    expect(await next(watch)).toBe('a:Target');
    expect(await next(watch)).toBe('ready');
    hub.notify('a');
    hub.notify('a');
    hub.notify('b');
    expect(await next(watch)).toBe('a:Target');
    expect(await next(watch)).toBe('b:Clear');
    await watch.return(undefined);
  });

  it('tells of wanted volumes only, an unknown one as Clear', async () => {
    const { hub, events } = setUp(new Map());
    const watch = events(['x']);
    expect(await next(watch)).toBe('x:Clear');
    expect(await next(watch)).toBe('ready');
    hub.notify('y');
    hub.notify('x');
    expect(await next(watch)).toBe('x:Clear');
    await watch.return(undefined);
  });

  it('looks again by time while something runs, and stops when nothing does', async () => {
    const views = new Map([['a', { ...clearView('a'), progress: [RUNNING] }]]);
    const { clock, events } = setUp(views);
    const watch = events(['a']);
    await next(watch);
    await next(watch);
    expect(clock.timers).toHaveLength(1);
    views.set('a', clearView('a'));
    clock.timers.shift()?.();
    expect(await next(watch)).toBe('a:Clear');
    const waiting = watch.next();
    expect(clock.timers).toHaveLength(0);
    void waiting.catch(() => {});
  });

  it('ends with the call and leaves nothing behind', async () => {
    const views = new Map([['a', { ...clearView('a'), progress: [RUNNING] }]]);
    const { clock, abort, events } = setUp(views);
    const watch = events(['a']);
    await next(watch);
    await next(watch);
    const waiting = watch.next();
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    expect(clock.timers).toHaveLength(0);
  });
});
