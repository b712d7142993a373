/** `walbc start-servers [--layout FILE] [NAME...]`. */
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { WalbError } from '../../core/index.ts';
import { grpcNetwork } from '../../rpc/index.ts';
import { Controller } from '../controller/controller.ts';
import { AuditLog, auditFileOf, originOf } from '../safety/audit-log.ts';
import { errorEnding } from '../safety/audit-record.ts';
import { get_server } from '../utilities.ts';
import { type LayoutTerminal, loadNeeded } from './command.ts';

const USAGE = 'usage: walbc start-servers [--layout FILE] [NAME...]';

/** All servers of the layout, or those that are named. Throws what the first failure says. */
export async function startCommandLine(
  words: readonly string[],
  terminal: LayoutTerminal,
): Promise<number> {
  if (words[0] === '--help') {
    terminal.output.write(
      `${USAGE}\n\nStarts servers of the layout that have a dataDir: all, or those that are named.\n`,
    );
    return 0;
  }
  const { names, option } = parse(words);
  const { file, layout, tls } = await loadNeeded(option, terminal);
  const network = grpcNetwork(tls === undefined ? {} : { tls });
  const print = (text: string): void => void terminal.output.write(`${text}\n`);
  using walbc = new Controller('walbc', layout, false, 0, { network, print });
  const all = layout.get_all();
  const chosen = names.length === 0 ? null : names.map((name) => get_server(name, all));
  const call = `walbc.start_servers(${chosen === null ? '' : `[${names.join(', ')}]`})`;
  await audited(call, file, terminal, () => walbc.start_servers(chosen));
  return 0;
}

/** It is a change like any other, so it is in the audit log. */
async function audited(
  call: string,
  layoutFile: string,
  { env }: LayoutTerminal,
  work: () => Promise<void>,
): Promise<void> {
  const origin = originOf(env, hostname(), { interface: 'one-shot', layout: layoutFile });
  const warn = (text: string): void => void process.stderr.write(`${text}\n`);
  const end = new AuditLog({ file: auditFileOf(env), origin, warn }).begin(call);
  const began = performance.now();
  const durationMs = (): number => Math.round(performance.now() - began);
  try {
    await work();
    end({ durationMs: durationMs() });
  } catch (thrown) {
    end({ durationMs: durationMs(), error: errorEnding(thrown) });
    throw thrown;
  }
}

function parse(words: readonly string[]): { names: string[]; option: string | undefined } {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options: { layout: { type: 'string' } },
      allowPositionals: true,
    });
    return { names: positionals, option: values.layout };
  } catch (thrown) {
    const problem = thrown instanceof Error ? thrown.message : String(thrown);
    throw new WalbError('invalid-argument', `start-servers: ${problem}\n${USAGE}`);
  }
}
