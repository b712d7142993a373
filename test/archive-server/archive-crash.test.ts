/** A.7, D.6-D.8: an archive that is killed and loses power at any call keeps every promise. */
import { it } from 'vitest';
import { explore } from '../sim/explore.ts';
import { archiveScenario } from './archive-scenario.ts';
import { lifecycleScenario } from './lifecycle-scenario.ts';

const SEEDS = 40;
/** Retries make these longer. */
const BAD_DISK_SEEDS = 20;

it(
  'restores exactly what the volume held, whatever happens in between',
  () => explore(archiveScenario(), SEEDS),
  120_000,
);

it(
  'does so on a disk that fails, too',
  () => explore(archiveScenario({ badDisk: true }), BAD_DISK_SEEDS),
  120_000,
);

it(
  'never shows anything of an earlier life of a volume',
  () => explore(lifecycleScenario(), SEEDS),
  120_000,
);
