/** A whole backup group in the simulator (W1-W4, W6-W8), and the mistakes it must catch. */
import { describe, expect, it } from 'vitest';
import { explore, findFailure, runSeed } from './explore.ts';
import { groupScenario } from './group.ts';
import type { GroupFlaw } from './group-flaws.ts';

/** About 0.1 s per seed; `npm run sim -- group --seeds 10000` looks further. */
const SEEDS_PER_TEST = 50;
/** Of a machine that does other things too. */
const PATIENCE = 300_000;
/** The slowest of these canaries was caught by seed 61 when this was written. */
const CANARY_SEEDS = 150;

describe('backup group', { timeout: PATIENCE }, () => {
  it.each([1, 51, 101, 151])(
    'offers only what the volume held, and all of it (seeds from %i)',
    (first) => explore(groupScenario(), SEEDS_PER_TEST, first),
  );

  it.each<GroupFlaw>([
    'proxy-no-sync',
    'archive-no-sync',
    'archive-no-directory-sync',
    'storage-believes-early',
    'storage-no-flush',
    'storage-forgets-part',
  ])('is caught with the flaw %s', async (flaw) => {
    const failure = await findFailure(groupScenario(flaw), CANARY_SEEDS);
    expect(failure?.error?.message).toContain(
      `npm run sim -- group-${flaw} --seed ${failure?.seed}`,
    );
  });

  it('replays a failure', async () => {
    const scenario = groupScenario('archive-no-sync');
    const failure = await findFailure(scenario, CANARY_SEEDS);
    const replay = await runSeed(scenario, failure!.seed);
    expect(replay.traceHash).toBe(failure!.traceHash);
    expect(replay.error?.message).toBe(failure!.error?.message);
  });
});
