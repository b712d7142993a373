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

function benchStart(): void {
  const millis = Array.from({ length: STARTS }, () => {
    const began = performance.now();
    const { status, stderr } = spawnSync(WALBC, ['-c', 'None'], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`walbc -c failed: ${stderr}`);
    return performance.now() - began;
  }).sort((a, b) => a - b);
  const show = (value: number | undefined): string => `${Math.round(value ?? 0)} ms`;
  printRows([
    ['start to end of `walbc -c None`', 'fastest', 'median', 'slowest'],
    ['', show(millis[0]), show(millis[STARTS >> 1]), show(millis.at(-1))],
  ]);
}

await benchCalls();
benchStart();
console.log(`peak memory ${peakMemoryMiB().toFixed(0)} MiB`);
