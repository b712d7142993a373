/**
 * `npm test`: the static checks, then every test, then one closing line with the counts.
 * Arguments are passed on to vitest (then the checks are left out).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly numPendingTests: number;
}

const args = process.argv.slice(2);
const inherit = { stdio: 'inherit' } as const;

const checksFailed =
  args.length === 0 && spawnSync(process.execPath, ['tools/check.ts'], inherit).status !== 0;

const scratch = mkdtempSync(join(tmpdir(), 'walb-test-'));
const reportFile = join(scratch, 'report.json');
const run = spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportFile}`,
    ...args,
  ],
  inherit,
);
const report = JSON.parse(readFileSync(reportFile, 'utf8')) as Report;
rmSync(scratch, { recursive: true, force: true });

// A file that could not even be loaded has no failed test in it, but is a failure all the same.
const failed =
  report.numFailedTests + (checksFailed ? 1 : 0) ||
  (run.status !== 0 ? Math.max(1, report.numFailedTestSuites) : 0);
console.log(`${report.numPassedTests} passed, ${failed} failed, ${report.numPendingTests} skipped`);
process.exit(failed > 0 || report.numPassedTests === 0 ? 1 : 0);
