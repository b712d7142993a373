/**
 * Everything a program can check without running the tests: types, format, lint, import directions,
 * banned calls, generated files being current. `npm run check`; `npm test` runs it first.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

const node = process.execPath;

export const CHECKS: readonly Check[] = [
  {
    name: 'types',
    command: [node, 'node_modules/typescript-native/bin/tsc', '--noEmit', '-p', 'tsconfig.json'],
  },
  {
    name: 'format and lint',
    command: ['node_modules/.bin/biome', 'ci', '--colors=off', '--max-diagnostics=20', '.'],
  },
  {
    name: 'import directions',
    command: [
      'node_modules/.bin/depcruise',
      '--config',
      '.dependency-cruiser.json',
      '--output-type',
      'err',
      'src',
      'examples',
    ],
  },
  { name: 'tidy', command: [node, 'tools/tidy.ts'] },
  { name: 'kernels are current', command: [node, 'tools/build-kernels.ts', '--check'] },
  { name: 'protocol code is current', command: [node, 'tools/generate-proto.ts', '--check'] },
  { name: 'docs/states.md is current', command: [node, 'tools/generate-states-doc.ts', '--check'] },
];

function run(check: Check): boolean {
  const started = performance.now();
  const [program, ...args] = check.command;
  const result = spawnSync(program!, args, { encoding: 'utf8' });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const ok = result.status === 0;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${check.name} (${seconds} s)`);
  if (!ok) console.log(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}`);
  return ok;
}

if (!existsSync('package.json')) throw new Error('run from the root of the project');
const failed = CHECKS.filter((check) => !run(check));
if (failed.length > 0) {
  console.log(`${failed.length} of ${CHECKS.length} checks failed`);
  process.exit(1);
}
