import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cacheFolder } from '../../src/core/real-compile-cache.ts';

const WALBC = fileURLToPath(new URL('../../bin/walbc', import.meta.url));

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'walb-cache-'));
});
afterEach(() => rmSync(home, { recursive: true }));

describe('where the cache is', () => {
  test('below the home, for its owner only', () => {
    const folder = cacheFolder({ HOME: home });
    expect(folder).toBe(join(home, '.cache/walb/node'));
    expect(statSync(folder!).mode & 0o777).toBe(0o700);
  });

  test('or where XDG_CACHE_HOME says', () => {
    expect(cacheFolder({ HOME: '/nowhere', XDG_CACHE_HOME: home })).toBe(join(home, 'walb/node'));
  });

  test('nowhere without a home, or with a relative one', () => {
    expect(cacheFolder({})).toBeUndefined();
    expect(cacheFolder({ HOME: 'relative' })).toBeUndefined();
  });

  test.each(['', '.cache', '.cache/walb', '.cache/walb/node'])(
    'nowhere when others can write to ~/%s',
    (name) => {
      cacheFolder({ HOME: home });
      chmodSync(join(home, name), 0o777);
      expect(cacheFolder({ HOME: home })).toBeUndefined();
    },
  );

  test.skipIf(process.getuid?.() !== 0)('nowhere in the home of another user', () => {
    const { status } = spawnSync('chown', ['nobody', home]);
    expect(status).toBe(0);
    expect(cacheFolder({ HOME: home })).toBeUndefined();
  });

  test('not behind a link to somewhere else, nor where a file is in the way', () => {
    mkdirSync(join(home, 'a'));
    mkdirSync(join(home, 'b'), { mode: 0o777 });
    chmodSync(join(home, 'b'), 0o777);
    symlinkSync(join(home, 'b'), join(home, 'a/.cache'));
    expect(cacheFolder({ HOME: join(home, 'a') })).toBeUndefined();
    writeFileSync(join(home, '.cache'), '');
    expect(cacheFolder({ HOME: home })).toBeUndefined();
  });
});

test('walbc fills it, for its worker thread too, and runs where there is none', () => {
  const run = (env: Record<string, string>): string => {
    const words = ['-c', '1 + 1'];
    const { PATH = '' } = process.env;
    return spawnSync(WALBC, words, { cwd: home, env: { PATH, ...env }, encoding: 'utf8' }).stdout;
  };
  expect(run({ HOME: home })).toBe('2\n');
  const [version = ''] = readdirSync(join(home, '.cache/walb/node'));
  // Files of both threads, stripped and compiled.
  expect(readdirSync(join(home, '.cache/walb/node', version)).length).toBeGreaterThan(200);
  expect(run({ HOME: '/proc/nowhere' })).toBe('2\n');
  expect(run({ HOME: home, NODE_DISABLE_COMPILE_CACHE: '1' })).toBe('2\n');
  expect(existsSync('/proc/nowhere')).toBe(false);
});
