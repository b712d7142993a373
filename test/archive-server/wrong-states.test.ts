/**
 * E.3: every command of an archive in every state, beside every action, while stopping and over the
 * foreground limit, as generated from the state tables: refused with the documented code, and nothing
 * changed on disk or in the state.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ArchiveCommand, archiveModel } from '../../src/archive-server/states.ts';
import { type Channel, LB_SIZE, WalbError } from '../../src/core/index.ts';
import { ArchiveRpc, ControlRpc, HostType, StartRole, StopMode } from '../../src/rpc/index.ts';
import {
  enterState,
  expectRefused,
  type Hurdle,
  meet,
  refusalsOf,
  type Subject,
} from '../server/refusals.ts';
import {
  cleanDiff,
  dataIo,
  fullBackup,
  hurried,
  sendDiff,
  type TestArchive,
  testArchive,
  VOLUME,
} from './support.ts';

const SIZE_LB = 32;
const UUID = new Uint8Array(16).fill(1);
const FOREGROUND = 3;

const volume = VOLUME;
const backupHello = {
  volume,
  hostType: HostType.STORAGE,
  sizeLb: SIZE_LB,
  timestamp: 1,
  bulkLb: 8,
  compression: undefined,
};

/** What goes over the wire for each command. Queries take their arguments as they come. */
const CALLS: Record<ArchiveCommand, (channel: Channel, volume: string) => Promise<unknown>> = {
  'init-vol': (c, volume) => c.unary(ControlRpc.initVolume, { volume, devicePath: '' }),
  'clear-vol': (c, volume) => c.unary(ControlRpc.clearVolume, { volume }),
  'reset-vol': (c, volume) => c.unary(ControlRpc.resetVolume, { volume, gid: 0n }),
  start: (c, volume) => c.unary(ControlRpc.start, { volume, role: StartRole.UNSPECIFIED }),
  stop: (c, volume) => c.unary(ControlRpc.stop, { volume, mode: StopMode.GRACEFUL }),
  restore: (c, volume) => c.unary(ArchiveRpc.restore, { volume, gid: 2n }),
  'del-restored': (c, volume) => c.unary(ArchiveRpc.delRestored, { volume, gid: 2n }),
  'del-cold': (c, volume) => c.unary(ArchiveRpc.delCold, { volume, gid: 2n }),
  apply: (c, volume) => c.unary(ArchiveRpc.apply, { volume, gid: 2n }),
  merge: (c, volume) =>
    c.unary(ArchiveRpc.merge, { volume, gidB: 0n, until: { $case: 'gidE', value: 9n } }),
  resize: (c, volume) =>
    c.unary(ArchiveRpc.resize, { volume, sizeLb: SIZE_LB + 8, zeroClear: false }),
  'disable-snapshot': (c, volume) => c.unary(ArchiveRpc.disableSnapshots, { volume, gids: [1n] }),
  'enable-snapshot': (c, volume) => c.unary(ArchiveRpc.enableSnapshots, { volume, gids: [1n] }),
  'gc-diff': (c, volume) => c.unary(ArchiveRpc.gcDiff, { volume }),
  'dbg-reload-metadata': (c, volume) => c.unary(ArchiveRpc.reloadMetadata, { volume }),
  'full-backup': async (c, volume) => {
    const stream = c.bidi(ArchiveRpc.fullSync);
    const value = { ...backupHello, volume };
    await stream.send({ message: { $case: 'hello', value } });
    return stream.receive();
  },
  'hash-backup': async (c, volume) => {
    const stream = c.bidi(ArchiveRpc.hashSync);
    const value = { ...backupHello, volume };
    await stream.send({ message: { $case: 'hello', value } });
    return stream.receive();
  },
  'wdiff-transfer': async (c, volume) => {
    const sent = { volume, uuid: UUID, diff: cleanDiff(3n, 4n), ios: [], sizeLb: SIZE_LB };
    const reply = await sendDiff(c, sent);
    // What a proxy reacts to; `codeOf` tells which answer belongs to which hurdle.
    if (reply.answer !== 'accept') {
      throw new WalbError('wrong-state', `${reply.answer}: ${reply.text}`);
    }
  },
  replicate: (c, volume) =>
    c.unary(ArchiveRpc.replicate, {
      volume,
      address: 'b0:1',
      until: { $case: 'sizeMb', value: 0 },
      doResync: false,
      dontMerge: false,
      compression: undefined,
      maxMergeBytes: 0,
      bulkBytes: 0,
    }),
  replication: async (c, volume) => {
    const stream = c.bidi(ArchiveRpc.serveReplication);
    const value = {
      volume,
      hostType: HostType.ARCHIVE,
      archiveUuid: UUID,
      doResync: true,
      client: undefined,
    };
    await stream.send({ message: { $case: 'hello', value } });
    return stream.receive();
  },
  bhash: (c, volume) =>
    drain(c.serverStream(ArchiveRpc.blockHash, { volume, gid: 2n, bulkBytes: 0, scanLb: 0 })),
  'virt-full-scan': (c, volume) =>
    drain(
      c.serverStream(ArchiveRpc.virtualFullScan, {
        volume,
        gid: 2n,
        bulkBytes: 0,
        scanLb: 0,
        sleepPct: 0,
        compression: undefined,
      }),
    ),
  'get restored': (c, volume) => c.unary(ArchiveRpc.getRestored, { volume }),
  'get cold': (c, volume) => c.unary(ArchiveRpc.getCold, { volume }),
  'get exists-diff': (c, volume) => {
    const snap = { gidB: 1n, gidE: 1n };
    return c.unary(ArchiveRpc.existsDiff, { volume, snapB: snap, snapE: snap });
  },
  'get restorable': (c, volume) => c.unary(ArchiveRpc.getRestorable, { volume, all: false }),
  'get uuid': (c, volume) => c.unary(ArchiveRpc.getUuid, { volume }),
  'get archive-uuid': (c, volume) => c.unary(ArchiveRpc.getArchiveUuid, { volume }),
  'get base': (c, volume) => c.unary(ArchiveRpc.getBase, { volume }),
  'get num-action': (c, volume) => c.unary(ArchiveRpc.getNumAction, { volume, action: 'Apply' }),
};

const COMMANDS = Object.keys(archiveModel.rules) as ArchiveCommand[];

/** Calls that the table has no line for, and the line that decides them. */
const MORE_CALLS: readonly [
  name: string,
  rule: ArchiveCommand,
  call: (channel: Channel, volume: string) => Promise<unknown>,
][] = [
  [
    'export',
    'bhash',
    (c, volume) =>
      c.unary(ArchiveRpc.exportSnapshot, {
        volume,
        gid: 2n,
        address: '',
        readOnly: true,
        fill: false,
      }),
  ],
  [
    'dbg-set-uuid',
    'dbg-reload-metadata',
    (c, v) => c.unary(ArchiveRpc.setUuid, { volume: v, uuid: UUID }),
  ],
  [
    'dbg-set-base',
    'dbg-reload-metadata',
    (c, volume) => {
      const at = { gidB: 3n, gidE: 3n };
      return c.unary(ArchiveRpc.setBase, {
        volume,
        base: { snapB: at, snapE: undefined, timestamp: 1 },
      });
    },
  ],
  [
    'dbg-set-state',
    'dbg-reload-metadata',
    (c, volume) => c.unary(ArchiveRpc.setState, { volume, state: 'Stopped' }),
  ],
];

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

let host: TestArchive;
let channel: Channel;
let subject: Subject;

beforeAll(async () => {
  // What waits a while before it refuses (replication, for a diff to come in) need not here.
  host = await testArchive({ foreground: FOREGROUND }, (env) => hurried(env, 1000));
  ({ channel } = host);
  await channel.unary(ControlRpc.initVolume, { volume, devicePath: '' });
  await fullBackup(channel, { image: new Uint8Array(SIZE_LB * LB_SIZE), uuid: UUID });
  for (const from of [0n, 1n, 2n]) {
    const ios = [dataIo(Number(from), new Uint8Array(LB_SIZE).fill(5))];
    const diff = cleanDiff(from, from + 1n, { isMergeable: from > 0n });
    await sendDiff(channel, { uuid: UUID, diff, ios, sizeLb: SIZE_LB });
  }
  const { machine, stop, actions } = host.volume;
  const { foreground } = host.archive.core;
  subject = {
    model: archiveModel,
    machine,
    stop,
    actions,
    fillForeground: () => {
      const held = new DisposableStack();
      for (let i = 0; i < FOREGROUND; i += 1) held.use(foreground.acquire('test'));
      return held;
    },
    fingerprint: () => [
      fingerprint(),
      host.archive.server.volumes(),
      foreground.running,
      host.volume.tasks.progress(),
      host.volume.tasks.results(),
    ],
  } as unknown as Subject;
});

afterAll(() => host[Symbol.asyncDispose]());

/** Everything on the disk of the archive but its history: names, sizes and content. */
function fingerprint(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(host.directory, { recursive: true, encoding: 'utf8' }).sort()) {
    // Saved now and then, whatever else happens.
    if (name.startsWith('.history')) continue;
    const path = join(host.directory, name);
    hash.update(name).update(statSync(path).isFile() ? readFileSync(path) : '');
  }
  return hash.digest('hex');
}

const OPTIONS = { stopModes: ['graceful', 'force'] } as const;

describe.each(COMMANDS.filter((command) => command !== 'wdiff-transfer'))(
  '%s is refused',
  (command) => {
    it.each(refusalsOf(archiveModel, command, OPTIONS))('$title', async ({ hurdle, code }) => {
      using _situation = meet(subject, hurdle);
      const target = hurdle.kind === 'unknown volume' ? 'nobody' : VOLUME;
      await expectRefused(subject, () => CALLS[command](channel, target), code);
    });
  },
);

describe.each(MORE_CALLS)('%s is refused', (_name, rule, call) => {
  it.each(refusalsOf(archiveModel, rule, OPTIONS))('$title', async ({ hurdle, code }) => {
    using _situation = meet(subject, hurdle);
    const target = hurdle.kind === 'unknown volume' ? 'nobody' : VOLUME;
    await expectRefused(subject, () => call(channel, target), code);
  });
});

/** D.5: the sender of a diff gets an answer that says whether to wait, to give up, or to throw it away. */
describe('a diff is answered', () => {
  const answerTo = (hurdle: Hurdle): string => {
    if (hurdle.kind === 'unknown volume') return 'archive-not-found';
    if (hurdle.kind !== 'state') return 'other';
    if (['Stopped', 'Start'].includes(hurdle.state)) return 'stopped';
    if (['FullSync', 'HashSync'].includes(hurdle.state)) return 'syncing';
    return hurdle.state === 'WdiffRecv' ? 'wdiff-recv' : 'other';
  };
  const cases = refusalsOf(archiveModel, 'wdiff-transfer', OPTIONS).map(({ title, hurdle }) => ({
    title,
    hurdle,
    answer: answerTo(hurdle),
  }));
  it.each(cases)('$answer $title', async ({ hurdle, answer }) => {
    using _situation = meet(subject, hurdle);
    const target = hurdle.kind === 'unknown volume' ? 'nobody' : VOLUME;
    const call = () => CALLS['wdiff-transfer'](channel, target);
    await expectRefused(subject, call, 'wrong-state');
    await expect(call()).rejects.toThrow(new RegExp(`^${answer}: `));
  });
});

describe('get restorable', () => {
  const active = archiveModel.stateSets['Active'] as readonly string[];
  it.each([...archiveModel.steady, ...archiveModel.temporary].filter((s) => s !== 'Clear'))(
    'in %s lists snapshots only where clients may use them (A.5)',
    async (state) => {
      using _state = enterState(subject, state);
      const { items } = await channel.unary(ArchiveRpc.getRestorable, { volume, all: true });
      expect(items.length > 0).toBe(active.includes(state));
    },
  );
});
