/** The simulator's links at work on two small processes, and the canaries it must catch. */
import { describe, expect, it } from 'vitest';
import { type RelayFlaw, relayScenario } from './examples/relay-scenario.ts';
import { explore, findFailure, runSeed } from './explore.ts';

const SEEDS = 200;

describe('relay', () => {
  it('stores every message exactly once', () => explore(relayScenario(), SEEDS));

  it.each<RelayFlaw>(['no-deduplication', 'answers-early'])(
    'is caught with the flaw %s',
    async (flaw) => {
      const failure = await findFailure(relayScenario(flaw), SEEDS);
      expect(failure?.error?.message).toMatch(/30 messages were delivered, but \d+ are stored/);
      const replay = await runSeed(relayScenario(flaw), failure!.seed);
      expect(replay.traceHash).toBe(failure!.traceHash);
    },
  );
});
