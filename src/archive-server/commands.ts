/**
 * The commands an operator gives to an archive, beyond those of every server.
 *
 * Source: cli.md 1.4 (kind A), semantics.md D, E.3.
 */
import { type Binding, checkVolumeId } from '../core/index.ts';
import { ArchiveRpc, handle } from '../rpc/index.ts';
import type { ServerCore } from '../server/server-core.ts';
import { startApply } from './apply.ts';
import { deleteCold } from './cold.ts';
import type { ArchiveConfig } from './config.ts';
import type { Exports } from './exports.ts';
import { startMerge } from './merge.ts';
import { resizeBase } from './resize.ts';
import { startRestore } from './restore.ts';
import { blockHash, virtualFullScan } from './scan.ts';
import { collectGarbage, setSnapshots } from './snapshots.ts';
import type { ArchiveCommand } from './states.ts';
import type { ArchiveVolume } from './volume.ts';

export interface CommandHost {
  readonly core: ServerCore;
  readonly config: ArchiveConfig;
  readonly exports: Exports;
  /** Throws `wrong-state` for a volume that is Clear. */
  require(volume: string, command: ArchiveCommand): ArchiveVolume;
  /** The volume, admitted for the command. Throws its refusal. */
  admitted(volume: string, command: ArchiveCommand): ArchiveVolume;
}

export function commandBindings(host: CommandHost): Binding[] {
  const { config, exports } = host;
  return [
    handle(ArchiveRpc.restore, async ({ volume, gid }) =>
      startRestore(config, host.require(volume, 'restore'), gid),
    ),
    handle(ArchiveRpc.delRestored, async ({ volume: id, gid }) => {
      const volume = host.admitted(id, 'del-restored');
      await volume.images.deleteRestored(gid);
      volume.touch('restored');
      return {};
    }),
    handle(ArchiveRpc.delCold, async ({ volume, gid }) => {
      await deleteCold(host.admitted(volume, 'del-cold'), gid);
      return {};
    }),
    handle(ArchiveRpc.disableSnapshots, async ({ volume, gids }) => ({
      failures: await setSnapshots(host.require(volume, 'disable-snapshot'), gids, false),
    })),
    handle(ArchiveRpc.enableSnapshots, async ({ volume, gids }) => ({
      failures: await setSnapshots(host.require(volume, 'enable-snapshot'), gids, true),
    })),
    handle(ArchiveRpc.gcDiff, async ({ volume }) => ({
      removed: await collectGarbage(host.admitted(volume, 'gc-diff')),
    })),
    handle(ArchiveRpc.apply, async ({ volume, gid }) =>
      startApply(config, host.require(volume, 'apply'), gid),
    ),
    handle(ArchiveRpc.merge, async (request) =>
      startMerge(config, host.require(request.volume, 'merge'), request),
    ),
    handle(ArchiveRpc.resize, (request) =>
      resizeBase(host.require(request.volume, 'resize'), request),
    ),
    handle(ArchiveRpc.blockHash, (request, context) =>
      blockHash(config, host.require(request.volume, 'bhash'), request, context),
    ),
    handle(ArchiveRpc.virtualFullScan, (request, context) =>
      virtualFullScan(config, host.require(request.volume, 'virt-full-scan'), request, context),
    ),
    handle(ArchiveRpc.exportSnapshot, (request) =>
      exports.open(host.require(request.volume, 'bhash'), request),
    ),
    handle(ArchiveRpc.closeExport, async (request) => {
      await exports.close(request);
      return {};
    }),
    handle(ArchiveRpc.listExports, async ({ volume }) => ({
      exports: exports.list(volume === '' ? '' : checkVolumeId(volume)),
    })),
  ];
}
