/**
 * E.3: every command of an archive in every state, beside every action, while stopping and over the
 * foreground limit, as generated from the state tables: refused with the documented code, and nothing
 * changed on disk or in the state.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ARCHIVE_ACTIONS,
  ARCHIVE_STEADY_STATES,
  type ArchiveCommand,
  type ArchiveState,
  type ArchiveSteadyState,
  archiveModel,
} from '../../src/archive-server/states.ts';
import type { ArchiveVolume } from '../../src/archive-server/volume.ts';
import { type Channel, type CommandRule, LB_SIZE, WalbError } from '../../src/core/index.ts';
import { ArchiveRpc, ControlRpc, HostType, StartRole, StopMode } from '../../src/rpc/index.ts';
import {
  cleanDiff,
  dataIo,
  fullBackup,
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
const CALLS: Record<
  Exclude<ArchiveCommand, 'replicate' | 'replication'>,
  (channel: Channel, volume: string) => Promise<unknown>
> = {
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
    if (reply.answer !== 'accept') throw new WalbError('wrong-state', reply.answer);
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

const COMMANDS = Object.keys(CALLS) as (keyof typeof CALLS)[];

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

let host: TestArchive;
let channel: Channel;
let known: ArchiveVolume;

beforeAll(async () => {
  host = await testArchive({ foreground: FOREGROUND });
  ({ channel } = host);
  await channel.unary(ControlRpc.initVolume, { volume, devicePath: '' });
  await fullBackup(channel, { image: new Uint8Array(SIZE_LB * LB_SIZE), uuid: UUID });
  for (const from of [0n, 1n, 2n]) {
    const ios = [dataIo(Number(from), new Uint8Array(LB_SIZE).fill(5))];
    const diff = cleanDiff(from, from + 1n, { isMergeable: from > 0n });
    await sendDiff(channel, { uuid: UUID, diff, ios, sizeLb: SIZE_LB });
  }
  known = host.volume;
});

afterAll(() => host[Symbol.asyncDispose]());

/** Everything on the disk of the archive: names, sizes and content. */
function fingerprint(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(host.directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(host.directory, name);
    hash.update(name).update(statSync(path).isFile() ? readFileSync(path) : '');
  }
  return hash.digest('hex');
}

async function expectRefused(
  command: keyof typeof CALLS,
  codes: readonly string[],
  target = VOLUME,
): Promise<void> {
  const before = {
    disk: fingerprint(),
    state: known.state,
    volumes: host.archive.server.volumes(),
  };
  const error = await CALLS[command](channel, target).then(
    () => undefined,
    (thrown: unknown) => thrown as WalbError,
  );
  expect(error, `${command} was not refused`).toBeInstanceOf(WalbError);
  expect(codes, `${command}: ${error?.message}`).toContain(error?.code);
  expect(error?.message).not.toBe('');
  const after = { disk: fingerprint(), state: known.state, volumes: host.archive.server.volumes() };
  expect(after).toEqual(before);
}

function ruleOf(command: keyof typeof CALLS): CommandRule<ArchiveState, string> {
  return archiveModel.rules[command];
}

/** Puts the volume into the state for a while, the way it gets there. */
function enter(state: ArchiveState): Disposable {
  const { machine } = known;
  const row = archiveModel.transitions.find(({ via }) => via === state);
  const steady = (row === undefined ? state : row.from[0]) as ArchiveSteadyState;
  machine.force(steady);
  const change = row === undefined ? undefined : machine.begin(row.trigger);
  return {
    [Symbol.dispose]: () => {
      change?.rollback();
      machine.force('Archived');
    },
  };
}

const STATES = [...ARCHIVE_STEADY_STATES, ...archiveModel.temporary].filter((s) => s !== 'Clear');

describe.each(COMMANDS)('%s', (command) => {
  const rule = ruleOf(command);

  const refusing = STATES.filter((state) => {
    const waits = rule.waitsOut === true && archiveModel.temporary.includes(state);
    return rule.states !== 'any' && !rule.states.includes(state) && !waits;
  });
  it.runIf(refusing.length > 0)(`is refused in ${refusing.join(', ')}`, async () => {
    for (const state of refusing) {
      using _state = enter(state);
      await expectRefused(command, ['wrong-state', 'busy']);
    }
  });

  it.runIf(command !== 'init-vol' && command !== 'get restorable')(
    'is refused for a volume that is not known',
    () => expectRefused(command, ['wrong-state'], 'nobody'),
  );

  const allowed = (rule.states === 'any' ? 'Archived' : rule.states.at(0)) as ArchiveState;
  const denied = ARCHIVE_ACTIONS.filter(
    (action) => rule.denyActions === 'all' || rule.denyActions?.includes(action),
  );
  it.runIf(denied.length > 0 && allowed !== 'Clear')(
    `is refused beside ${denied.join(', ')}`,
    async () => {
      using _state = enter(allowed);
      for (const action of denied) {
        using _running = known.actions.begin(action);
        await expectRefused(command, ['busy']);
      }
    },
  );

  it.runIf(rule.stopStates !== undefined)(
    'is refused while the volume is being stopped',
    async () => {
      using _state = enter(allowed);
      using _stop = known.stop.begin('graceful');
      await expectRefused(command, command === 'wdiff-transfer' ? ['wrong-state'] : ['busy']);
    },
  );

  it.runIf(rule.isForeground === true)('is refused over the foreground limit', async () => {
    using _state = enter(allowed);
    using held = new DisposableStack();
    for (let i = 0; i < FOREGROUND; i += 1) held.use(host.archive.core.foreground.acquire('test'));
    await expectRefused(
      command,
      command === 'wdiff-transfer' ? ['wrong-state'] : ['limit-exceeded'],
    );
  });
});

it('names every command of the state table', () => {
  const tested = new Set<string>([...COMMANDS, 'replicate', 'replication']);
  expect([...Object.keys(archiveModel.rules)].filter((command) => !tested.has(command))).toEqual(
    [],
  );
});
