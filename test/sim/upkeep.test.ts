/** A backup group whose archives are worked at meanwhile (W8, semantics.md D.6-D.9), in the simulator. */
import { describe, expect, it } from 'vitest';
import { explore, findFailure } from './explore.ts';
import { upkeepScenario } from './group.ts';
import { UPKEEP_FLAWS } from './group-flaws.ts';

/** About 1.3 s per seed; `npm run sim -- upkeep --seeds 1000` looks further. */
const SEEDS = 6;
/** Of a machine that does other things too. */
const PATIENCE = 300_000;
/** The slowest of these canaries was caught within 5 seeds when this was written. */
const CANARY_SEEDS = 60;

describe('backup group with upkeep', { timeout: PATIENCE }, () => {
  it.each([1, 7])('offers only what the volume held, at both archives (seeds from %i)', (first) =>
    explore(upkeepScenario(), SEEDS, first),
  );

  it.each(UPKEEP_FLAWS)('is caught with the flaw %s', async (flaw) => {
    const failure = await findFailure(upkeepScenario(flaw), CANARY_SEEDS);
    expect(failure?.error?.message).toContain(
      `npm run sim -- upkeep-${flaw} --seed ${failure?.seed}`,
    );
  });
});
