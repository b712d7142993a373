/** `walbc start-servers [--layout FILE] [NAME...]`. */
import { parseArgs } from 'node:util';
import { WalbError } from '../../core/index.ts';
import { grpcNetwork } from '../../rpc/index.ts';
import { Controller } from '../controller/controller.ts';
import { get_server } from '../utilities.ts';
import { type LayoutTerminal, loadNeeded } from './command.ts';

const USAGE = 'usage: walbc start-servers [--layout FILE] [NAME...]';

/** All servers of the layout, or those that are named. Throws what the first failure says. */
export async function startCommandLine(
  words: readonly string[],
  terminal: LayoutTerminal,
): Promise<number> {
  const { names, option } = parse(words);
  const { layout, tls } = await loadNeeded(option, terminal);
  const network = grpcNetwork(tls === undefined ? {} : { tls });
  const print = (text: string): void => void terminal.output.write(`${text}\n`);
  using walbc = new Controller('walbc', layout, false, 0, { network, print });
  const all = layout.get_all();
  await walbc.start_servers(names.length === 0 ? null : names.map((name) => get_server(name, all)));
  return 0;
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
