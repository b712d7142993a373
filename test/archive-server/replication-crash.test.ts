/** D.9: replication is repeated until it is done, whatever dies on the way, and done is done. */
import { it } from 'vitest';
import { explore } from '../sim/explore.ts';
import { replicationScenario } from './replication-scenario.ts';

const FIRST = Number(process.env['WALB_SEED'] ?? 1);
const SEEDS = Number(process.env['WALB_RUNS'] ?? 40);

it(
  'brings the destination to exactly what the device held',
  () => explore(replicationScenario(), SEEDS, FIRST),
  120_000,
);
