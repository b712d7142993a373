/** `walb wlog`: log files. */
import type { Command } from 'commander';
import * as analyze from './wlog-analyze.ts';
import * as cat from './wlog-cat.ts';
import * as gen from './wlog-gen.ts';
import * as redo from './wlog-redo.ts';
import * as restore from './wlog-restore.ts';
import * as show from './wlog-show.ts';
import * as toWdiff from './wlog-to-wdiff.ts';

export function register(program: Command): void {
  const wlog = program.command('wlog').description('log files');
  for (const subcommand of [show, analyze, gen, redo, cat, restore, toWdiff]) {
    subcommand.register(wlog);
  }
}
