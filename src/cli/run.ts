/**
 * How every program of walb-ts ends: one line on stderr that says what was wrong, the facts behind
 * it, and the exit code of its error code (src/core/errors.ts).
 */
import { type ErrorDetail, WalbError } from '../core/index.ts';

/** Runs a program's main function and sets the process exit code; never throws. */
export async function runProgram(
  name: string,
  main: () => Promise<number | undefined>,
): Promise<void> {
  quietWhenReaderLeaves(process.stdout);
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (thrown) {
    const error = WalbError.from(thrown);
    process.stderr.write(describeFailure(name, error));
    process.exitCode = error.exitCode;
  }
}

/** The lines an operator sees for a failure. */
export function describeFailure(name: string, error: WalbError): string {
  const details = Object.entries(error.details)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${formatDetail(value)}`);
  const lines = [`${name}: ${error.message}`];
  if (details.length > 0) lines.push(`  (${error.code}: ${details.join(', ')})`);
  if (error.code === 'internal') {
    const cause = error.cause instanceof Error ? error.cause : error;
    lines.push('  This is a defect in walb-ts; please report it with the lines below.');
    lines.push(cause.stack ?? String(cause));
  }
  return `${lines.join('\n')}\n`;
}

function formatDetail(value: ErrorDetail): string {
  return typeof value === 'string' && /[\s,=]/.test(value) ? JSON.stringify(value) : String(value);
}

/** `walb wlog show FILE | head` ends quietly, as other Unix tools do. */
function quietWhenReaderLeaves(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}
