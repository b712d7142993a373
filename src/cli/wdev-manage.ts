/** `walb wdev start|stop|resize|delete`: the life of a defined device. */
import type { Command } from 'commander';
import { type Env, WalbError } from '../core/index.ts';
import { DeviceRpc } from '../rpc/index.ts';
import {
  type DeviceDirectory,
  runningDevice,
  startDevice,
  stopDevice,
} from '../wdev/daemon/index.ts';
import {
  commandEnv,
  type DirectoryOption,
  deviceName,
  openDirectory,
  withDirectory,
} from './wdev-env.ts';
import { wholeBlocks } from './wdev-serve.ts';

interface StopOptions extends DirectoryOption {
  readonly force?: boolean;
}

interface DeleteOptions extends StopOptions {
  readonly withData?: boolean;
}

export function register(wdev: Command): void {
  const device = ['<device>', 'NAME or /dev/walb/NAME'] as const;
  withDirectory(wdev.command('start'))
    .description('start the process of a device, for example after a reboot; all without a name')
    .argument('[device]', 'NAME or /dev/walb/NAME')
    .action(start);
  withDirectory(wdev.command('stop'))
    .description('end the process of a device; its definition stays')
    .argument(...device)
    .option('--force', 'even while NBD clients use it')
    .action(stop);
  withDirectory(wdev.command('resize'))
    .description('grow a device')
    .argument(...device)
    .argument('<size>', 'new size; 0 takes that of the data image')
    .action(resize);
  withDirectory(wdev.command('delete'))
    .description('end the process of a device and forget it')
    .argument(...device)
    .option('--force', 'even while NBD clients use it')
    .option('--with-data', 'remove its log and data files too')
    .action(deleteDevice);
}

async function start(device: string | undefined, options: DirectoryOption): Promise<void> {
  const env = commandEnv();
  const directory = openDirectory(env, options);
  const names = device === undefined ? directory.names() : [deviceName(device)];
  for (const name of names) {
    const definition = directory.get(name);
    const paths = directory.paths(name);
    const running = await runningDevice(env, paths);
    const { nbdAddresses } = running ?? (await startDevice(env, definition, paths));
    process.stdout.write(`${name} ${nbdAddresses.join(' ')}\n`);
  }
}

async function stop(device: string, options: StopOptions): Promise<void> {
  const env = commandEnv();
  const directory = openDirectory(env, options);
  await stopNamed(env, directory, deviceName(device), options.force === true);
}

async function stopNamed(env: Env, directory: DeviceDirectory, name: string, force: boolean) {
  directory.get(name);
  await stopDevice(env, directory.paths(name), force);
}

async function resize(device: string, size: string, options: DirectoryOption): Promise<void> {
  const env = commandEnv();
  const directory = openDirectory(env, options);
  const name = deviceName(device);
  directory.get(name);
  const { controlSocket } = directory.paths(name);
  const channel = env.network.connect(`unix:${controlSocket}`, { clientId: 'wdev' });
  try {
    const sizeLb = size === '0' ? 0 : wholeBlocks(size);
    const info = await channel.unary(DeviceRpc.resizeDevice, { sizeLb });
    process.stdout.write(`${name} ${info.sizeLb} logical blocks\n`);
  } catch (error) {
    throw notRunning(error, name);
  } finally {
    channel.close();
  }
}

async function deleteDevice(device: string, options: DeleteOptions): Promise<void> {
  const env = commandEnv();
  const directory = openDirectory(env, options);
  const name = deviceName(device);
  await stopNamed(env, directory, name, options.force === true);
  await directory.remove(name, { withData: options.withData === true });
}

function notRunning(error: unknown, name: string): WalbError {
  const failure = WalbError.from(error);
  if (failure.code !== 'unavailable') return failure;
  const message = `device '${name}' does not run: start it with 'walb wdev start ${name}'`;
  return new WalbError('unavailable', message, { cause: failure });
}
