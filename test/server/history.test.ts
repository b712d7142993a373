/** When something last went well must outlive a restart, a crash, and the file it is kept in. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Env, WalbError } from '../../src/core/index.ts';
import { formatHistory, History, parseHistory, type Remembered } from '../../src/server/history.ts';
import { ServerWorld } from './server-world.ts';

const BASE = '/base';
const FILE = `${BASE}/.history/history.json`;
const DAY = 86_400;

async function withEnv(work: (env: Env, world: ServerWorld) => Promise<void>): Promise<void> {
  await ServerWorld.run(async (world) => {
    const env = await world.envOn('host');
    env.files.makeDirectory(BASE);
    await work(env, world);
  });
}

function opened(env: Env): History {
  const history = new History(env);
  history.open(BASE);
  return history;
}

const seconds = (env: Env): number => Math.floor(env.clock.now() / 1000);
const down = new WalbError('unavailable', 'archive a0 is down');

describe('history', () => {
  it('knows a month of failure after restarts in the middle of it', () =>
    withEnv(async (first, world) => {
      let env = first;
      let history = opened(env);
      const began = seconds(env);
      history.succeeded('vol', 'wdiff-sent/a0', began, 'a0');
      for (let hour = 1; hour <= 30 * 24; hour += 1) {
        await env.clock.sleep(3_600_000);
        history.failed('vol', 'wdiff-sent/a0', down, seconds(env), 'a0');
        if (hour % 240 === 0) {
          await history.close();
          env = await world.envOn('host');
          history = opened(env);
        }
      }
      const { success, failure } = history.at('vol', 'wdiff-sent/a0');
      expect(success).toBe(began);
      expect(failure).toMatchObject({ count: 720, peer: 'a0', since: began + 3600 });
      expect(failure?.time).toBe(began + 30 * DAY);
      expect(failure?.error).toMatchObject({ code: 'unavailable', message: down.message });
      history.succeeded('vol', 'wdiff-sent/a0', seconds(env));
      expect(history.at('vol', 'wdiff-sent/a0').failure).toBeUndefined();
      await history.close();
    }));

  it('is written soon when it tells something new, else now and then, and at the end', () =>
    withEnv(async (env) => {
      const history = opened(env);
      const saved = (): Remembered => opened(env).at('vol', 'work');
      history.succeeded('vol', 'work', 5);
      expect(env.files.info(FILE)).toBeUndefined();
      await env.clock.sleep(2_000);
      expect(saved().success).toBe(5);
      history.succeeded('vol', 'work', 6);
      await env.clock.sleep(20_000);
      expect(saved().success).toBe(5);
      await env.clock.sleep(11_000);
      expect(saved().success).toBe(6);
      history.succeeded('vol', 'work', 7);
      await env.clock.sleep(1_000);
      // A failure does not wait for what is due later.
      history.failed('vol', 'work', down, 8);
      await env.clock.sleep(2_000);
      expect(saved()).toMatchObject({ success: 7, failure: { count: 1 } });
      history.failed('vol', 'work', down, 9);
      await history.close();
      expect(saved()).toMatchObject({ success: 7, failure: { count: 2 } });
    }));

  it('is empty where nothing was ever written', () =>
    withEnv(async (env) => {
      const history = opened(env);
      expect(history.at('vol', 'work')).toEqual({ success: 0, peer: '', failure: undefined });
      await history.close();
      expect(env.files.list(BASE)).toEqual([]);
    }));

  it('forgets what is no more', () =>
    withEnv(async (env) => {
      const history = opened(env);
      for (const volume of ['a', 'b', 'c']) history.succeeded(volume, 'work', 1);
      history.succeeded('c', 'backup', 2);
      history.forget('a');
      history.forget('c', 'work');
      await history.close();
      const again = opened(env);
      again.keepOnly(['c']);
      const times = ['a', 'b', 'c'].map((volume) => again.at(volume, 'work').success);
      expect(times).toEqual([0, 0, 0]);
      expect(again.at('c', 'backup').success).toBe(2);
      await again.close();
    }));

  it.each([
    ['no JSON', '{'],
    ['another version', '{"version":2,"volumes":{}}'],
    ['no mapping', '{"version":1,"volumes":[]}'],
    ['a time that is none', '{"version":1,"volumes":{"v":{"work":{"success":-1}}}}'],
    [
      'a code that is none',
      '{"version":1,"volumes":{"v":{"work":{"success":1,"failure":{"code":"no"}}}}}',
    ],
    ['nothing at all', ''],
  ])('begins anew with a file that holds %s', (_, text) =>
    withEnv(async (env) => {
      env.files.makeDirectory(`${BASE}/.history`);
      const handle = env.files.open(FILE, 'create');
      handle.write(Buffer.from(text), 0);
      handle.close();
      const history = opened(env);
      expect(history.at('v', 'work').success).toBe(0);
      history.succeeded('v', 'work', 9);
      await history.close();
      expect(opened(env).at('v', 'work').success).toBe(9);
    }),
  );

  it('reads what it writes', () => {
    const failure = fc.record({
      error: fc.record({
        code: fc.constantFrom('unavailable', 'no-space', 'internal'),
        message: fc.string({ maxLength: 200 }),
        details: fc.constant<never[]>([]),
      }),
      time: fc.nat(),
      since: fc.nat(),
      count: fc.nat(),
      peer: fc.string(),
    });
    const one: fc.Arbitrary<Remembered> = fc.record({
      success: fc.nat(),
      peer: fc.string(),
      failure: fc.option(failure, { nil: undefined }),
    });
    // Not `__proto__`, which no volume id can be.
    const names = fc.stringMatching(/^[0-9A-Za-z-]{1,8}$/);
    const volumes = fc.dictionary(names, fc.dictionary(names, one, { noNullPrototype: true }));
    fc.assert(
      fc.property(volumes, (given) => {
        const maps = new Map(
          Object.entries(given).map(([name, subjects]) => [
            name,
            new Map(Object.entries(subjects)),
          ]),
        );
        expect(parseHistory(formatHistory(maps))).toEqual(maps);
      }),
      { seed: 5 },
    );
  });
});
