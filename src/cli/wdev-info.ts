/** `walb wdev info`: everything about one device. */
import type { Command } from 'commander';
import { formatSize, formatUuid, LB_SIZE } from '../core/index.ts';
import { DeviceRpc } from '../rpc/index.ts';
import { runningDevice } from '../wdev/daemon/index.ts';
import {
  commandEnv,
  type DirectoryOption,
  deviceName,
  openDirectory,
  withDirectory,
} from './wdev-env.ts';

export function register(wdev: Command): void {
  const info = wdev
    .command('info')
    .description('identity, sizes, positions and sockets of a device')
    .argument('<device>', 'NAME or /dev/walb/NAME');
  withDirectory(info).action(showInfo);
}

async function showInfo(device: string, options: DirectoryOption): Promise<void> {
  const env = commandEnv();
  const directory = openDirectory(env, options);
  const name = deviceName(device);
  const { log, data } = directory.get(name);
  const paths = directory.paths(name);
  const info = await runningDevice(env, paths);
  const lines: [string, unknown][] = [
    ['name', name],
    ['state', info === undefined ? 'stopped' : 'running'],
    ['log', log],
    ['data', data],
  ];
  if (info !== undefined) {
    const channel = env.network.connect(`unix:${paths.controlSocket}`, { clientId: 'wdev' });
    try {
      const lsids = await channel.unary(DeviceRpc.getLsids, {});
      const overflow = await channel.unary(DeviceRpc.isOverflow, {});
      const frozen = await channel.unary(DeviceRpc.isFrozen, {});
      lines.push(
        ['size', `${formatSize(info.sizeLb * LB_SIZE)} (${info.sizeLb} logical blocks)`],
        ['physicalBlock', info.pbs],
        ['ring', `${info.ringPb} physical blocks`],
        ['uuid', formatUuid(info.uuid)],
        ['isOverflow', overflow.value ? 1 : 0],
        ['isFrozen', frozen.value ? 1 : 0],
        ...Object.entries(lsids),
        ['nbd', info.nbdAddresses.join(' ')],
        ['pid', info.pid],
      );
    } finally {
      channel.close();
    }
  }
  for (const [key, value] of lines) process.stdout.write(`${key} ${value}\n`);
}
