/**
 * Runs scenarios of the simulator (docs/simulator.md).
 *
 *     npm run sim                                     list of scenarios
 *     npm run sim -- append-log --seeds 1000          seeds 1 .. 1000
 *     npm run sim -- append-log --seeds 1000 --from 5001
 *     npm run sim -- append-log --seed 17 --trace     one world, every line of it
 *     npm run sim -- all --seeds 100                  all scenarios; canaries must be caught
 */
import { parseArgs } from 'node:util';
import { runSeed } from '../test/sim/explore.ts';
import { type RegisteredScenario, SCENARIOS } from '../test/sim/scenarios.ts';

const DEFAULT_SEEDS = 100;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: String(DEFAULT_SEEDS) },
    from: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
  },
});

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
  const ok = scenario.canary ? failures > 0 : failures === 0;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const verdict = scenario.canary ? `caught in ${failures}` : `failed in ${failures}`;
  console.log(
    `${ok ? 'ok  ' : 'FAIL'} ${scenario.name}: ${verdict} of ${count} seeds (${seconds} s)`,
  );
  return ok;
}

async function main(name: string | undefined): Promise<number> {
  if (name === undefined) {
    list();
    return 0;
  }
  const scenarios = chosen(name);
  if (scenarios.length === 0) {
    console.error(`no scenario is called ${name}; run without arguments for the list`);
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
