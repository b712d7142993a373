/** The simulator at work on a small system, and the canaries it must catch. */
import { describe, expect, it } from 'vitest';
import type { Flaw } from './examples/append-log.ts';
import { appendLogScenario } from './examples/append-log-scenario.ts';
import { explore, findFailure, runSeed } from './explore.ts';

/** Enough for every canary to be found in many of them. */
const SEEDS = 300;

describe('append log', () => {
  it('loses no acknowledged record', () => explore(appendLogScenario(), SEEDS));

  it.each<Flaw>(['no-sync', 'no-directory-sync', 'rename-before-sync', 'trusts-page-cache'])(
    'is caught with the flaw %s',
    async (flaw) => {
      const failure = await findFailure(appendLogScenario(flaw), SEEDS);
      expect(failure?.error?.message).toMatch(/was acknowledged, but only/);
      expect(failure?.error?.message).toContain(
        `npm run sim -- append-log-${flaw} --seed ${failure?.seed}`,
      );
      const replay = await runSeed(appendLogScenario(flaw), failure!.seed);
      expect(replay.traceHash).toBe(failure!.traceHash);
      expect(replay.error?.message).toBe(failure!.error?.message);
    },
  );
});
