/** The device in the simulator (W1): a smoke run; `node tools/sim.ts volume-device` runs more seeds. */
import { test } from 'vitest';
import { explore } from '../../sim/explore.ts';
import { deviceScenario } from '../support/device-scenario.ts';

test('W1: killed and without power at any call, nothing promised is lost', () =>
  explore(deviceScenario, 150));
