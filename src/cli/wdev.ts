/** `walb wdev`: walb devices of this machine. */
import type { Command } from 'commander';
import * as create from './wdev-create.ts';
import * as info from './wdev-info.ts';
import * as list from './wdev-list.ts';
import * as manage from './wdev-manage.ts';
import * as serve from './wdev-serve.ts';

export function register(program: Command): void {
  const wdev = program.command('wdev').description('walb devices');
  for (const subcommand of [serve, create, list, info, manage]) subcommand.register(wdev);
}
