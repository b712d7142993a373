/** `walb-storage`: the storage server program. */

import { type Env, WalbError } from '../core/index.ts';
import { HostType } from '../rpc/index.ts';
import type { OptionValues } from '../server/common-options.ts';
import { serverMain } from '../server/program.ts';
import type { ServerCore } from '../server/server-core.ts';
import { deviceOpener } from '../wdev/daemon/index.ts';
import { kernelOpener, openUncached, wdevcRunner } from '../wdev/kernel/index.ts';
import type { DeviceOpener } from '../wdev/volume-device.ts';
import { STORAGE_OPTIONS, type StorageConfig, storageConfig } from './config.ts';
import { StorageServer } from './server.ts';

/** The device of `init-vol VOL /dev/walb/NAME`: one of the directory, else one of the kernel driver. */
function devices(env: Env, options: OptionValues, clientId: string): DeviceOpener {
  const directory = options.text('devices') as string;
  const driver = kernelOpener(env, {
    runWdevc: wdevcRunner(options.text('wdevc')),
    openUncached,
  });
  return deviceOpener(env, {
    directory,
    clientId,
    kernel: {
      open: async (path) => {
        if (env.files.info(path)?.kind === 'block-device') return await driver.open(path);
        throw new WalbError(
          'not-found',
          `there is neither a device '${path}' in ${directory} (see walb wdev list) nor one of the kernel driver`,
          { details: { device: path, directory } },
        );
      },
    },
  });
}

/** Before anything runs: an address that may never be used (beyond loopback without TLS) is refused. */
function checkedConfig(core: ServerCore, options: OptionValues): StorageConfig {
  const config = storageConfig(options, core.log);
  for (const address of [config.archive, ...config.proxies]) core.checkPeerAddress(address);
  return config;
}

process.exitCode = await serverMain(
  {
    program: 'walb-storage',
    about: 'Follows the logs of its volumes, delivers them to proxies, and runs backups.',
    hostType: HostType.STORAGE,
    options: STORAGE_OPTIONS,
    create: (core, options, settings) =>
      new StorageServer(
        core,
        checkedConfig(core, options),
        settings,
        devices(core.env, options, core.identity.nodeId),
      ),
  },
  process.argv.slice(2),
);
