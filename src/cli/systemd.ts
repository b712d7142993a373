/** `walb systemd`: units for the servers of a layout, for its health check and its maintenance. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { WalbError } from '../core/index.ts';
import { findLayoutFile, loadLayout } from '../walbc/shell/layout-file.ts';
import type { Unit } from '../walbc/systemd/unit-text.ts';
import {
  checkUnits,
  MARK,
  serverUnit,
  type UnitOptions,
  workerUnits,
} from '../walbc/systemd/units.ts';

interface Options {
  readonly layout?: string;
  readonly output?: string;
  readonly server?: string[];
  readonly binDir: string;
  readonly user?: string;
  readonly check?: string | true;
  readonly worker?: string[];
  readonly force?: boolean;
}

const OWN_BIN = fileURLToPath(new URL('../../bin', import.meta.url));
const DEFAULT_INTERVAL = '5min';

export function register(program: Command): void {
  program
    .command('systemd')
    .description('prints systemd units for the servers of a layout, or writes them to a folder')
    .option('--layout <file>', 'layout file; found as walbc finds it when omitted')
    .option('--server <name...>', 'only these servers; all that can be started when omitted')
    .option('--check [interval]', 'a timer for walbc check too, every 5min unless given')
    .option('--worker <file...>', 'units for walb worker with these configuration files too')
    .option('--bin-dir <folder>', 'folder of the programs, where the layout names none', OWN_BIN)
    .option('--user <name>', 'runs servers and workers; root when omitted')
    .option('--output <folder>', 'write the units there, as /etc/systemd/system; else print them')
    .option('--force', 'replace units in that folder that somebody else has written')
    .action(run);
}

async function run(options: Options): Promise<void> {
  const units = await unitsFor(options);
  const { output } = options;
  if (output === undefined) {
    const texts = units.map(({ name, text }) => `# ${name}\n${text}`);
    process.stdout.write(texts.join('\n'));
    return;
  }
  const folder = resolve(output);
  if (options.force !== true) refuseForeign(folder, units);
  mkdirSync(folder, { recursive: true });
  for (const unit of units) process.stdout.write(`${write(folder, unit)}\n`);
  process.stdout.write(
    `then: systemctl daemon-reload; systemctl enable --now ${units.map(({ name }) => name).find((name) => name.endsWith('.service'))} ...\n`,
  );
}

async function unitsFor(options: Options): Promise<Unit[]> {
  const { layout: option, server, check, worker = [], user, binDir } = options;
  const file = findLayoutFile({ option, env: process.env, cwd: process.cwd() });
  if (file === undefined) {
    throw new WalbError('not-found', "there is no layout file; 'walbc layout init' makes one");
  }
  const { layout } = await loadLayout(file);
  const unitOptions: UnitOptions = {
    binDir: resolve(binDir),
    layoutFile: resolve(file),
    ...(user === undefined ? {} : { user }),
  };
  const names = server ?? layout.get_all().map(({ name }) => name);
  return [
    ...names.map((name) => serverUnit(name, layout, unitOptions)),
    ...(check === undefined
      ? []
      : checkUnits(check === true ? DEFAULT_INTERVAL : check, unitOptions)),
    ...worker.flatMap((config) => workerUnits(resolve(config), unitOptions)),
  ];
}

/** All are looked at before the first is written. */
function refuseForeign(folder: string, units: readonly Unit[]): void {
  const foreign = units
    .map(({ name }) => join(folder, name))
    .filter((path) => existsSync(path) && !readFileSync(path, 'utf8').startsWith(`# ${MARK}`));
  if (foreign.length === 0) return;
  throw new WalbError(
    'already-exists',
    `${foreign.join(', ')}: not written by walb systemd and left as it is; --force replaces it`,
  );
}

function write(folder: string, { name, text }: Unit): string {
  const path = join(folder, name);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return `${path} is as it should be`;
  writeFileSync(`${path}.tmp`, text, { mode: 0o644, flush: true });
  renameSync(`${path}.tmp`, path);
  return `wrote ${path}`;
}
