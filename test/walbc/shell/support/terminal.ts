/** Drives a program on a pseudo-terminal (terminal.py). */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export type Step =
  | readonly ['type', string]
  | readonly ['expect', string]
  | readonly ['signal', number];

export interface TerminalResult {
  readonly screen: string;
  readonly status: number;
  /** The step that did not happen. */
  readonly failed: Step | null;
}

/** Runs a TypeScript program on a terminal through these steps, then until it ends. */
export async function onTerminal(
  program: URL,
  steps: readonly Step[],
  env: Readonly<Record<string, string>> = {},
): Promise<TerminalResult> {
  const driver = fileURLToPath(new URL('./terminal.py', import.meta.url));
  const python = spawn('python3', [driver], { stdio: ['pipe', 'pipe', 'inherit'] });
  const command = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    fileURLToPath(program),
  ];
  python.stdin.end(
    JSON.stringify({ command, env: { TERM: 'xterm', WALB_HISTORY: '', ...env }, steps }),
  );
  const chunks: Buffer[] = [];
  for await (const chunk of python.stdout) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as TerminalResult;
}
