/** `walb ldev`: log devices, the ring on disk. */
import type { Command } from 'commander';
import * as format from './ldev-format.ts';
import * as info from './ldev-info.ts';
import * as repair from './ldev-repair.ts';
import * as show from './ldev-show.ts';
import * as cat from './wlog-cat.ts';

export function register(program: Command): void {
  const ldev = program.command('ldev').description('log devices');
  for (const subcommand of [info, show, cat, format, repair]) subcommand.register(ldev);
}
