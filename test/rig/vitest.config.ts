import { defineConfig } from 'vitest/config';

/**
 * For the guest of tools/test-rig.ts: the project is mounted read-only there, and an emulated machine with
 * the lowest priority may be very slow.
 */
export default defineConfig({
  cacheDir: '/tmp/vitest',
  test: {
    include: ['test/rig/*.rig.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    pool: 'forks',
    maxWorkers: 1,
  },
});
