/** What all device commands share: the world, the device directory, and names for devices. */
import { env as variables } from 'node:process';
import type { Command } from 'commander';
import { type Env, silentLogger, WalbError } from '../core/index.ts';
import { createRealEnv } from '../core/real-env.ts';
import { grpcNetwork } from '../rpc/index.ts';
import { DEFAULT_DEVICE_DIRECTORY, DeviceDirectory, deviceNameOf } from '../wdev/daemon/index.ts';

export interface DirectoryOption {
  readonly dir: string;
}

export function commandEnv(): Env {
  return createRealEnv({ network: grpcNetwork(), log: silentLogger });
}

export function defaultDirectory(): string {
  return variables['WALB_DEVICE_DIR'] ?? DEFAULT_DEVICE_DIRECTORY;
}

export function withDirectory(command: Command): Command {
  return command.option('--dir <dir>', 'device directory ($WALB_DEVICE_DIR)', defaultDirectory());
}

export function openDirectory(env: Env, { dir }: DirectoryOption): DeviceDirectory {
  return new DeviceDirectory(env, dir);
}

/** NAME or /dev/walb/NAME. */
export function deviceName(text: string): string {
  const name = deviceNameOf(text);
  if (name !== undefined) return name;
  throw new WalbError('invalid-argument', `${text} is no device name and no /dev/walb/NAME`);
}
