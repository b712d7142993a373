/** Commands of storage servers (cli.md 1.4, kinds S). */
import { StorageRpc } from '../../rpc/index.ts';
import { type CommandSpec, quietly } from './context.ts';
import { type Args, BULK, VOL } from './parameters.ts';

export const STORAGE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'full-bkp',
    kinds: 'S',
    about: 'begin a full backup to the primary archive',
    parameters: [VOL, BULK],
    run: (context, args) => quietly(context.command(StorageRpc.fullBackup, backupRequest(args))),
  },
  {
    name: 'hash-bkp',
    kinds: 'S',
    about: 'begin a backup of the blocks that differ from the primary archive',
    parameters: [VOL, BULK],
    run: (context, args) => quietly(context.command(StorageRpc.hashBackup, backupRequest(args))),
  },
  {
    name: 'snapshot',
    kinds: 'S',
    about: 'take a snapshot; prints its gid',
    parameters: [VOL],
    async run(context, args) {
      return String((await context.command(StorageRpc.snapshot, { volume: args.volume() })).gid);
    },
  },
  {
    name: 'set-full-scan-bps',
    kinds: 'S',
    about: 'limit full scans to so many bytes per second, 0 = no limit',
    parameters: [{ name: 'SIZE', type: 'size' }],
    run: (context, args) =>
      quietly(context.command(StorageRpc.setFullScanBps, { bytesPerSec: args.size() })),
  },
  {
    name: 'dbg-dump-logpack-header',
    kinds: 'S',
    about: 'debug: write the logpack header at an lsid to a file of the volume',
    parameters: [VOL, { name: 'LSID', type: 'u64' }],
    run: (context, args) =>
      quietly(
        context.command(StorageRpc.dumpLogpackHeader, {
          volume: args.volume(),
          lsid: args.gid('LSID'),
        }),
      ),
  },
];

function backupRequest(args: Args): { volume: string; bulkBytes: number; compression: undefined } {
  return { volume: args.volume(), bulkBytes: args.bulk(), compression: undefined };
}
