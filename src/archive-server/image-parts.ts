/** Which image store the settings of an archive ask for. */
import type { Env } from '../core/index.ts';
import type { ArchiveConfig } from './config.ts';
import { FileImageStore } from './file-image-store.ts';
import type { LvmCommands } from './lvm-commands.ts';
import { LvmImageStore } from './lvm-image-store.ts';
import { systemLvm } from './lvm-runner.ts';
import { LvmVolumeGroup } from './lvm-volume-group.ts';
import type { ImageStoreFactory } from './volume.ts';

export interface ImageParts {
  readonly images: ImageStoreFactory;
  /** What all volumes share, where images are logical volumes. */
  readonly volumeGroup?: LvmVolumeGroup;
}

const DEVICES = '/dev';

export function imageParts(
  env: Env,
  { lvm }: Pick<ArchiveConfig, 'lvm'>,
  commands: LvmCommands = systemLvm,
  devices = DEVICES,
): ImageParts {
  const { files } = env;
  if (lvm === undefined) {
    return { images: (_volume, directory) => new FileImageStore(files, directory) };
  }
  const volumeGroup = new LvmVolumeGroup({ ...lvm, devices }, commands, env);
  return { volumeGroup, images: (volume) => new LvmImageStore(volumeGroup, files, volume) };
}
