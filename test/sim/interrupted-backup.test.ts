/** Full backups broken off at random points, from seeds: see interrupted-backup.ts. */
import { describe, expect, it } from 'vitest';
import { explore, findFailure } from './explore.ts';
import { interruptedBackupScenario } from './interrupted-backup.ts';

/** About 0.1 s per seed; `npm run sim -- interrupted-backup --seeds 10000` looks further. */
const SEEDS = 60;
const CANARY_SEEDS = 100;
const PATIENCE = 300_000;

describe('interrupted full backups', { timeout: PATIENCE }, () => {
  it('go on, and every snapshot is what the volume held', async () => {
    const seen = { resumed: 0, begunAnew: 0 };
    await explore(interruptedBackupScenario(undefined, seen), SEEDS);
    expect(seen.resumed).toBeGreaterThan(SEEDS / 2);
    expect(seen.begunAnew).toBeGreaterThanOrEqual(SEEDS);
  });

  it('are caught when an archive claims what is not synced', async () => {
    const failure = await findFailure(interruptedBackupScenario('claims-early'), CANARY_SEEDS);
    expect(failure?.error?.message).toContain('differs from the volume');
  });
});
