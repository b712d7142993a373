/** The world of a real server: this machine's clock, randomness and files. */
import type { Env } from './env.ts';
import type { Logger } from './logger.ts';
import type { Network } from './network.ts';
import { RealClock } from './real-clock.ts';
import { RealFiles } from './real-files.ts';
import { RealRandom } from './real-random.ts';

export interface RealEnvOptions {
  /** gRPC, or in memory for the embedded demo (src/rpc). */
  readonly network: Network;
  /** `createRealLogger` of real-logger.ts, or `silentLogger`. */
  readonly log: Logger;
}

export function createRealEnv({ network, log }: RealEnvOptions): Env {
  return {
    clock: new RealClock(),
    random: new RealRandom(),
    files: new RealFiles(),
    network,
    log,
  };
}
