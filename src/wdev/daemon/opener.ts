/**
 * From the path an operator gives at `init-vol` to a device: one defined on this machine, one of the
 * kernel driver, or a control socket by its path.
 */
import { type Env, WalbError } from '../../core/index.ts';
import type { DeviceOpener, VolumeDevice } from '../volume-device.ts';
import { deviceNameOf } from './definition.ts';
import { DeviceDirectory } from './device-directory.ts';
import { openRemoteDevice } from './remote-device.ts';

export interface OpenerOptions {
  /** Device directory. */
  readonly directory: string;
  readonly clientId: string;
  /** Opens devices of the kernel driver; tried when the name is not in the directory. */
  readonly kernel?: DeviceOpener;
}

export function deviceOpener(env: Env, options: OpenerOptions): DeviceOpener {
  const { clientId, kernel } = options;
  const directory = new DeviceDirectory(env, options.directory);
  const remote = (control: string) =>
    openRemoteDevice(env, { control: `unix:${control}`, clientId });
  return {
    open: async (path): Promise<VolumeDevice> => {
      const name = deviceNameOf(path);
      if (name !== undefined && directory.find(name) !== undefined) {
        return remote(directory.paths(name).controlSocket);
      }
      if (name !== undefined && kernel !== undefined) return kernel.open(path);
      if (name !== undefined) throw unknownDevice(name, options.directory);
      return remote(path);
    },
  };
}

function unknownDevice(name: string, directory: string): WalbError {
  return new WalbError(
    'not-found',
    `no device '${name}' in ${directory}: make it with 'walb wdev create', or give the path of ` +
      'its control socket',
    { details: { device: name, directory } },
  );
}
