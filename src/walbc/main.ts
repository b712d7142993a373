/**
 * `walbc`: the controller program.
 *
 *     walbc                                    the shell
 *     walbc shell|run|-c ...                   the same, with its options
 *     walbc layout init|check|show             the layout file
 *     walbc start-servers [NAME...]            starts servers of the layout
 *     walbc audit [--since 1d] [--json]        what was changed, by whom
 *     walbc check [LIMITS]                     the group's health, for cron and monitoring systems
 *     walbc wait CONDITION                     blocks until it is so
 *     walbc -a ADDR -p PORT COMMAND [ARGS...]  one command at one server
 */
import { hostname } from 'node:os';
import { RealClock } from '../core/real-clock.ts';
import { useCompileCache } from '../core/real-compile-cache.ts';
import type { Terminal } from './cli/program.ts';
import type { AuditLog } from './safety/audit-log.ts';

const SHELL_WORDS: ReadonlySet<string | undefined> = new Set([
  undefined,
  'shell',
  'run',
  '-c',
  '--layout',
  '--confirm',
  '--python',
]);

async function main(words: readonly string[]): Promise<number> {
  if (SHELL_WORDS.has(words[0])) {
    const { shellMain } = await import('./shell/main.ts');
    return await shellMain([...words]);
  }
  if (words[0] === 'layout' || words[0] === 'start-servers') {
    const { layoutMain } = await import('./layout-file/main.ts');
    return await layoutMain(words);
  }
  if (words[0] === 'audit') {
    const { auditMain } = await import('./safety/audit-command.ts');
    return auditMain(words.slice(1), {
      environment: process.env,
      now: Date.now(),
      stdout: (text) => process.stdout.write(text),
      stderr: (text) => process.stderr.write(text),
    });
  }
  if (words[0] === 'check') {
    const { checkProgram } = await import('./health/check-program.ts');
    const { env } = process;
    // Nobody who reads it, or a full disk: the exit code says it all the same.
    process.stdout.removeAllListeners('error').on('error', () => {});
    const print = (text: string): Promise<void> => writeOut(text).catch(() => {});
    const terminal = { env, cwd: process.cwd(), now: Date.now, print };
    // At once: a server that hangs must not keep what only closes connections waiting.
    process.exit(await checkProgram(words.slice(1), terminal));
  }
  if (words[0] === 'wait') {
    const { waitProgram } = await import('./health/wait-program.ts');
    return await waitProgram(words.slice(1), {
      env: process.env,
      cwd: process.cwd(),
      monotonic: () => performance.now(),
      stdout: (text) => void process.stdout.write(text),
      stderr: (text) => void process.stderr.write(text),
    });
  }
  const { walbcProgram } = await import('./cli/program.ts');
  const wanted = words[0] === '--help' ? ['-h'] : words;
  return await walbcProgram(wanted, await terminal());
}

async function terminal(): Promise<Terminal> {
  const { grpcNetwork } = await import('../rpc/grpc-network.ts');
  return {
    clock: new RealClock(),
    environment: process.env,
    hostName: hostname(),
    isTerminal: process.stdout.isTTY === true,
    audit: openAudit,
    stdout: writeOut,
    stderr: (text) => void process.stderr.write(text),
    network: (tls, connectTimeout) =>
      grpcNetwork({ connectTimeout, ...(tls === undefined ? {} : { tls }) }),
  };
}

/** Loaded for commands that change something only: a query answers quickly. */
async function openAudit(): Promise<Pick<AuditLog, 'begin'>> {
  const { AuditLog, auditFileOf, originOf } = await import('./safety/audit-log.ts');
  const origin = originOf(process.env, hostname(), { interface: 'one-shot', layout: '' });
  const warn = (text: string): void => void process.stderr.write(`${text}\n`);
  return new AuditLog({ file: auditFileOf(process.env), origin, warn });
}

/** Resolves when the bytes are out, so that an image does not pile up in memory before a slow pipe. */
function writeOut(data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(data, (error) => (error == null ? resolve() : reject(error)));
  });
}

// `walbc ... | head` ends quietly, as other Unix tools do.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

// Before anything else is loaded.
useCompileCache(process.env);
process.exitCode = await main(process.argv.slice(2));
