/** `walb wdev list`: the devices of the device directory and what they are doing. */
import type { Command } from 'commander';
import { type Env, formatSize, LB_SIZE } from '../core/index.ts';
import { DeviceRpc } from '../rpc/index.ts';
import { type DeviceDirectory, runningDevice } from '../wdev/daemon/index.ts';
import { commandEnv, type DirectoryOption, openDirectory, withDirectory } from './wdev-env.ts';

interface Options extends DirectoryOption {
  readonly json?: boolean;
}

interface Row {
  readonly name: string;
  readonly state: 'running' | 'overflow' | 'stopped';
  readonly sizeLb: number | undefined;
  readonly logUsage: string;
  readonly nbd: readonly string[];
  readonly pid: number | undefined;
}

export function register(wdev: Command): void {
  const list = wdev.command('list').description('devices, their sizes, sockets and states');
  withDirectory(list).option('--json', 'for programs').action(listDevices);
}

async function listDevices(options: Options): Promise<void> {
  const env = commandEnv();
  const directory = openDirectory(env, options);
  const rows = await Promise.all(directory.names().map((name) => rowOf(env, directory, name)));
  if (options.json === true) process.stdout.write(`${JSON.stringify(rows, undefined, 2)}\n`);
  else for (const line of table(rows)) process.stdout.write(`${line}\n`);
}

async function rowOf(env: Env, directory: DeviceDirectory, name: string): Promise<Row> {
  const paths = directory.paths(name);
  const info = await runningDevice(env, paths);
  if (info === undefined) {
    return { name, state: 'stopped', sizeLb: undefined, logUsage: '', nbd: [], pid: undefined };
  }
  const channel = env.network.connect(`unix:${paths.controlSocket}`, { clientId: 'wdev' });
  try {
    const { value } = await channel.unary(DeviceRpc.isOverflow, {});
    const { usagePb, capacityPb } = await channel.unary(DeviceRpc.getDeviceLogUsage, {});
    const { sizeLb, nbdAddresses, pid } = info;
    const state = value ? 'overflow' : 'running';
    return { name, state, sizeLb, logUsage: `${usagePb}/${capacityPb}`, nbd: nbdAddresses, pid };
  } finally {
    channel.close();
  }
}

function table(rows: readonly Row[]): string[] {
  const head = ['NAME', 'STATE', 'SIZE', 'LOG', 'PID', 'NBD'];
  const cells = rows.map(({ name, state, sizeLb, logUsage, pid, nbd }) => [
    name,
    state,
    sizeLb === undefined ? '-' : formatSize(sizeLb * LB_SIZE),
    logUsage === '' ? '-' : logUsage,
    pid === undefined ? '-' : String(pid),
    nbd.length === 0 ? '-' : nbd.join(' '),
  ]);
  const widths = head.map((title, i) =>
    Math.max(title.length, ...cells.map((row) => (row[i] as string).length)),
  );
  return [head, ...cells].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] as number))
      .join('  ')
      .trimEnd(),
  );
}
