/**
 * `walb prune`: carries out the retention of a worker's configuration now. Without `--yes` it only
 * shows what would go, what would stay and why.
 */
import type { Command } from 'commander';
import { toUnixSeconds, WalbError } from '../core/index.ts';
import { RealClock } from '../core/real-clock.ts';
import { aActive, K_ARCHIVE } from '../walbc/constants.ts';
import { Controller } from '../walbc/controller/controller.ts';
import { ServerLayout } from '../walbc/layout.ts';
import { carryRetentionOut, previewRetention } from '../walbc/retention/carry-out.ts';
import type { RetentionPlan } from '../walbc/retention/plan.ts';
import { policyOf } from '../walbc/retention/policy.ts';
import { localTime, planText } from '../walbc/retention/table.ts';
import type { AuditLog } from '../walbc/safety/audit-log.ts';
import { audited } from '../walbc/safety/audited.ts';
import { ServerConnectionParam } from '../walbc/servers.ts';
import {
  collect,
  type InputOptions,
  openAudit,
  readInput,
  type WorkerInput,
} from './worker-input.ts';

interface Options extends InputOptions {
  readonly yes?: boolean;
}

export function register(program: Command): void {
  program
    .command('prune')
    .description(
      'shows which snapshots the retention of a worker configuration drops; --yes drops them',
    )
    .argument('[volumes...]', 'only these volumes; all of the archive unless given')
    .option('-f, --file <file>', 'YAML configuration of the worker; - is stdin', collect)
    .option('--layout <file>', 'take the address of the archive from a layout file')
    .option('--archive <name>', 'with --layout: which archive')
    .option('--dry-run', 'only show; this is so unless --yes is given')
    .option('--yes', 'do what is shown')
    .action(run);
}

async function run(
  volumes: readonly string[],
  options: Options & { dryRun?: boolean },
): Promise<void> {
  if (options.yes === true && options.dryRun === true) {
    throw new WalbError('invalid-argument', '--dry-run and --yes contradict each other');
  }
  const input = await readInput(options);
  const { general } = input.config;
  const archive = new ServerConnectionParam('a0', general.addr, general.port, K_ARCHIVE);
  const layout = new ServerLayout([], [], [archive]);
  using controller = new Controller('walbc', layout, false, general.timeout, input.environment);
  const audit = options.yes === true ? openAudit('prune', options) : undefined;
  let failed = 0;
  for (const volume of volumes.length > 0 ? volumes : await controller.get_vol_list(archive)) {
    try {
      await pruneVolume(controller, archive, volume, input, audit);
    } catch (thrown) {
      // The other volumes are still done.
      failed += 1;
      process.stderr.write(`${volume}: ${WalbError.from(thrown).message}\n`);
    }
  }
  if (options.yes !== true) print('nothing was changed; --yes does it');
  process.exitCode = failed > 0 ? 1 : 0;
}

async function pruneVolume(
  controller: Controller,
  archive: ServerConnectionParam,
  volume: string,
  { config: { retention, merge } }: WorkerInput,
  /** Where it is recorded; undefined: nothing is done, only shown. */
  audit: AuditLog | undefined,
): Promise<void> {
  if (retention === undefined) {
    throw new WalbError('invalid-argument', 'the configuration has no section retention');
  }
  const state = await controller.get_state(archive, volume);
  if (!aActive.includes(state)) {
    print(`${volume}: left alone: it is ${state}`);
    return;
  }
  const clock = new RealClock();
  const target = {
    controller,
    archive,
    volume,
    policy: policyOf(retention, volume),
    maxMergeSize: merge.maxSize,
    now: () => toUnixSeconds(clock.now()),
  };
  const show = (plan: RetentionPlan): void => {
    for (const line of planText(volume, plan, localTime)) print(line);
  };
  if (audit === undefined) return show(await previewRetention(target));
  const call = `walb prune ${archive.get_host_port()} ${volume}`;
  await audited(audit, clock, call, () => carryRetentionOut(target, show));
  print(`${volume}: done`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
