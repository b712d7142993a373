/**
 * `walb`: the umbrella command. Each subcommand lives in a file of its own and is loaded only when
 * it is asked for, so that start-up stays short.
 */
import { Command } from 'commander';
import { WalbError } from '../core/index.ts';
import { useCompileCache } from '../core/real-compile-cache.ts';
import { runProgram } from './run.ts';

interface Subcommand {
  readonly about: string;
  /** The module registers the subcommand with all its own subcommands and options. */
  readonly load: () => Promise<{
    register(program: Command): void;
    /** Translates options of the original. */
    rewriteWords?(words: readonly string[]): string[];
  }>;
}

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  demo: {
    about: 'a whole backup group on this machine, with real data, ending at the walbc prompt',
    load: () => import('./demo.ts'),
  },
  wlog: {
    about: 'log files: show, analyze, gen, redo, cat, restore, to-wdiff',
    load: () => import('./wlog.ts'),
  },
  ldev: {
    about: 'log devices (the ring on disk): info, show, cat, format',
    load: () => import('./ldev.ts'),
  },
  wdiff: {
    about: 'diff files: show, merge, redo, cat, dump, verify, name',
    load: () => import('./wdiff.ts'),
  },
  wdev: {
    about: 'walb devices: serve, create, list, delete, resize, info',
    load: () => import('./wdev.ts'),
  },
  worker: {
    about: 'maintenance of an archive: apply, merge, replicate by policy',
    load: () => import('./worker.ts'),
  },
  prune: {
    about: 'snapshots that retention drops: preview, and with --yes drop them',
    load: () => import('./prune.ts'),
  },
  config: {
    about: 'configuration files of servers: check',
    load: () => import('./config.ts'),
  },
  systemd: {
    about: 'systemd units for servers, health check and maintenance',
    load: () => import('./systemd.ts'),
  },
};

function helpText(): string {
  const width = Math.max(...Object.keys(SUBCOMMANDS).map((name) => name.length));
  const lines = Object.entries(SUBCOMMANDS).map(
    ([name, { about }]) => `  ${name.padEnd(width)}  ${about}`,
  );
  return `Usage: walb SUBCOMMAND ...

Continuous backup of block devices.

Subcommands:
${lines.join('\n')}

'walb SUBCOMMAND --help' tells more. Other programs: walbc (controller and shell),
walb-storage, walb-proxy, walb-archive (servers), wdevc (device control).
`;
}

async function main(): Promise<number | undefined> {
  const name = process.argv[2];
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(helpText());
    return name === undefined ? 2 : 0;
  }
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (subcommand === undefined) {
    const known = Object.keys(SUBCOMMANDS).join(', ');
    throw new WalbError('invalid-argument', `no subcommand '${name}'; there are: ${known}`);
  }
  const program = new Command('walb').showHelpAfterError('(add --help for the options)');
  const { register, rewriteWords } = await subcommand.load();
  register(program);
  const words = process.argv.slice(2);
  await program.parseAsync(rewriteWords?.(words) ?? words, { from: 'user' });
  return process.exitCode === undefined ? 0 : Number(process.exitCode);
}

useCompileCache(process.env);
await runProgram('walb', main);
