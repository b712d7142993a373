import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hasCode, WalbError } from '../../src/core/errors.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { Network } from '../../src/core/network.ts';
import { RealClock } from '../../src/core/real-clock.ts';
import { createRealEnv } from '../../src/core/real-env.ts';
import { createRealLogger } from '../../src/core/real-logger.ts';
import { RealRandom } from '../../src/core/real-random.ts';

describe('RealClock', () => {
  const clock = new RealClock();
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('fires once, not when cancelled, and cancelling late does nothing', () => {
    const fired = vi.fn();
    const cancel = clock.after(10, fired);
    clock.after(10, () => expect.unreachable('cancelled'))();
    vi.advanceTimersByTime(100);
    cancel();
    expect(fired).toHaveBeenCalledOnce();
  });

  it('waits longer than one timer of Node can, and can be cancelled on the way', () => {
    const fired = vi.fn();
    const days = 24 * 3600 * 1000;
    clock.after(60 * days, fired);
    const cancel = clock.after(60 * days, () => expect.unreachable('cancelled'));
    vi.advanceTimersByTime(59 * days);
    expect(fired).not.toHaveBeenCalled();
    cancel();
    vi.advanceTimersByTime(days);
    expect(fired).toHaveBeenCalledOnce();
  });

  it('sleeps until the time has come or somebody stops it', async () => {
    const slept = clock.sleep(50);
    vi.advanceTimersByTime(50);
    await slept;
    const stop = new AbortController();
    const stopped = clock.sleep(50, stop.signal);
    stop.abort(new Error('enough'));
    await expect(stopped).rejects.toSatisfy((error) => hasCode(error, 'cancelled'));
    expect(vi.getTimerCount()).toBe(0);
    await expect(clock.sleep(50, stop.signal)).rejects.toMatchObject({ cause: stop.signal.reason });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('yields to a later turn and never goes back', async () => {
    vi.useRealTimers();
    let turn = 0;
    setImmediate(() => turn++);
    const before = clock.monotonic();
    await clock.yield();
    expect(turn).toBe(1);
    expect(clock.monotonic()).toBeGreaterThanOrEqual(before);
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1000);
  });
});

describe('RealRandom', () => {
  it('draws bytes and words', () => {
    const random = new RealRandom();
    expect(random.bytes(32)).toHaveLength(32);
    expect(random.bytes(32)).not.toEqual(random.bytes(32));
    const words = Array.from({ length: 100 }, () => random.u32());
    expect(words.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32)).toBe(true);
    expect(new Set(words).size).toBeGreaterThan(90);
  });
});

describe('createRealLogger', () => {
  let directory: string;
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'walb-log-'));
  });
  afterEach(() => fs.rmSync(directory, { recursive: true }));

  const lines = (file: string) =>
    fs
      .readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('writes JSON lines with the fields of parents, u64 exactly', () => {
    const file = `${directory}/deep/a.log`;
    const log = createRealLogger({ file, level: 'debug', fields: { server: 'a0' } });
    log.child({ volume: 'vol' }).info({ gid: 2n ** 64n - 1n, nested: { lsid: 7n } }, 'taken');
    log.debug({}, 'detail');
    expect(lines(file)[0]).toMatchObject({
      level: 'info',
      server: 'a0',
      volume: 'vol',
      gid: '18446744073709551615',
      nested: { lsid: '7' },
      msg: 'taken',
      pid: process.pid,
    });
    expect(lines(file)[0]?.['time']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(lines(file)).toHaveLength(2);
  });

  it('writes errors with code, details and causes; the stack only of defects', () => {
    const file = `${directory}/a.log`;
    const log = createRealLogger({ file });
    const cause = new WalbError('io', 'disk broke', { details: { offset: 5n } });
    log.error({ err: new WalbError('unavailable', 'no archive', { cause }) }, 'send failed');
    log.error({ err: new TypeError('x is undefined') }, 'defect');
    log.warn({ err: 'just text' }, 'odd');
    expect(lines(file)[0]?.['err']).toEqual({
      type: 'WalbError',
      code: 'unavailable',
      message: 'no archive',
      cause: { type: 'WalbError', code: 'io', message: 'disk broke', details: { offset: '5' } },
    });
    expect(lines(file)[1]?.['err']).toMatchObject({ stack: expect.stringContaining('TypeError') });
    expect(lines(file)[2]?.['err']).toBe('just text');
  });

  it('keeps to its level', () => {
    const file = `${directory}/a.log`;
    const log = createRealLogger({ file, level: 'warn' });
    log.info({}, 'no');
    log.debug({}, 'no');
    log.warn({}, 'yes');
    expect(lines(file).map((line) => line['msg'])).toEqual(['yes']);
  });

  it('goes on in a new file after rotation', () => {
    const file = `${directory}/a.log`;
    const log = createRealLogger({ file });
    log.info({}, 'before');
    fs.renameSync(file, `${file}.1`);
    log.reopen();
    log.info({}, 'after');
    expect(lines(`${file}.1`).map((line) => line['msg'])).toEqual(['before']);
    expect(lines(file).map((line) => line['msg'])).toEqual(['after']);
  });

  it('has a view for people', () => {
    const file = `${directory}/a.log`;
    createRealLogger({ file, format: 'human' }).info({ volume: 'v', gid: 3n }, 'taken');
    const text = fs.readFileSync(file, 'utf8');
    expect(text).toMatch(/INFO.*: taken .*"volume":"v"/);
    expect(text).not.toContain('"msg"');
  });

  it('says which file it can not open', () => {
    fs.writeFileSync(`${directory}/f`, '');
    expect(() => createRealLogger({ file: `${directory}/f/a.log` })).toThrow(/log file .*f\/a.log/);
  });
});

describe('createRealEnv', () => {
  it('is made of real parts and the network and log it was given', () => {
    const network = {} as Network;
    const env = createRealEnv({ network, log: silentLogger });
    expect(env.network).toBe(network);
    expect(env.log).toBe(silentLogger);
    expect(env.files.info(os.tmpdir())?.kind).toBe('directory');
  });
});
