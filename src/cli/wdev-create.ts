/** `walb wdev create`: defines a device in the device directory and starts its process. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { parseCount, parseSize } from '../core/index.ts';
import {
  checkDeviceName,
  type DeviceDefinition,
  devicePathOf,
  startDevice,
} from '../wdev/daemon/index.ts';
import { commandEnv, type DirectoryOption, openDirectory, withDirectory } from './wdev-env.ts';
import { wholeBlocks } from './wdev-serve.ts';

interface Options extends DirectoryOption {
  readonly size?: string;
  readonly log?: string;
  readonly data?: string;
  readonly logSize?: string;
  readonly pbs?: string;
  readonly port?: string;
}

export function register(wdev: Command): void {
  const create = wdev
    .command('create')
    .description('define a device and start it')
    .argument('<name>', 'device name, up to 31 characters')
    .option('--size <size>', 'size of a new volume; an existing data image has it')
    .option('--log <file>', 'log device (DIR/NAME/log)')
    .option('--data <file>', 'data image (DIR/NAME/data)')
    .option('--log-size <size>', 'size of a new log file (256m)')
    .option('--pbs <size>', 'physical block size of a new log: 512 or 4096 (4096)')
    .option('--port <port>', 'NBD also on this port of 127.0.0.1');
  withDirectory(create).action(createDevice);
}

async function createDevice(name: string, options: Options): Promise<void> {
  const env = commandEnv();
  const directory = openDirectory(env, { dir: resolve(options.dir) });
  const paths = directory.paths(checkDeviceName(name));
  const start = {
    ...(options.size === undefined ? {} : { sizeLb: wholeBlocks(options.size) }),
    ...(options.logSize === undefined ? {} : { logBytes: parseSize(options.logSize) }),
    ...(options.pbs === undefined ? {} : { pbs: parseSize(options.pbs) }),
  };
  const definition: DeviceDefinition = {
    name,
    log: options.log === undefined ? paths.log : resolve(options.log),
    data: options.data === undefined ? paths.data : resolve(options.data),
    port:
      options.port === undefined
        ? undefined
        : parseCount(options.port, 'port', { min: 1, max: 65535 }),
  };
  await directory.add(definition);
  try {
    const info = await startDevice(env, definition, paths, start);
    process.stdout.write(`${devicePathOf(name)} ${info.nbdAddresses.join(' ')}\n`);
  } catch (error) {
    // Nothing half made stays behind; data that were there before are not touched.
    await directory.remove(name, { withData: false });
    throw error;
  }
}
