/**
 * Running programs on this machine.
 *
 * Source: controller-api.md 1.3 (run_local_command, exists_file).
 */
import { WalbError } from '../core/index.ts';
import { show } from './verify.ts';

/** Runs a program and gives its stdout; local, or on a server's host (get_run_remote_command). */
export type RunCommand = (args: readonly string[], putMsg?: boolean) => Promise<string>;

/** A program that prints more than this is not one whose output is a value. */
const MAX_OUTPUT = 16 * 1024 * 1024;

/**
 * Runs `args` (the program first, by its full path) without a shell, waits for its end and returns
 * its stdout without white space around it. Throws `io` when it fails. Its stderr goes to ours unless
 * `quietErr`; `putMsg` prints the command and its result.
 *
 *     run_local_command(['/bin/uname', '-r'])
 */
export async function run_local_command(
  args: readonly string[],
  putMsg = false,
  quietErr = false,
): Promise<string> {
  const [program, ...rest] = args;
  if (program === undefined || !args.every((word) => typeof word === 'string')) {
    throw new WalbError('invalid-argument', `can not run ${show(args)}: a list of texts is needed`);
  }
  const { execa } = await import('execa');
  if (putMsg) process.stdout.write(`run_local_command: ${args.join(' ')}\n`);
  const result = await execa(program, rest, {
    stdin: 'ignore',
    stderr: quietErr ? 'ignore' : 'inherit',
    reject: false,
    stripFinalNewline: false,
    maxBuffer: MAX_OUTPUT,
  });
  if (result.failed) {
    const how =
      result.exitCode === undefined ? result.shortMessage : `exit code ${result.exitCode}`;
    throw new WalbError('io', `command failed: ${args.join(' ')}: ${how}`, {
      details: { program, exitCode: result.exitCode, signal: result.signal },
    });
  }
  const output = result.stdout.trim();
  if (putMsg) process.stdout.write(`run_local_command: result: ${output}\n`);
  return output;
}

/** Whether `path` is a block device on the machine that `runCommand` runs programs on. */
export async function exists_file(
  path: string,
  runCommand: RunCommand = run_local_command,
): Promise<boolean> {
  // The path is an argument of the shell, not a part of its program text.
  const script = 'if [ -b "$1" ]; then echo 1; else echo 0; fi';
  return (await runCommand(['/bin/sh', '-c', script, 'sh', path])) === '1';
}
