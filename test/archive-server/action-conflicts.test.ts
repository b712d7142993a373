/**
 * E.3: every command beside every action that really runs, held in the middle of its work: what the
 * table forbids is refused and changes nothing; what it allows is done, and in the end every snapshot
 * that is offered still has its content.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type ArchiveAction,
  type ArchiveCommand,
  archiveModel,
} from '../../src/archive-server/states.ts';
import { type Channel, type Env, LB_SIZE, WalbError } from '../../src/core/index.ts';
import { type Accepted, ArchiveRpc, ControlRpc, HostType, handle } from '../../src/rpc/index.ts';
import { changed } from '../sim/group-flaws.ts';
import {
  cleanDiff,
  dataIo,
  finished,
  fullBackup,
  hashBackup,
  restorable,
  scanned,
  sendDiff,
  startArchive,
  type TestArchive,
  testArchive,
  VOLUME,
  viewWhere,
} from './support.ts';

const volume = VOLUME;
const SIZE_LB = 32;
const UUID = new Uint8Array(16).fill(1);
/** Snapshots 1 .. LAST; each changes one block. */
const LAST = 6n;

/** Once armed, holds the first sync or pause until it is opened. */
class Gate {
  readonly reached = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<void>();
  #isArmed = false;
  #ticks = 0;

  arm(): void {
    this.#isArmed = true;
  }

  open(): void {
    this.#isArmed = false;
    this.#opened.resolve();
  }

  async #pass(): Promise<void> {
    if (!this.#isArmed) return;
    this.#isArmed = false;
    this.reached.resolve();
    await this.#opened.promise;
  }

  adapt(env: Env): Env {
    const { clock, files } = env;
    return {
      ...env,
      clock: changed(clock, {
        // Work takes long, so that every piece of it is followed by a pause.
        monotonic: () => clock.monotonic() + (this.#ticks += 20),
        yield: async () => {
          await this.#pass();
          await clock.yield();
        },
      }),
      files: changed(files, {
        open: (path, mode) => {
          const opened = files.open(path, mode);
          const sync = async (): Promise<void> => {
            await this.#pass();
            await opened.sync();
          };
          return changed(opened, { sync });
        },
      }),
    };
  }
}

interface Bench {
  readonly host: TestArchive;
  readonly channel: Channel;
  readonly gate: Gate;
  /** Ends the call of the replication whose peer never answers. */
  hangUp(): void;
}

/** An archive with snapshots 1 .. LAST, a restored one, and another archive to replicate to. */
async function withArchive(work: (bench: Bench) => Promise<void>): Promise<void> {
  const gate = new Gate();
  await using host = await testArchive({}, (env) => gate.adapt(env));
  const { channel, network } = host;
  await channel.unary(ControlRpc.initVolume, { volume, devicePath: '' });
  await fullBackup(channel, { image: new Uint8Array(SIZE_LB * LB_SIZE), uuid: UUID });
  for (let gid = 0n; gid < LAST; gid += 1n) await sendDiff(channel, sentDiff(gid));
  await finished(channel, await channel.unary(ArchiveRpc.restore, { volume, gid: 1n }));
  const directory = join(host.directory, 'replica');
  const replica = await startArchive(
    { ...host.env, network: network.host('b0') },
    { directory, address: 'b0:1' },
  );
  await using _replica = { [Symbol.asyncDispose]: () => replica.stop() };
  await network
    .host('client')
    .connect('b0:1', { clientId: 'client' })
    .unary(ControlRpc.initVolume, { volume, devicePath: '' });
  const hungUp = Promise.withResolvers<void>();
  const hangUp = (): void => hungUp.reject(new WalbError('unavailable', 'the peer hung up'));
  hungUp.promise.catch(() => {});
  await network
    .host('silent')
    .listen('silent:1', [handle(ArchiveRpc.serveReplication, () => hungUp.promise)]);
  await work({ host, channel, gate, hangUp });
}

const sentDiff = (gid: bigint) => {
  const data = new Uint8Array(LB_SIZE).fill(Number(gid) + 1);
  const diff = cleanDiff(gid, gid + 1n, { isMergeable: gid > 0n });
  return { uuid: UUID, diff, ios: [dataIo(Number(gid), data)], sizeLb: SIZE_LB };
};

function contentAt(gid: bigint): Buffer {
  const content = Buffer.alloc(SIZE_LB * LB_SIZE);
  for (let at = 0; at < gid; at += 1) content.fill(at + 1, at * LB_SIZE, (at + 1) * LB_SIZE);
  return content;
}

const replicate = (c: Channel, address: string): Promise<Accepted> =>
  c.unary(ArchiveRpc.replicate, {
    volume,
    address,
    until: { $case: 'sizeMb', value: 0 },
    doResync: false,
    dontMerge: false,
    compression: undefined,
    maxMergeBytes: 0,
    bulkBytes: 0,
  });

/** Starts the action; it is then held. */
const STARTS: Record<ArchiveAction, (c: Channel) => Promise<unknown>> = {
  Apply: (c) => c.unary(ArchiveRpc.apply, { volume, gid: 2n }),
  Merge: (c) =>
    c.unary(ArchiveRpc.merge, { volume, gidB: 2n, until: { $case: 'gidE', value: 5n } }),
  Restore: (c) => c.unary(ArchiveRpc.restore, { volume, gid: 4n }),
  Resize: (c) => c.unary(ArchiveRpc.resize, { volume, sizeLb: SIZE_LB + 8, zeroClear: false }),
  ReplSyncAsClient: (c) => replicate(c, 'silent:1'),
};

const task = async (c: Channel, accepted: Promise<Accepted>): Promise<() => Promise<unknown>> => {
  const { taskId } = await accepted;
  return async () => (taskId === 0 ? undefined : await finished(c, { taskId }));
};
const done = async (call: Promise<unknown>): Promise<() => Promise<unknown>> => {
  await call;
  return async () => undefined;
};
const whole = async (stream: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of stream);
};

/** Runs a command; resolves when it was not refused, with what waits for its end. */
const COMMANDS: Partial<Record<ArchiveCommand, (c: Channel) => Promise<() => Promise<unknown>>>> = {
  restore: (c) => task(c, c.unary(ArchiveRpc.restore, { volume, gid: 3n })),
  'del-restored': (c) => done(c.unary(ArchiveRpc.delRestored, { volume, gid: 1n })),
  replicate: (c) => task(c, replicate(c, 'b0:1')),
  apply: (c) => task(c, c.unary(ArchiveRpc.apply, { volume, gid: 3n })),
  merge: (c) =>
    task(c, c.unary(ArchiveRpc.merge, { volume, gidB: 2n, until: { $case: 'gidE', value: LAST } })),
  resize: (c) =>
    task(c, c.unary(ArchiveRpc.resize, { volume, sizeLb: SIZE_LB + 16, zeroClear: true })),
  'disable-snapshot': (c) => done(c.unary(ArchiveRpc.disableSnapshots, { volume, gids: [5n] })),
  'enable-snapshot': (c) => done(c.unary(ArchiveRpc.enableSnapshots, { volume, gids: [5n] })),
  'gc-diff': (c) => done(c.unary(ArchiveRpc.gcDiff, { volume })),
  'dbg-reload-metadata': (c) => done(c.unary(ArchiveRpc.reloadMetadata, { volume })),
  'hash-backup': (c) =>
    done(hashBackup(c, { image: contentAt(LAST), uuid: new Uint8Array(16).fill(2) })),
  replication: async (c) => {
    const stream = c.bidi(ArchiveRpc.serveReplication);
    const hostType = HostType.ARCHIVE;
    const value = { volume, hostType, archiveUuid: UUID, doResync: true, client: undefined };
    await stream.send({ message: { $case: 'hello', value } });
    return await done(stream.receive());
  },
  'wdiff-transfer': async (c) => {
    const reply = await sendDiff(c, sentDiff(LAST));
    if (reply.answer !== 'accept') throw new WalbError('busy', reply.text);
    return async () => undefined;
  },
  bhash: (c) =>
    done(
      whole(c.serverStream(ArchiveRpc.blockHash, { volume, gid: LAST, bulkBytes: 0, scanLb: 0 })),
    ),
  'virt-full-scan': (c) => done(scanned(c, LAST)),
  'get base': (c) => done(c.unary(ArchiveRpc.getBase, { volume })),
  'get restorable': (c) => done(restorable(c)),
  'get restored': (c) => done(c.unary(ArchiveRpc.getRestored, { volume })),
  'get num-action': (c) => done(c.unary(ArchiveRpc.getNumAction, { volume, action: 'Apply' })),
};

function fingerprint({ host }: Bench): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(host.directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(host.directory, name);
    hash.update(name).update(statSync(path).isFile() ? readFileSync(path) : '');
  }
  return hash.digest('hex');
}

/** Starts the action, holds it, does `meanwhile`, lets it go on and waits until nothing runs. */
async function beside(
  bench: Bench,
  action: ArchiveAction,
  meanwhile: () => Promise<unknown>,
): Promise<void> {
  const { channel, gate, host } = bench;
  const isRunning = (): boolean => host.volume.actions.count(action) > 0;
  // The peer of a replication never answers: that holds it until it is stopped.
  const isHeldByPeer = action === 'ReplSyncAsClient';
  if (!isHeldByPeer) gate.arm();
  const started = STARTS[action](channel);
  started.catch(() => {});
  if (isHeldByPeer) while (!isRunning()) await host.env.clock.yield();
  else await gate.reached.promise;
  expect(isRunning()).toBe(true);
  try {
    await meanwhile();
    expect(isRunning()).toBe(true);
  } finally {
    gate.open();
  }
  if (isHeldByPeer) {
    bench.hangUp();
    await expect(started).rejects.toThrow('the peer hung up');
  } else {
    await started;
  }
  await viewWhere(channel, ({ actions }) => actions.every(({ running }) => running === 0));
  for (const { kind, error } of host.volume.tasks.results()) expect(error, kind).toBeUndefined();
}

async function expectContents({ channel }: Bench): Promise<void> {
  const offered = await restorable(channel);
  expect(offered).toContain(LAST);
  for (const gid of offered) {
    const image = await scanned(channel, gid);
    expect(image.subarray(0, SIZE_LB * LB_SIZE).equals(contentAt(gid)), `gid ${gid}`).toBe(true);
  }
}

const ACTIONS = Object.keys(STARTS) as ArchiveAction[];

describe.each(ACTIONS)('while %s runs', (action) => {
  const isDenied = (command: string): boolean => {
    const { denyActions } = archiveModel.rules[command as ArchiveCommand];
    return denyActions === 'all' || denyActions?.includes(action) === true;
  };
  const commands = Object.keys(COMMANDS) as (keyof typeof COMMANDS)[];
  const run = (command: keyof typeof COMMANDS, c: Channel) => COMMANDS[command]!(c);

  it.each(commands.filter(isDenied))('%s is refused', (command) =>
    withArchive(async (bench) => {
      await beside(bench, action, async () => {
        const before = fingerprint(bench);
        const refused = { code: 'busy', message: expect.stringContaining(action) };
        await expect(run(command, bench.channel)).rejects.toMatchObject(refused);
        expect(fingerprint(bench)).toBe(before);
      });
      await expectContents(bench);
    }),
  );

  it.each(commands.filter((command) => !isDenied(command)))('%s is done', (command) =>
    withArchive(async (bench) => {
      let ended = async (): Promise<unknown> => undefined;
      await beside(bench, action, async () => {
        ended = await run(command, bench.channel);
      });
      await ended();
      await expectContents(bench);
    }),
  );
});

it('a stop waits for what runs', () =>
  withArchive(async (bench) => {
    const { channel, host } = bench;
    await beside(bench, 'Merge', async () => {
      await channel.unary(ControlRpc.stop, { volume, mode: 'graceful' });
      expect(host.volume.state).toBe('Archived');
    });
    await viewWhere(channel, ({ state }) => state === 'Stopped');
  }));
