/** Commands of archive servers (cli.md 1.4, kinds A). */
import { bytesToLb, parseU64, parseUuid, toHex, WalbError } from '../../core/index.ts';
import {
  ArchiveRpc,
  fromErrorInfo,
  type SetSnapshotsReply,
  stateToMessage,
  VolumeState,
} from '../../rpc/index.ts';
import { parseMetaState } from '../../wdiff/algebra/index.ts';
import { secondsOf } from '../values/datetime.ts';
import { type CommandContext, type CommandSpec, quietly } from './context.ts';
import { type Args, BULK, GID, type ParameterSpec, VOL } from './parameters.ts';

const GIDS: ParameterSpec = { ...GID, repeated: true };
const SCAN_SIZE: ParameterSpec = { name: 'SCAN_SIZE', type: 'size', optional: true };
const STEADY = [
  VolumeState.CLEAR,
  VolumeState.SYNC_READY,
  VolumeState.ARCHIVED,
  VolumeState.STOPPED,
] as const;

export const ARCHIVE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'restore',
    kinds: 'A',
    about: 'begin to restore a clean snapshot',
    parameters: [VOL, GID],
    run: (context, args) => quietly(context.command(ArchiveRpc.restore, volumeGid(args))),
  },
  {
    name: 'del-restored',
    kinds: 'A',
    about: 'delete a restored image',
    parameters: [VOL, GID],
    run: (context, args) => quietly(context.command(ArchiveRpc.delRestored, volumeGid(args))),
  },
  {
    name: 'del-cold',
    kinds: 'A',
    about: 'delete a cold snapshot',
    parameters: [VOL, GID],
    run: (context, args) => quietly(context.command(ArchiveRpc.delCold, volumeGid(args))),
  },
  {
    name: 'disable-snapshot',
    kinds: 'A',
    about: 'let snapshots vanish',
    parameters: [VOL, GIDS],
    run: (context, args) => setSnapshots(context, args, false),
  },
  {
    name: 'enable-snapshot',
    kinds: 'A',
    about: 'keep snapshots',
    parameters: [VOL, GIDS],
    run: (context, args) => setSnapshots(context, args, true),
  },
  {
    name: 'replicate',
    kinds: 'A',
    about: 'begin to bring another archive up to date',
    parameters: [
      VOL,
      { name: 'gid|size', type: 'text' },
      { name: 'PARAM', type: 'u64' },
      { name: 'HOSTPORT', type: 'text' },
      { name: 'DO_RESYNC', type: 'integer', optional: true, default: '0' },
      { name: 'DONT_MERGE', type: 'integer', optional: true, default: '0' },
      { name: 'CMPR', type: 'text', optional: true, default: 'snappy:0:1' },
      { name: 'MAX_MERGE', type: 'size', optional: true, default: '1G' },
      BULK,
    ],
    run: replicate,
  },
  {
    name: 'apply',
    kinds: 'A',
    about: 'begin to apply diffs up to a snapshot',
    parameters: [VOL, GID],
    run: (context, args) => quietly(context.command(ArchiveRpc.apply, volumeGid(args))),
  },
  {
    name: 'merge',
    kinds: 'A',
    about: 'begin to merge diffs up to a gid, or up to so many MiB',
    parameters: [
      VOL,
      { name: 'GID_B', type: 'u64' },
      { name: 'gid|size', type: 'text' },
      { name: 'PARAM', type: 'u64' },
    ],
    run: merge,
  },
  {
    name: 'bhash',
    kinds: 'A',
    about: 'hash of the image of a clean snapshot',
    parameters: [VOL, GID, BULK, SCAN_SIZE],
    run: blockHash,
  },
  {
    name: 'virt-full-scan',
    kinds: 'A',
    about: 'write the image of a clean snapshot to a device, a file or stdout',
    parameters: [
      { name: 'DEV', type: 'text' },
      VOL,
      GID,
      BULK,
      SCAN_SIZE,
      { name: 'SLEEP_PCT', type: 'u64', optional: true, default: '0' },
    ],
    async run(context, args) {
      const { virtualFullScan } = await import('./virtual-full-scan.ts');
      return await quietly(
        virtualFullScan(context, args.text('DEV'), {
          volume: args.volume(),
          gid: args.gid(),
          bulkBytes: args.bulk(),
          scanLb: scanLb(args),
          sleepPct: args.count('SLEEP_PCT', 99),
        }),
      );
    },
  },
  {
    name: 'gc-diff',
    kinds: 'A',
    about: 'delete diffs that are not needed any more',
    parameters: [VOL],
    run: (context, args) => quietly(context.command(ArchiveRpc.gcDiff, { volume: args.volume() })),
  },
  {
    name: 'dbg-reload-metadata',
    kinds: 'A',
    about: 'debug: read the catalogue of diffs again',
    parameters: [VOL],
    run: (context, args) =>
      quietly(context.command(ArchiveRpc.reloadMetadata, { volume: args.volume() })),
  },
  {
    name: 'dbg-set-uuid',
    kinds: 'A',
    about: 'debug: set the uuid, without any check',
    parameters: [VOL, { name: 'HEX32', type: 'text' }],
    run: (context, args) =>
      quietly(
        context.command(ArchiveRpc.setUuid, {
          volume: args.volume(),
          uuid: parseUuid(args.text('HEX32')),
        }),
      ),
  },
  {
    name: 'dbg-set-state',
    kinds: 'A',
    about: 'debug: set a steady state, without any check',
    parameters: [VOL, { name: 'STATE', type: 'text' }],
    run: (context, args) =>
      quietly(
        context.command(ArchiveRpc.setState, {
          volume: args.volume(),
          state: args.choice('STATE', STEADY),
        }),
      ),
  },
  {
    name: 'dbg-set-base',
    kinds: 'A',
    about: 'debug: set the state of the base image, without any check',
    parameters: [VOL, { name: 'METASTATE', type: 'text' }],
    run: (context, args) => {
      const base = parseMetaState(args.text('METASTATE'), secondsOf(new Date()));
      const request = { volume: args.volume(), base: stateToMessage(base) };
      return quietly(context.command(ArchiveRpc.setBase, request));
    },
  },
];

function volumeGid(args: Args): { volume: string; gid: bigint } {
  return { volume: args.volume(), gid: args.gid() };
}

async function setSnapshots(
  context: CommandContext,
  args: Args,
  enable: boolean,
): Promise<undefined> {
  const method = enable ? ArchiveRpc.enableSnapshots : ArchiveRpc.disableSnapshots;
  const reply = await context.command(method, { volume: args.volume(), gids: args.gids() });
  throwFailures(reply, enable ? 'enable-snapshot' : 'disable-snapshot');
}

function throwFailures({ failures }: SetSnapshotsReply, command: string): void {
  if (failures.length === 0) return;
  const list = failures.map(({ gid, error }) =>
    error === undefined ? String(gid) : `${gid} (${fromErrorInfo(error).message})`,
  );
  throw new WalbError('not-found', `${command}: not done for gid ${list.join(', ')}`);
}

function replicate(context: CommandContext, args: Args): Promise<undefined> {
  const by = args.choice('gid|size', ['gid', 'size']);
  return quietly(
    context.command(ArchiveRpc.replicate, {
      volume: args.volume(),
      until:
        by === 'gid'
          ? { $case: 'gid', value: parseU64(args.text('PARAM'), 'gid') }
          : { $case: 'sizeMb', value: args.count('PARAM') },
      address: args.hostPort(),
      doResync: args.flag('DO_RESYNC'),
      dontMerge: args.flag('DONT_MERGE'),
      compression: args.compression(),
      maxMergeBytes: args.size('MAX_MERGE'),
      bulkBytes: args.bulk(),
    }),
  );
}

function merge(context: CommandContext, args: Args): Promise<undefined> {
  const by = args.choice('gid|size', ['gid', 'size']);
  return quietly(
    context.command(ArchiveRpc.merge, {
      volume: args.volume(),
      gidB: args.gid('GID_B'),
      until:
        by === 'gid'
          ? { $case: 'gidE', value: parseU64(args.text('PARAM'), 'gid') }
          : { $case: 'maxSizeMb', value: args.count('PARAM') },
    }),
  );
}

async function blockHash(context: CommandContext, args: Args): Promise<string> {
  const request = { ...volumeGid(args), bulkBytes: args.bulk(), scanLb: scanLb(args) };
  for await (const { event } of context.connection.stream(ArchiveRpc.blockHash, request)) {
    if (event?.$case === 'hash') return toHex(event.value);
  }
  throw new WalbError('unavailable', 'the scan was cut off before its hash');
}

/** 0 = the whole volume. */
function scanLb(args: Args): number {
  if (!args.has('SCAN_SIZE')) return 0;
  const blocks = bytesToLb(args.size('SCAN_SIZE'));
  if (blocks > 0) return blocks;
  throw new WalbError('invalid-argument', 'bad SCAN_SIZE: at least 512 bytes');
}
