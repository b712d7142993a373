/**
 * Runs a scenario over many seeds. A failure names the seed and how to replay it.
 *
 * A scenario is registered in scenarios.ts, so that `npm run sim -- <name> --seed <n>` runs the
 * very same thing.
 */
import { SimWorld } from './world.ts';

export interface Scenario {
  /** As in `npm run sim -- <name>`. */
  readonly name: string;
  readonly about: string;
  /** Drives one world; throws when a promise of the system under test was broken. */
  readonly run: (world: SimWorld) => Promise<void>;
}

export interface RunResult {
  readonly seed: string;
  readonly traceHash: string;
  readonly error: Error | undefined;
}

/** One world; the error, if any, says how to see it again. */
export async function runSeed(
  scenario: Scenario,
  seed: string,
  print?: (line: string) => void,
): Promise<RunResult> {
  const world = new SimWorld(print === undefined ? { seed } : { seed, print });
  try {
    await world.run(() => scenario.run(world));
    return { seed, traceHash: world.traceHash(), error: undefined };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    error.message += `\nreplay: npm run sim -- ${scenario.name} --seed ${seed} --trace`;
    return { seed, traceHash: world.traceHash(), error };
  }
}

/** Runs seeds `first` .. `first + count - 1`; stops at the first failure and throws it. */
export async function explore(scenario: Scenario, count: number, first = 1): Promise<void> {
  const failed = await findFailure(scenario, count, first);
  if (failed?.error !== undefined) throw failed.error;
}

/** The first failing seed: canaries must have one. */
export async function findFailure(
  scenario: Scenario,
  count: number,
  first = 1,
): Promise<RunResult | undefined> {
  for (let seed = first; seed < first + count; seed++) {
    const result = await runSeed(scenario, String(seed));
    if (result.error !== undefined) return result;
  }
  return undefined;
}
