/**
 * `walbc layout init|check|show`: the layout file, made, examined and explained.
 *
 *     walbc layout init --storage s0=localhost:10000 --proxy p0=localhost:10100 --archive a0=localhost:10200
 *     walbc layout check --connect
 *     walbc layout show --commands
 */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { WalbError } from '../../core/index.ts';
import { findLayoutFile, LAYOUT_NAMES, loadLayout } from '../shell/layout-file.ts';
import type { Finding } from './finding.ts';
import { checkLayout, checkServers } from './findings.ts';
import { checkOutput, writeLayout } from './initialize.ts';
import type { LoadedLayout } from './loaded.ts';
import { layoutAsData, layoutTable } from './overview.ts';
import { type NewGroup, parseNewServer, QUESTIONS, type Section } from './template.ts';

export interface LayoutTerminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

const USAGE = `usage: walbc layout init  [--storage NAME=HOST:PORT]... [--proxy ...]... [--archive ...]... [--output FILE] [--force]
       walbc layout check [--layout FILE] [--connect]
       walbc layout show  [--layout FILE] [--json | --commands]`;

/** Servers that do not answer within this are down for a check. */
const CONNECT_SEC = 5;

/** `words` follow `layout`. Returns the exit code: 1 when `check` finds errors. Throws WalbError. */
export async function layoutCommand(
  words: readonly string[],
  terminal: LayoutTerminal,
): Promise<number> {
  const [command, ...rest] = words;
  switch (command) {
    case 'init':
      return await init(rest, terminal);
    case 'check':
      return await check(rest, terminal);
    case 'show':
      return await show(rest, terminal);
    case '-h':
    case '--help':
      terminal.output.write(`${USAGE}\n`);
      return 0;
    default:
      throw misused(command === undefined ? 'a command is needed' : `'${command}' is no command`);
  }
}

function misused(problem: string): WalbError {
  return new WalbError('invalid-argument', `layout: ${problem}\n${USAGE}`);
}

/** The values of options; `parseArgs` names what is wrong with others. */
function parse<T extends NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>>(
  words: readonly string[],
  options: T,
) {
  try {
    return parseArgs({ args: [...words], options, strict: true }).values;
  } catch (thrown) {
    throw misused(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

async function init(words: readonly string[], terminal: LayoutTerminal): Promise<number> {
  const server = { type: 'string', multiple: true } as const;
  const values = parse(words, {
    storage: server,
    proxy: server,
    archive: server,
    output: { type: 'string', default: 'walb.yaml' },
    force: { type: 'boolean', default: false },
  });
  const given = QUESTIONS.some(({ section }) => values[section] !== undefined);
  // Before the questions: nobody wants to have answered them for nothing.
  checkOutput({ cwd: terminal.cwd, output: values.output, force: values.force });
  const texts = given ? values : await ask(terminal);
  const list = (section: Section) => (texts[section] ?? []).map(parseNewServer);
  const group: NewGroup = {
    storage: list('storage'),
    proxy: list('proxy'),
    archive: list('archive'),
  };
  const file = writeLayout(group, {
    cwd: terminal.cwd,
    output: values.output,
    force: values.force,
  });
  terminal.output.write(`wrote ${file}; 'walbc layout check' examines it\n`);
  return 0;
}

/** Asks for the servers of each kind. Only at a terminal: a script says them as options. */
async function ask(terminal: LayoutTerminal): Promise<Partial<Record<Section, string[]>>> {
  const { input, output } = terminal;
  if (input.isTTY !== true || output.isTTY !== true) {
    throw misused('init needs --storage, --proxy or --archive where it can not ask');
  }
  const lines = createInterface({ input, output });
  // An iterator keeps lines that are typed ahead.
  const typed = lines[Symbol.asyncIterator]();
  const answers: Partial<Record<Section, string[]>> = {};
  try {
    output.write('Servers of each kind as NAME=HOST:PORT, separated by spaces; - for none.\n');
    for (const { section, example } of QUESTIONS) {
      let servers: string[] | undefined;
      while (servers === undefined) {
        output.write(`${section} [${example}]: `);
        const { value: line, done } = await typed.next();
        if (done === true)
          throw misused('the input ended before all was answered; nothing was written');
        servers = accepted(line.trim() || example, output);
      }
      answers[section] = servers;
    }
    return answers;
  } finally {
    lines.close();
  }
}

/** The servers of an answer; undefined, and a line that says why, when it has to be asked again. */
function accepted(answer: string, output: NodeJS.WritableStream): string[] | undefined {
  const texts = answer === '-' ? [] : answer.split(/[\s,]+/);
  try {
    texts.forEach(parseNewServer);
    return texts;
  } catch (thrown) {
    output.write(`${WalbError.from(thrown).message}\n`);
    return undefined;
  }
}

/** The layout file that there must be. */
export async function loadNeeded(
  option: string | undefined,
  terminal: LayoutTerminal,
): Promise<LoadedLayout> {
  const { env, cwd } = terminal;
  const file = findLayoutFile({ option, env, cwd });
  if (file !== undefined) return await loadLayout(file);
  throw new WalbError(
    'not-found',
    `there is no layout file: --layout FILE and WALB_LAYOUT name none, and neither ${cwd}, ~/.config/walb nor /etc/walb has a ${LAYOUT_NAMES.join(', ')}. 'walbc layout init' makes one`,
  );
}

async function check(words: readonly string[], terminal: LayoutTerminal): Promise<number> {
  const { layout: option, connect } = parse(words, {
    layout: { type: 'string' },
    connect: { type: 'boolean', default: false },
  });
  const loaded = await loadNeeded(option, terminal);
  const findings = [
    ...(await checkLayout(loaded, new Date())),
    ...(connect ? await connectAll(loaded) : []),
  ];
  for (const { level, about, text } of findings) {
    terminal.output.write(`${level}: ${about}: ${text}\n`);
  }
  terminal.output.write(`${summary(loaded, findings)}\n`);
  return findings.some(({ level }) => level === 'error') ? 1 : 0;
}

function summary({ file, layout }: LoadedLayout, findings: readonly Finding[]): string {
  const count = (level: Finding['level']) => findings.filter((one) => one.level === level).length;
  const [errors, warnings] = [count('error'), count('warning')];
  const servers = layout.get_all().length;
  if (errors + warnings === 0) return `${file}: good, ${servers} servers`;
  return `${file}: ${servers} servers, ${errors} errors, ${warnings} warnings`;
}

async function connectAll({ layout, tls }: LoadedLayout): Promise<Finding[]> {
  const [{ Controller }, { grpcNetwork }] = await Promise.all([
    import('../controller/controller.ts'),
    import('../../rpc/index.ts'),
  ]);
  const network = grpcNetwork(tls === undefined ? {} : { tls });
  using walbc = new Controller('walbc', layout, false, CONNECT_SEC, { network });
  return await checkServers(layout, (server) => walbc.get_host_type(server));
}

async function show(words: readonly string[], terminal: LayoutTerminal): Promise<number> {
  const values = parse(words, {
    layout: { type: 'string' },
    json: { type: 'boolean', default: false },
    commands: { type: 'boolean', default: false },
  });
  if (values.json && values.commands) throw misused('show takes --json or --commands, not both');
  const loaded = await loadNeeded(values.layout, terminal);
  terminal.output.write(`${overview(loaded, values)}\n`);
  return 0;
}

function overview(
  loaded: LoadedLayout,
  { json, commands }: { readonly json: boolean; readonly commands: boolean },
): string {
  if (json) return JSON.stringify(layoutAsData(loaded), undefined, 2);
  return commands ? loaded.layout.get_cmd_lines().join('\n') : layoutTable(loaded);
}
