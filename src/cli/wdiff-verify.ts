/** `walb wdiff verify`: is a diff whole, and if not, where is it damaged. */
import type { Command } from 'commander';
import { ERROR_CODES, formatSizeForHumans } from '../core/index.ts';
import { type VerifyReport, verifyDiff } from '../wdiff/index.ts';
import { printLines, toJson, withFile } from './wlog-io.ts';

interface Options {
  readonly json?: boolean;
}

export function register(program: Command): void {
  program
    .command('verify')
    .description('read diffs as a whole, data included, and say where they are damaged')
    .argument('<file...>', 'sorted or indexed wdiff files')
    .option('--json', 'one object per file')
    .action(verify);
}

async function verify(paths: string[], options: Options): Promise<void> {
  for (const path of paths) {
    const report = await withFile(path, 'read', (handle) => verifyDiff(handle));
    await printLines(options.json === true ? [toJson(report)] : textOf(report));
    if (!report.ok) process.exitCode = ERROR_CODES.corrupt.exit;
  }
}

function* textOf(report: VerifyReport): Generator<string> {
  const { file, records, normal, zero, discard } = report;
  if (report.ok) {
    const data = formatSizeForHumans(report.dataSize);
    const kinds = `${normal} normal with ${data}, ${zero} zero, ${discard} discard`;
    yield `${file}: ok, ${report.format}, ${records} records (${kinds})`;
    return;
  }
  yield `${file}: DAMAGED, ${report.problems.length} problems after ${records} records`;
  for (const { message } of report.problems) yield `  ${message}`;
}
