/**
 * The command line `walbc` at real servers, as scripts use it: words in; exit code, stdout and stderr
 * out. It runs in this process, so that hundreds of commands take seconds; `bin/walbc` itself is run
 * where the program matters.
 */
import { RealClock } from '../../src/core/real-clock.ts';
import { grpcNetwork } from '../../src/rpc/index.ts';
import { walbcProgram } from '../../src/walbc/cli/program.ts';

export interface Outcome {
  readonly code: number;
  /** One character per byte. */
  readonly stdout: string;
  readonly stderr: string;
}

export async function walbc(...words: string[]): Promise<Outcome> {
  let [stdout, stderr] = ['', ''];
  const code = await walbcProgram(words, {
    clock: new RealClock(),
    environment: {},
    hostName: 'host',
    isTerminal: false,
    stdout: async (data) => {
      stdout += typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
    },
    stderr: (text) => {
      stderr += text;
    },
    network: () => grpcNetwork(),
  });
  return { code, stdout, stderr };
}
