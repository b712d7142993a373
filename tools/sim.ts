/**
 * Runs scenarios of the simulator (docs/simulator.md).
 *
 *     npm run sim -- --seeds 1000                     all scenarios; canaries must be caught
 *     npm run sim -- --list                           their names
 *     npm run sim -- append-log --seeds 1000          seeds 1 .. 1000
 *     npm run sim -- append-log --seeds 1000 --from 5001
 *     npm run sim -- append-log --seed 17 --trace     one world, every line of it
 */
import { parseArgs } from 'node:util';
import { runSeed } from '../test/sim/explore.ts';
import { type RegisteredScenario, SCENARIOS } from '../test/sim/scenarios.ts';

const DEFAULT_SEEDS = 100;
/** A flaw that fewer seeds do not show says nothing yet. */
const CANARY_SEEDS = 50;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: String(DEFAULT_SEEDS) },
    from: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const HELP = `npm run sim -- [SCENARIO] [--seeds N] [--from SEED] [--seed SEED [--trace]] [--list]

Runs simulated worlds, one per seed: every scenario, or the one that is named. A failing seed is
printed and fails again: npm run sim -- SCENARIO --seed SEED --trace
`;

function list(): void {
  for (const { name, about } of SCENARIOS) console.log(`${name.padEnd(32)} ${about}`);
}

function chosen(name: string): readonly RegisteredScenario[] {
  return name === 'all' ? SCENARIOS : SCENARIOS.filter((scenario) => scenario.name === name);
}

/** True when the scenario did as it should. */
async function runOne(scenario: RegisteredScenario, seed: string): Promise<boolean> {
  const result = await runSeed(scenario, seed, values.trace ? console.log : undefined);
  console.log(`${scenario.name} seed ${seed}: trace ${result.traceHash}`);
  if (result.error !== undefined) console.log(result.error.message);
  return result.error === undefined;
}

async function runMany(scenario: RegisteredScenario, first: number, count: number) {
  const started = performance.now();
  let failures = 0;
  for (let seed = first; seed < first + count; seed++) {
    const { error } = await runSeed(scenario, String(seed));
    if (error === undefined) continue;
    failures++;
    if (!scenario.canary && failures === 1) console.log(error.message);
  }
  const ok = scenario.canary ? failures > 0 || count < CANARY_SEEDS : failures === 0;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const verdict = scenario.canary ? `caught in ${failures}` : `failed in ${failures}`;
  console.log(
    `${ok ? 'ok  ' : 'FAIL'} ${scenario.name}: ${verdict} of ${count} seeds (${seconds} s)`,
  );
  return ok;
}

async function main(name = 'all'): Promise<number> {
  if (values.help || values.list) {
    if (values.help) console.log(HELP);
    list();
    return 0;
  }
  const scenarios = chosen(name);
  if (scenarios.length === 0) {
    console.error(`no scenario is called ${name}; --list names them`);
    return 2;
  }
  let ok = true;
  for (const scenario of scenarios) {
    const fine =
      values.seed === undefined
        ? await runMany(scenario, Number(values.from), Number(values.seeds))
        : await runOne(scenario, values.seed);
    ok &&= fine;
  }
  return ok ? 0 : 1;
}

process.exitCode = await main(positionals[0]);
