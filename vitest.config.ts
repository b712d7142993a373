import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/state-folder.ts'],
    // Generous: they only say that something hangs. Tests wait for events, not for the clock.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
    // A shared machine may stall for seconds, which real clients and real processes notice. What fails
    // twice in a row is broken; what passes at the second try is reported as such.
    retry: process.env['CI'] === undefined ? 0 : 1,
  },
});
