/** Targets of `get` (cli.md 1.5): as data, name, kinds, arguments, and what they print. */
import { formatTimestamp, formatUuid, WalbError } from '../../core/index.ts';
import {
  Action,
  ArchiveRpc,
  ControlRpc,
  type GapReport,
  HostType,
  ProxyRpc,
  StorageRpc,
} from '../../rpc/index.ts';
import { type CommandContext, type CommandSpec, lines } from './context.ts';
import { handlerStatLines } from './handler-stat.ts';
import { ltsv, ltsvOfGap, ltsvOfLatestSnap, ltsvOfLogUsage, ltsvOfTsDelta } from './ltsv.ts';
import { type Args, GID, MAX_GID, OPTIONAL_VOL, type ParameterSpec, VOL } from './parameters.ts';
import { bit, diffText, gidInfoText, snapshotText, stateText } from './text.ts';

const ARCHIVE: ParameterSpec = { name: 'ARCHIVE', type: 'text' };
const RANGE: readonly ParameterSpec[] = [
  VOL,
  { ...GID, name: 'GID0', optional: true, default: '0' },
  { ...MAX_GID, name: 'GID1' },
];
/** In the order of `all-actions`. */
const ARCHIVE_ACTIONS = [
  Action.MERGE,
  Action.APPLY,
  Action.RESTORE,
  Action.REPL_SYNC_AS_CLIENT,
  Action.RESIZE,
] as const;

const volumeOf = (args: Args): { volume: string } => ({ volume: args.volume() });

const rangeOf = (args: Args): { volume: string; gid0: bigint; gid1: bigint } => ({
  volume: args.volume(),
  gid0: args.gid('GID0'),
  gid1: args.gid('GID1'),
});

export const GET_TARGETS: readonly CommandSpec[] = [
  {
    name: 'state',
    kinds: 'SPA',
    about: 'state of a volume',
    parameters: [VOL],
    run: async (context, args) => (await context.query(ControlRpc.getState, volumeOf(args))).state,
  },
  {
    name: 'host-type',
    kinds: 'SPA',
    about: 'storage, proxy or archive',
    parameters: [],
    run: async (context) => (await context.query(ControlRpc.getHostType, {})).hostType,
  },
  {
    name: 'vol',
    kinds: 'SPA',
    about: 'volume ids',
    parameters: [],
    run: async (context) => lines((await context.query(ControlRpc.listVolumes, {})).volumes),
  },
  {
    name: 'pid',
    kinds: 'SPA',
    about: 'process id of the server',
    parameters: [],
    run: async (context) => String((await context.query(ControlRpc.getPid, {})).pid),
  },
  {
    name: 'handler-stat',
    kinds: 'SPA',
    about: 'calls by protocol and client; the counters start anew',
    parameters: [],
    run: async (context) =>
      lines(handlerStatLines(await context.query(ControlRpc.getHandlerStat, { reset: true }))),
  },
  {
    name: 'latest-snap',
    kinds: 'SPA',
    about: 'latest snapshots',
    parameters: [OPTIONAL_VOL],
    async run(context, args) {
      const request = { volume: args.optionalVolume() };
      return lines(
        (await context.query(ControlRpc.getLatestSnap, request)).items.map(ltsvOfLatestSnap),
      );
    },
  },
  {
    name: 'is-overflow',
    kinds: 'S',
    about: 'whether the log has overflowed',
    parameters: [VOL],
    run: async (context, args) =>
      bit((await context.query(StorageRpc.isOverflow, volumeOf(args))).value),
  },
  {
    name: 'log-usage',
    kinds: 'S',
    about: 'how full the logs are',
    parameters: [OPTIONAL_VOL],
    async run(context, args) {
      const request = { volume: args.optionalVolume() };
      return lines(
        (await context.query(StorageRpc.getLogUsage, request)).items.map(ltsvOfLogUsage),
      );
    },
  },
  {
    name: 'uuid',
    kinds: 'SA',
    about: 'uuid of the log history',
    parameters: [VOL],
    async run(context, args) {
      const method = await byKind(context, StorageRpc.getUuid, ArchiveRpc.getUuid);
      return formatUuid((await context.query(method, volumeOf(args))).uuid);
    },
  },
  {
    name: 'ts-delta',
    kinds: 'SA',
    about: 'how far destinations are behind',
    parameters: [],
    async run(context) {
      const method = await byKind(context, StorageRpc.getTsDelta, ArchiveRpc.getTsDelta);
      return lines((await context.query(method, {})).items.map(ltsvOfTsDelta));
    },
  },
  {
    name: 'is-wdiff-send-error',
    kinds: 'P',
    about: 'whether the last send failed',
    parameters: [VOL, ARCHIVE],
    async run(context, args) {
      const request = { ...volumeOf(args), archive: args.text('ARCHIVE') };
      return bit((await context.query(ProxyRpc.isWdiffSendError, request)).value);
    },
  },
  {
    name: 'proxy-diff',
    kinds: 'P',
    about: 'received diffs, or those queued for an archive',
    parameters: [VOL, { ...ARCHIVE, optional: true }],
    async run(context, args) {
      const request = { ...volumeOf(args), archive: args.text('ARCHIVE') };
      return lines((await context.query(ProxyRpc.getProxyDiff, request)).diffs.map(diffText));
    },
  },
  {
    name: 'num-action',
    kinds: 'A',
    about: 'how often an action runs',
    parameters: [VOL, { name: 'ACTION', type: 'text' }],
    async run(context, args) {
      const request = { ...volumeOf(args), action: args.choice('ACTION', ARCHIVE_ACTIONS) };
      return String((await context.query(ArchiveRpc.getNumAction, request)).value);
    },
  },
  {
    name: 'all-actions',
    kinds: 'A',
    about: 'running actions and when they last began',
    parameters: [],
    run: allActions,
  },
  {
    name: 'diff',
    kinds: 'A',
    about: 'diffs that begin in a range of gids',
    parameters: RANGE,
    run: async (context, args) =>
      lines((await context.query(ArchiveRpc.getDiffs, rangeOf(args))).diffs.map(diffText)),
  },
  {
    name: 'num-diff',
    kinds: 'A',
    about: 'how many they are',
    parameters: RANGE,
    run: async (context, args) =>
      String((await context.query(ArchiveRpc.getNumDiff, rangeOf(args))).value),
  },
  {
    name: 'total-diff-size',
    kinds: 'A',
    about: 'the sum of their sizes in bytes',
    parameters: RANGE,
    run: async (context, args) =>
      String((await context.query(ArchiveRpc.getTotalDiffSize, rangeOf(args))).value),
  },
  {
    name: 'applicable-diff',
    kinds: 'A',
    about: 'diffs that lead on from the base image',
    parameters: [VOL, MAX_GID],
    async run(context, args) {
      const request = { ...volumeOf(args), gid: args.gid() };
      return lines(
        (await context.query(ArchiveRpc.getApplicableDiffs, request)).diffs.map(diffText),
      );
    },
  },
  {
    name: 'exists-diff',
    kinds: 'A',
    about: 'whether a diff is there',
    parameters: [VOL, ...['B0', 'B1', 'E0', 'E1'].map((name) => ({ ...GID, name }))],
    async run(context, args) {
      const snapB = { gidB: args.gid('B0'), gidE: args.gid('B1') };
      const snapE = { gidB: args.gid('E0'), gidE: args.gid('E1') };
      const request = { ...volumeOf(args), snapB, snapE };
      return bit((await context.query(ArchiveRpc.existsDiff, request)).value);
    },
  },
  {
    name: 'exists-base-image',
    kinds: 'A',
    about: 'whether there is a base image',
    parameters: [VOL],
    run: async (context, args) =>
      bit((await context.query(ArchiveRpc.existsBaseImage, volumeOf(args))).value),
  },
  {
    name: 'restored',
    kinds: 'A',
    about: 'gids of restored images',
    parameters: [VOL],
    async run(context, args) {
      const { images } = await context.query(ArchiveRpc.getRestored, volumeOf(args));
      return lines(images.map(({ gid }) => gid));
    },
  },
  {
    name: 'cold',
    kinds: 'A',
    about: 'gids of cold snapshots',
    parameters: [VOL],
    run: async (context, args) =>
      lines((await context.query(ArchiveRpc.getCold, volumeOf(args))).gids),
  },
  {
    name: 'restorable',
    kinds: 'A',
    about: 'snapshots that can be restored: gid, time, 1 = explicit',
    parameters: [VOL, { name: 'all', type: 'text', optional: true }],
    async run(context, args) {
      const all = args.has('all') && args.choice('all', ['all']) === 'all';
      const { items } = await context.query(ArchiveRpc.getRestorable, { ...volumeOf(args), all });
      return lines(items.map(gidInfoText));
    },
  },
  {
    name: 'gaps',
    kinds: 'PA',
    about:
      'diffs missing in a chain: up to where it goes, where it goes on, since when, what to do',
    parameters: [VOL],
    run: gaps,
  },
  {
    name: 'archive-uuid',
    kinds: 'A',
    about: "uuid of the archive's data",
    parameters: [VOL],
    run: async (context, args) =>
      formatUuid((await context.query(ArchiveRpc.getArchiveUuid, volumeOf(args))).uuid),
  },
  {
    name: 'base',
    kinds: 'A',
    about: 'state of the base image',
    parameters: [VOL],
    run: async (context, args) =>
      stateText(await context.query(ArchiveRpc.getBase, volumeOf(args))),
  },
  {
    name: 'base-all',
    kinds: 'A',
    about: 'states of all base images',
    parameters: [],
    async run(context) {
      const { items } = await context.query(ArchiveRpc.getBaseAll, {});
      return lines(
        items.map(({ volume, base }) =>
          ltsv([
            ['name', volume],
            ['metastate', stateText(base)],
          ]),
        ),
      );
    },
  },
  {
    name: 'meta-snap',
    kinds: 'A',
    about: 'snapshot that applying up to a gid leads to',
    parameters: [VOL, MAX_GID],
    async run(context, args) {
      const request = { ...volumeOf(args), gid: args.gid() };
      return snapshotText(await context.query(ArchiveRpc.getMetaSnap, request));
    },
  },
  {
    name: 'meta-state',
    kinds: 'A',
    about: 'the same as a state; 1 = as applying',
    parameters: [VOL, { name: '0|1', type: 'text' }, MAX_GID],
    async run(context, args) {
      const isApplying = args.choice('0|1', ['0', '1']) === '1';
      const request = { ...volumeOf(args), isApplying, gid: args.gid() };
      return stateText(await context.query(ArchiveRpc.getMetaState, request));
    },
  },
  {
    name: 'vol-size',
    kinds: 'A',
    about: 'size of the base image in logical blocks',
    parameters: [VOL],
    run: async (context, args) =>
      String((await context.query(ArchiveRpc.getVolSize, volumeOf(args))).value),
  },
  {
    name: 'progress',
    kinds: 'A',
    about: 'blocks done by the backup or resync that is received',
    parameters: [VOL],
    run: async (context, args) =>
      String((await context.query(ArchiveRpc.getProgress, volumeOf(args))).value),
  },
  {
    name: 'volume-group',
    kinds: 'A',
    about: 'where base images are',
    parameters: [],
    run: async (context) => (await context.query(ArchiveRpc.getVolumeGroup, {})).name,
  },
  {
    name: 'thinpool',
    kinds: 'A',
    about: 'thin pool of the base images, may be empty',
    parameters: [],
    run: async (context) => (await context.query(ArchiveRpc.getThinpool, {})).name,
  },
];

/** `kinds` of a target that two services have under one name. */
async function byKind<M>(context: CommandContext, storage: M, archive: M): Promise<M> {
  const kind = await context.kind();
  if (kind === HostType.STORAGE) return storage;
  if (kind === HostType.ARCHIVE) return archive;
  throw noSuchTarget(kind);
}

function noSuchTarget(kind: HostType): WalbError {
  return new WalbError('unsupported', `a ${kind} server has no such target`, {
    details: { path: 'get' },
  });
}

/** Not of the original; nothing is printed where nothing is missing. */
async function gaps(context: CommandContext, args: Args): Promise<string | undefined> {
  const request = volumeOf(args);
  const { status, server } = await context.query(ControlRpc.status, request);
  const line = (archive: string, gap: GapReport | undefined): string[] =>
    gap === undefined ? [] : [ltsvOfGap(request.volume, archive, gap)];
  if (status?.$case === 'archiveVolume') {
    return lines(status.value.gaps.flatMap((gap) => line(server?.nodeId ?? '', gap)));
  }
  if (status?.$case === 'proxyVolume') {
    return lines(status.value.archives.flatMap(({ archive, gap }) => line(archive, gap)));
  }
  throw noSuchTarget(await context.kind());
}

async function allActions(context: CommandContext): Promise<string | undefined> {
  const { volumes } = await context.query(ArchiveRpc.getAllActions, {});
  return lines(
    volumes.map(({ volume, actions }) => {
      const parts = ARCHIVE_ACTIONS.map((name) => {
        const one = actions.find(({ action }) => action === name);
        return `${name} ${one?.running ?? 0} ${formatTimestamp(one?.lastBegan ?? 0)}`;
      });
      return [volume, ...parts].join(' ');
    }),
  );
}
