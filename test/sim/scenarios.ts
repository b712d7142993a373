/** Every scenario that `npm run sim` can run. Canaries are flawed on purpose and must fail. */
import { archiveScenario } from '../archive-server/archive-scenario.ts';
import { lifecycleScenario } from '../archive-server/lifecycle-scenario.ts';
import { replicationScenario } from '../archive-server/replication-scenario.ts';
import { deviceScenario } from '../wdev/support/device-scenario.ts';
import { appendLogScenario } from './examples/append-log-scenario.ts';
import { relayScenario } from './examples/relay-scenario.ts';
import type { Scenario } from './explore.ts';
import { groupScenario, upkeepScenario } from './group.ts';
import { GROUP_FLAWS, UPKEEP_FLAWS } from './group-flaws.ts';
import { interruptedBackupScenario } from './interrupted-backup.ts';

export interface RegisteredScenario extends Scenario {
  readonly canary: boolean;
}

const sound = (scenario: Scenario): RegisteredScenario => ({ ...scenario, canary: false });
const canary = (scenario: Scenario): RegisteredScenario => ({ ...scenario, canary: true });

export const SCENARIOS: readonly RegisteredScenario[] = [
  sound(appendLogScenario()),
  canary(appendLogScenario('no-sync')),
  canary(appendLogScenario('no-directory-sync')),
  canary(appendLogScenario('rename-before-sync')),
  canary(appendLogScenario('trusts-page-cache')),
  sound(relayScenario()),
  canary(relayScenario('no-deduplication')),
  canary(relayScenario('answers-early')),
  sound(deviceScenario),
  sound(archiveScenario()),
  sound(archiveScenario({ badDisk: true })),
  sound(lifecycleScenario()),
  sound(replicationScenario()),
  sound(groupScenario()),
  sound(upkeepScenario()),
  sound(interruptedBackupScenario()),
  canary(interruptedBackupScenario('claims-early')),
  ...GROUP_FLAWS.map((flaw) => canary(groupScenario(flaw))),
  ...UPKEEP_FLAWS.map((flaw) => canary(upkeepScenario(flaw))),
];
