/** The shell: what a blocking call costs beyond the asynchronous one, and how long it takes to start. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { classes } from '../src/walbc/shell/library-names.ts';
import type { MainLibrary } from '../src/walbc/shell/main-library.ts';
import { shapeOfClass } from '../src/walbc/shell/remote-shape.ts';
import { ShellSession } from '../src/walbc/shell/session.ts';
import { measureAsync, peakMemoryMiB, printRows, printTable } from './support.ts';

const CALLS = 20_000;
const STARTS = 10;
const WALBC = fileURLToPath(new URL('../bin/walbc', import.meta.url));

/** Waits for the prompt on a pseudo-terminal and leaves it. */
const ON_TERMINAL = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], [sys.argv[1]])
seen = b''
while b'walbc> ' not in seen:
    seen += os.read(terminal, 65536)
os.write(terminal, b'exit\\r')
try:
    while os.read(terminal, 65536):
        pass
except OSError:
    pass
os.waitpid(pid, 0)
`;

/** A library whose calls do nothing. */
class Nothing {
  async answer(value: unknown): Promise<unknown> {
    return value;
  }
}

const library: MainLibrary = {
  url: new URL('../src/walbc/shell/library-names.ts', import.meta.url),
  classes,
  remotes: {
    Nothing: { cls: Nothing, shape: shapeOfClass('Nothing', Nothing), create: () => new Nothing() },
  },
  functions: {},
};

async function benchCalls(): Promise<void> {
  const session = await ShellSession.start({
    library,
    globals: { nothing: new Nothing() },
    output: { write: () => {}, drained: async () => {}, columns: 80, colors: false },
  });
  const loop = (call: string): (() => Promise<unknown>) => {
    const code = `for (let i = 0; i < ${CALLS}; i++) ${call}`;
    return () => session.evaluate(code, 'bench', 'script');
  };
  const target = new Nothing();
  const direct = await measureAsync(
    'await, no thread between',
    CALLS,
    async () => {
      for (let i = 0; i < CALLS; i++) await target.answer(i);
    },
    { unit: 'op' },
  );
  const options = { unit: 'op', seconds: 2 } as const;
  const samples = [
    direct,
    await measureAsync('blocking call, a number', CALLS, loop('nothing.answer(i)'), options),
    await measureAsync(
      'blocking call, 3 gids',
      CALLS,
      loop('nothing.answer([1n, 2n, 3n])'),
      options,
    ),
    await measureAsync(
      'blocking call, a snapshot',
      CALLS,
      loop('nothing.answer(Snapshot())'),
      options,
    ),
  ];
  printTable('calls per second', samples, direct);
  for (const { name, seconds, amount } of samples) {
    console.log(`${name}: ${((seconds / amount) * 1e6).toFixed(1)} µs`);
  }
  await session.close();
}

interface Start {
  readonly name: string;
  readonly words: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const NO_CACHE = { NODE_DISABLE_COMPILE_CACHE: '1' };
/** Nobody listens there: what is measured is getting as far as the connection. */
const ONE_SHOT = [WALBC, '-a', '127.0.0.1', '-p', '9', '-to', '1', 'kick'];

const STARTS_OF: readonly Start[] = [
  { name: 'node -e 0', words: [process.execPath, '-e', '0'] },
  { name: 'walbc -a ADDR -p PORT kick', words: ONE_SHOT },
  { name: 'the same, first run', words: ONE_SHOT, env: NO_CACHE },
  { name: "walbc -c 'None'", words: [WALBC, '-c', 'None'] },
  { name: 'the same, first run', words: [WALBC, '-c', 'None'], env: NO_CACHE },
  { name: 'the prompt, and exit', words: ['python3', '-c', ON_TERMINAL, WALBC] },
];

/** Wall-clock time depends on what else the machine does; CPU time, of all children, hardly. */
function benchStart(): void {
  const rows = STARTS_OF.map(({ name, words, env = {} }) => {
    const runs = Array.from({ length: STARTS }, () => measureStart(words, env));
    const least = (pick: (run: Run) => number): string =>
      `${Math.round(Math.min(...runs.map(pick)))} ms`;
    return [name, least(({ cpu }) => cpu), least(({ wall }) => wall)];
  });
  printRows([[`from start to end, least of ${STARTS}`, 'CPU', 'wall clock'], ...rows]);
}

interface Run {
  readonly wall: number;
  readonly cpu: number;
}

function measureStart(words: readonly string[], env: Readonly<Record<string, string>>): Run {
  const began = performance.now();
  // The second line of `times` is what the children used.
  const script = '"$@" >/dev/null 2>&1; times';
  const { stdout } = spawnSync('sh', ['-c', script, 'sh', ...words], {
    encoding: 'utf8',
    env: { ...process.env, WALB_HISTORY: '', ...env },
  });
  const wall = performance.now() - began;
  const parts = [...(stdout.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
  const cpu = parts.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  );
  return { wall, cpu: cpu * 1000 };
}

await benchCalls();
benchStart();
console.log(`peak memory ${peakMemoryMiB().toFixed(0)} MiB`);
