import { defineConfig } from 'vitest/config';

/** For the guest of tools/test-rig.ts: the project is mounted read-only there. */
export default defineConfig({
  cacheDir: '/tmp/vitest',
  test: {
    include: ['test/rig/*.rig.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 1,
  },
});
