/**
 * A group of servers that only remember: states and lists of one volume, which commands change as real
 * servers do, at once or when the test says so. They are reached over a network in memory, and write
 * down every command that changes something, in order.
 */
import { type Binding, type CancelTimer, type Millis, WalbError } from '../../../src/core/index.ts';
import { RealClock } from '../../../src/core/real-clock.ts';
import {
  type Action,
  ArchiveRpc,
  ControlRpc,
  type DiffList,
  type ErrorInfo,
  HostType,
  handle,
  MemoryNetwork,
  ProxyRpc,
  StopState,
  StorageRpc,
  TaskKind as Task,
  type TaskKind,
  type TaskResult,
  toErrorInfo,
  VolumeState,
  type VolumeView,
} from '../../../src/rpc/index.ts';
import { clearView } from '../../../src/server/status.ts';
import {
  Controller,
  K_ARCHIVE,
  K_PROXY,
  K_STORAGE,
  ServerConnectionParam,
  type ServerKind,
  ServerLayout,
  type ServerParam,
  type WaitReport,
} from '../../../src/walbc/index.ts';

export const VOL = 'vol';

/** Time passes this many times as fast: pauses and time limits of seconds take moments. */
const SPEED = 50;

class QuickClock extends RealClock {
  #skipped: Millis = 0;

  override monotonic(): Millis {
    return super.monotonic() * SPEED + this.#skipped;
  }

  /** So much time has passed when somebody looks next; timers do not fire for it. */
  skip(time: Millis): void {
    this.#skipped += time;
  }

  override after(delay: Millis, fn: () => void): CancelTimer {
    return super.after(delay / SPEED, fn);
  }

  override sleep(delay: Millis, signal?: AbortSignal): Promise<void> {
    return super.sleep(delay / SPEED, signal);
  }
}

/** What a fake keeps of the volume; tests set it as they like. */
export class FakeServer {
  readonly param: ServerParam;
  readonly group: FakeGroup;
  state: VolumeState = VolumeState.CLEAR;
  /** Archives: explicit gids. Storages: the last gid. */
  gids: bigint[] = [];
  restored: bigint[] = [];
  cold: bigint[] = [];
  base = 0n;
  sizeLb = 2048;
  archiveUuid = new Uint8Array(16);
  diffs: { b: bigint; e: bigint; mergeable?: boolean; compared?: boolean }[] = [];
  /** Proxies: archive name to options as text. */
  readonly archives = new Map<string, string>();
  /** Instead of the usual effect of a command; may throw. */
  readonly on: Record<string, (server: FakeServer) => void | Promise<void>> = {};
  /** A stop is under way. */
  isStopping = false;
  /** Storages: of the log. */
  isOverflow = false;
  /** Tasks that end only when the test calls `finish`. */
  holdsTasks = false;
  #held: (() => void)[] = [];
  #tasks: TaskResult[] = [];
  #running = new Map<Action, number>();
  #taskId = 0;
  #watchers = new Set<() => void>();
  #revision = 0;
  #instance = 1;

  constructor(group: FakeGroup, param: ServerParam) {
    this.group = group;
    this.param = param;
  }

  get name(): string {
    return this.param.name;
  }

  async start(): Promise<void> {
    const host = this.group.network.host(this.name);
    await host.listen(this.param.get_host_port(), this.#bindings());
  }

  /** As kill -9: watchers lose the connection, nobody answers. */
  crash(): void {
    this.group.network.crash(this.name);
    this.#watchers.clear();
  }

  /** A new process: tasks of the old one are forgotten. */
  async restart(): Promise<void> {
    this.#instance += 1;
    this.#tasks = [];
    this.#held = [];
    await this.start();
  }

  /** Connections break; the process lives on. */
  drop(): void {
    this.group.network.disconnect('ctl', this.name);
  }

  changed(): void {
    this.#revision += 1;
    for (const wake of [...this.#watchers]) wake();
  }

  set(state: VolumeState): void {
    this.state = state;
    this.changed();
  }

  /** Lets held tasks end as they would have. */
  finish(): void {
    const held = this.#held;
    this.#held = [];
    for (const end of held) end();
  }

  setRunning(action: Action, count: number): void {
    this.#running.set(action, count);
    this.changed();
  }

  /** Resolves once somebody follows the volume here. */
  async watched(): Promise<void> {
    while (this.#watchers.size === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  view(): VolumeView {
    const newest = this.gids.at(-1);
    return {
      ...clearView(VOL),
      state: this.state,
      isOverflow: this.isOverflow,
      stopState: this.isStopping ? StopState.STOPPING : StopState.NOT_STOPPING,
      tasks: this.#tasks,
      actions: [...this.#running].map(([action, running]) => ({
        ...{ action, running, archive: '', lastBegan: 0, lastEnded: 0, lastSuccess: 0 },
        lastError: undefined,
      })),
      restorableRevision: this.#revision,
      restoredRevision: this.#revision,
      coldRevision: this.#revision,
      ...(newest === undefined ? {} : { newestRestorableGid: newest }),
    };
  }

  #log(text: string): void {
    this.group.log.push(`${this.name} ${text}`);
  }

  /** Writes a command down and does it. */
  async #do(text: string, effect: () => void): Promise<Record<string, never>> {
    this.#log(text);
    const other = this.on[text.split(' ')[0] as string];
    if (other === undefined) effect();
    else await other(this);
    this.changed();
    return {};
  }

  async #task(text: string, kind: TaskKind, effect: () => void): Promise<{ taskId: number }> {
    this.#log(text);
    const taskId = ++this.#taskId;
    const other = this.on[text.split(' ')[0] as string];
    const end = async (): Promise<void> => {
      let error: ErrorInfo | undefined;
      let gid: bigint | undefined;
      try {
        if (other === undefined) effect();
        else await other(this);
        gid = this.gids.at(-1);
      } catch (thrown) {
        error = toErrorInfo(WalbError.from(thrown));
      }
      this.#tasks.push({
        taskId,
        kind,
        began: 1,
        ended: 2,
        error,
        ...(gid === undefined ? {} : { gid }),
      });
      this.changed();
    };
    if (this.holdsTasks) this.#held.push(() => void end());
    else await end();
    return { taskId };
  }

  #stop(): void {
    const isStandby = this.param.kind === K_STORAGE && this.state === VolumeState.STANDBY;
    this.state = isStandby ? VolumeState.SYNC_READY : VolumeState.STOPPED;
  }

  #bindings(): Binding[] {
    const common = this.#common();
    if (this.param.kind === K_STORAGE) return [...common, ...this.#storage()];
    return [...common, ...(this.param.kind === K_PROXY ? this.#proxy() : this.#archive())];
  }

  #common(): Binding[] {
    const hostType = [HostType.STORAGE, HostType.PROXY, HostType.ARCHIVE][
      this.param.kind
    ] as HostType;
    const identity = () => ({
      ...{ hostType, nodeId: this.name, protocolVersion: 1, version: 'test' },
      instance: String(this.#instance),
    });
    const active = this.param.kind === K_PROXY ? VolumeState.STARTED : VolumeState.ARCHIVED;
    return [
      handle(ControlRpc.getHostType, async () => identity() as never),
      handle(ControlRpc.getState, async () => ({ state: this.state })),
      handle(ControlRpc.initVolume, () =>
        this.#do('init-vol', () => (this.state = VolumeState.SYNC_READY)),
      ),
      handle(ControlRpc.clearVolume, () =>
        this.#do('clear-vol', () => (this.state = VolumeState.CLEAR)),
      ),
      handle(ControlRpc.resetVolume, () =>
        this.#do('reset-vol', () => (this.state = VolumeState.SYNC_READY)),
      ),
      handle(ControlRpc.start, ({ role }) => {
        const word = role === 'unspecified' ? '' : ` ${role}`;
        return this.#do(`start${word}`, () => {
          const roles: Readonly<Record<string, VolumeState>> = {
            target: VolumeState.TARGET,
            standby: VolumeState.STANDBY,
          };
          this.state = roles[role] ?? active;
        });
      }),
      handle(ControlRpc.stop, ({ mode }) =>
        this.#task(`stop ${mode}`, Task.STOP, () => this.#stop()),
      ),
      handle(ControlRpc.kick, ({ archive }) =>
        this.#do(archive === '' ? 'kick' : `kick ${archive}`, () => {}),
      ),
      handle(ControlRpc.shutdown, ({ mode }) => this.#do(`shutdown ${mode}`, () => {})),
      handle(ControlRpc.watch, (_, { signal }) => this.#watch(identity(), signal) as never),
    ];
  }

  async *#watch(identity: object, signal: AbortSignal): AsyncGenerator<unknown> {
    yield { event: { $case: 'volume', value: this.view() } };
    yield { event: { $case: 'ready', value: identity } };
    let wake = (): void => {};
    let isDue = false;
    const mark = (): void => {
      isDue = true;
      wake();
    };
    this.#watchers.add(mark);
    try {
      while (!signal.aborted) {
        if (!isDue) {
          await new Promise<void>((resolve) => {
            wake = resolve;
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
        }
        isDue = false;
        yield { event: { $case: 'volume', value: this.view() } };
      }
    } finally {
      this.#watchers.delete(mark);
    }
  }

  #storage(): Binding[] {
    const primary = (): FakeServer => this.group.get('a0');
    const backup = (name: string) => () =>
      this.#task(name, name === 'full-bkp' ? Task.FULL_BACKUP : Task.HASH_BACKUP, () => {
        this.state = VolumeState.TARGET;
        const gid = (primary().gids.at(-1) ?? 0n) + 1n;
        this.gids = [gid];
        primary().gids.push(gid);
        primary().set(VolumeState.ARCHIVED);
      });
    return [
      handle(StorageRpc.fullBackup, backup('full-bkp')),
      handle(StorageRpc.hashBackup, backup('hash-bkp')),
      handle(StorageRpc.isOverflow, async () => ({ value: this.isOverflow })),
      handle(StorageRpc.snapshot, async () => {
        const gid = (this.gids.at(-1) ?? 0n) + 1n;
        await this.#do('snapshot', () => {
          this.gids.push(gid);
          const registered = this.group.of(K_PROXY).flatMap((p) => [...p.archives.keys()]);
          for (const name of new Set(registered)) {
            this.group.get(name).gids.push(gid);
            this.group.get(name).changed();
          }
        });
        return { gid };
      }),
      handle(StorageRpc.resize, ({ sizeLb }) =>
        this.#do(`resize ${sizeLb}`, () => (this.sizeLb = sizeLb)),
      ),
    ];
  }

  #proxy(): Binding[] {
    const put =
      (word: string) =>
      async (request: {
        info:
          | { name: string; compression: { kind: string } | undefined; wdiffSendDelaySec: number }
          | undefined;
      }) => {
        const { name = '', compression, wdiffSendDelaySec } = request.info ?? {};
        return await this.#do(`${word} ${name}`, () => {
          this.archives.set(name, `${compression?.kind} ${wdiffSendDelaySec}`);
          if (this.state === VolumeState.CLEAR) this.state = VolumeState.STOPPED;
        });
      };
    return [
      handle(ProxyRpc.listArchiveInfo, async () => ({ names: [...this.archives.keys()].sort() })),
      handle(ProxyRpc.getArchiveInfo, async ({ archive }) => {
        const [kind = '', delay] = (this.archives.get(archive) ?? '').split(' ');
        const { param } = this.group.get(archive);
        const compression = { kind: kind as 'snappy', level: 0, cpus: 1 };
        return {
          name: archive,
          address: param.get_host_port(),
          compression,
          wdiffSendDelaySec: Number(delay),
        };
      }),
      handle(ProxyRpc.addArchiveInfo, put('add')),
      handle(ProxyRpc.updateArchiveInfo, put('update')),
      handle(ProxyRpc.deleteArchiveInfo, ({ archive }) =>
        this.#do(`delete ${archive}`, () => {
          this.archives.delete(archive);
          if (this.archives.size === 0) this.state = VolumeState.CLEAR;
        }),
      ),
    ];
  }

  #archive(): Binding[] {
    const diffList = (): DiffList => ({
      diffs: this.diffs.map(({ b, e, mergeable = false, compared = false }) => ({
        snapB: { gidB: b, gidE: b },
        snapE: { gidB: e, gidE: e },
        isMergeable: mergeable,
        isCompDiff: compared,
        timestamp: 1,
        dataSizeBytes: 1,
      })),
    });
    return [
      handle(ArchiveRpc.getRestorable, async () => ({
        items: this.gids.map((gid) => ({ gid, timestamp: 1, isExplicit: true })),
      })),
      handle(ArchiveRpc.getRestored, async () => ({
        images: this.restored.map((gid) => ({ gid }) as never),
      })),
      handle(ArchiveRpc.getCold, async () => ({ gids: this.cold })),
      handle(ArchiveRpc.getArchiveUuid, async () => ({ uuid: this.archiveUuid })),
      handle(ArchiveRpc.getVolSize, async () => ({ value: this.sizeLb })),
      handle(ArchiveRpc.existsBaseImage, async () => ({ value: this.gids.length > 0 })),
      handle(ArchiveRpc.getApplicableDiffs, async () => diffList()),
      handle(ArchiveRpc.existsDiff, async ({ snapB, snapE }) => ({
        value: this.diffs.some(({ b, e }) => b === snapB?.gidB && e === snapE?.gidB),
      })),
      handle(ArchiveRpc.getMetaSnap, async () => {
        const gid = this.gids.at(-1) ?? 0n;
        return { gidB: gid, gidE: gid };
      }),
      handle(ArchiveRpc.getBase, async () => ({
        snapB: { gidB: this.base, gidE: this.base },
        snapE: undefined,
        timestamp: 1,
      })),
      handle(ArchiveRpc.restore, ({ gid }) =>
        this.#task(`restore ${gid}`, Task.RESTORE, () => this.restored.push(gid)),
      ),
      handle(ArchiveRpc.delRestored, ({ gid }) =>
        this.#do(`del-restored ${gid}`, () => {
          this.restored = this.restored.filter((one) => one !== gid);
        }),
      ),
      handle(ArchiveRpc.delCold, ({ gid }) =>
        this.#do(`del-cold ${gid}`, () => {
          this.cold = this.cold.filter((one) => one !== gid);
        }),
      ),
      handle(ArchiveRpc.apply, ({ gid }) =>
        this.#task(`apply ${gid}`, Task.APPLY, () => {
          this.base = gid;
        }),
      ),
      handle(ArchiveRpc.merge, ({ gidB, until }) =>
        this.#task(`merge ${gidB} ${until?.value}`, Task.MERGE, () => {
          this.diffs = [{ b: gidB, e: until?.value as bigint }];
        }),
      ),
      handle(ArchiveRpc.resize, ({ sizeLb, zeroClear }) =>
        this.#task(`resize ${sizeLb}${zeroClear ? ' zeroclear' : ''}`, Task.RESIZE, () => {
          this.sizeLb = sizeLb;
        }),
      ),
      handle(ArchiveRpc.replicate, ({ until, address, doResync, dontMerge }) => {
        const flags = `${doResync ? ' resync' : ''}${dontMerge ? ' dont-merge' : ''}`;
        const target = this.group.all().find(({ param }) => param.get_host_port() === address);
        return this.#task(
          `replicate ${until?.value} ${target?.name}${flags}`,
          Task.REPLICATE,
          () => {
            if (target === undefined) throw new WalbError('unavailable', `nobody at ${address}`);
            target.gids = this.gids.filter((gid) => gid <= (until?.value as bigint));
            target.set(VolumeState.ARCHIVED);
          },
        );
      }),
    ];
  }
}

export class FakeGroup implements AsyncDisposable {
  readonly network = new MemoryNetwork();
  readonly clock = new QuickClock();
  readonly log: string[] = [];
  readonly printed: string[] = [];
  readonly reports: WaitReport[] = [];
  readonly controller: Controller;
  readonly #servers = new Map<string, FakeServer>();

  private constructor(names: readonly string[]) {
    const kinds: Readonly<Record<string, ServerKind>> = { s: K_STORAGE, p: K_PROXY, a: K_ARCHIVE };
    for (const [i, name] of names.entries()) {
      const kind = kinds[name.charAt(0)] as ServerKind;
      const param = new ServerConnectionParam(name, name, 10_000 + i, kind);
      this.#servers.set(name, new FakeServer(this, param));
    }
    const params = (kind: ServerKind): ServerParam[] => this.of(kind).map(({ param }) => param);
    const layout = new ServerLayout(params(K_STORAGE), params(K_PROXY), params(K_ARCHIVE));
    this.controller = new Controller('walbc', layout, false, 0, {
      network: this.network.host('ctl'),
      clock: this.clock,
      onWait: (report) => void (report !== undefined && this.reports.push(report)),
      print: (text) => void this.printed.push(text),
    });
  }

  static async start(...names: string[]): Promise<FakeGroup> {
    const group = new FakeGroup(names);
    for (const server of group.all()) await server.start();
    return group;
  }

  all(): FakeServer[] {
    return [...this.#servers.values()];
  }

  of(kind: ServerKind): FakeServer[] {
    return this.all().filter(({ param }) => param.kind === kind);
  }

  get(name: string): FakeServer {
    const server = this.#servers.get(name);
    if (server === undefined) throw new Error(`there is no ${name}`);
    return server;
  }

  param(name: string): ServerParam {
    return this.get(name).param;
  }

  /** Lets every message that is on its way arrive, and the answers to it. */
  async settle(): Promise<void> {
    for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  /** The commands since the last call. */
  steps(): string[] {
    return this.log.splice(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.controller.close();
    for (const server of this.all()) server.crash();
  }
}
