/** `walb wdiff`: diff files. */
import type { Command } from 'commander';
import * as cat from './wdiff-cat.ts';
import * as dump from './wdiff-dump.ts';
import * as merge from './wdiff-merge.ts';
import * as name from './wdiff-name.ts';
import * as redo from './wdiff-redo.ts';
import * as show from './wdiff-show.ts';
import * as verify from './wdiff-verify.ts';

export function register(program: Command): void {
  const wdiff = program.command('wdiff').description('diff files');
  for (const subcommand of [show, merge, redo, cat, dump, verify, name]) {
    subcommand.register(wdiff);
  }
}
