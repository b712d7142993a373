/**
 * A whole backup group in the simulated world: a storage server with its device and a workload, one or
 * two proxies, an archive and an operator, each on a host of its own. Servers are killed at any call,
 * hosts lose power, disks fail and fill up, links break, clocks jump; a proxy's spool, the storage's
 * metadata or the archive may be lost altogether.
 *
 * In the end everything heals, and then: the log is delivered to its end and the ring is freed; each
 * snapshot that the archive offers restores to exactly what the volume held at that moment; explicit
 * snapshots of the present log history are all there; what was flushed is on the device; and where
 * diffs were lost, somebody said so.
 */
import { type Env, hasCode, LB_SIZE, MIB, toHex } from '../../src/core/index.ts';
import { formatDevice } from '../../src/wdev/index.ts';
import {
  hasDiffSuffix,
  isCleanDiff,
  parseDiffName,
  validateFileHeader,
} from '../../src/wdiff/index.ts';
import type { Scenario } from './explore.ts';
import type { GroupFlaw } from './group-flaws.ts';
import { Positions, WriteHistory } from './group-model.ts';
import { Operator, type TakenSnapshot } from './group-operator.ts';
import { type Expectation, expectOneOf, type ReaderOptions, Readers } from './group-readers.ts';
import {
  archiveMain,
  DEVICE_FILES,
  type GroupStory,
  proxyMain,
  storageMain,
  VOLUME,
} from './group-servers.ts';
import { PRIMARY, Released, SECONDARY, Upkeep, type UpkeepOptions } from './group-upkeep.ts';
import type { SimHost } from './sim-host.ts';
import type { ProcessMain, SimProcess } from './sim-process.ts';
import type { SimWorld } from './world.ts';

const SIZE_LB = 96;
/** How many, and the longest pause between two. */
const DISTURBANCES = [14, 4000] as const;
/** Fewer in more time: upkeep disturbs enough, and needs something to work on. */
const UPKEEP_DISTURBANCES = [12, 10_000] as const;
/** Env calls within which a server dies that shall die amid its work; drawn anew each time. */
const CALLS_TO_CRASH = [30, 200, 1000];
/** How often a disturbance hits the server that this run is about. */
const FOCUS = 0.6;
/** Virtual time for everything to be delivered once nothing is in the way. */
const DRAIN_MS = 400_000;
/** Snapshots restored in the end; all explicit ones first. */
const MAX_CHECKED = 12;

export function groupScenario(flaw?: GroupFlaw): Scenario {
  const name = flaw === undefined ? 'group' : `group-${flaw}`;
  const about = flaw === undefined ? 'a whole backup group' : `canary: ${flaw} in a group`;
  return { name, about, run: (world) => new GroupRun(world, { flaw, hasUpkeep: false }).run() };
}

/** With a second archive, and with upkeep of both while backups go on. */
export function upkeepScenario(flaw?: GroupFlaw): Scenario {
  const name = flaw === undefined ? 'upkeep' : `upkeep-${flaw}`;
  const about =
    'a backup group with two archives that are applied, merged and replicated meanwhile';
  return { name, about, run: (world) => new GroupRun(world, { flaw, hasUpkeep: true }).run() };
}

interface GroupKind {
  readonly flaw: GroupFlaw | undefined;
  readonly hasUpkeep: boolean;
}

interface Member {
  readonly host: SimHost;
  process: SimProcess;
}

class GroupRun {
  readonly #world: SimWorld;
  readonly #story: GroupStory;
  readonly #proxies: readonly string[];
  /** The first one takes the backups; others are replicated to. */
  readonly #archives: readonly string[];
  readonly #released = new Released();
  readonly #focus: string;
  readonly #members = new Map<string, Member>();
  readonly #taken: TakenSnapshot[] = [];
  /** Something was lost that only a backup can mend; gaps are expected until then. */
  #isLossy = false;
  #isQuiet = false;
  #failure: unknown;

  constructor(world: SimWorld, { flaw, hasUpkeep }: GroupKind) {
    this.#world = world;
    this.#story = {
      history: new WriteHistory(SIZE_LB),
      positions: new Positions(),
      flaw,
      isWriting: true,
      afterEnd: () => this.#loseAcknowledgement(),
      exports: new Map(),
      keepsCold: hasUpkeep && world.random.chance(0.4),
    };
    this.#proxies = world.random.chance(0.5) ? ['p0', 'p1'] : ['p0'];
    this.#archives = hasUpkeep ? [PRIMARY, SECONDARY] : [PRIMARY];
    const focuses = ['s0', 'p0', ...this.#archives];
    this.#focus = flaw === undefined ? world.random.pick(focuses) : `${flaw.charAt(0)}0`;
  }

  async run(): Promise<void> {
    await this.#formatDevice();
    for (const proxy of this.#proxies) this.#start(proxy, proxyMain(proxy, this.#story));
    for (const archive of this.#archives) this.#start(archive, archiveMain(archive, this.#story));
    this.#start('s0', storageMain('s0', this.#proxies, 'a0', this.#story));
    const operator = this.#world.spawn('op', this.#world.host('op'), (env) => this.#operate(env));
    const [count, pause] = this.#archives.length === 1 ? DISTURBANCES : UPKEEP_DISTURBANCES;
    for (let i = 0; i < count; i++) {
      await this.#world.sleep(this.#world.random.between(0, pause));
      await this.#disturb();
    }
    await this.#heal();
    await operator.exit;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #formatDevice(): Promise<void> {
    const { random } = this.#world;
    const pbs = random.pick([512, 4096]);
    const ringPb = random.pick([400, 1500, 4000]);
    const host = this.#world.host('s0');
    host.disk.makeDirectory('/dev');
    host.disk.settle();
    const logBytes = (ringPb + 4096 / pbs + 2) * pbs;
    const options = { ...DEVICE_FILES, name: 'v', sizeLb: SIZE_LB, pbs, logBytes };
    await this.#world.spawn('format', host, (env) => formatDevice(env, options)).exit;
  }

  // ---- servers that come back

  #start(name: string, main: ProcessMain): void {
    const host = this.#world.host(name);
    const process = this.#world.spawn(name, host, main, { mayFail: true });
    this.#members.set(name, { host, process });
    this.#supervise(name);
  }

  /** A server that ends is started again after a while; one that fails without a reason is a finding. */
  #supervise(name: string): void {
    const member = this.#member(name);
    void member.process.exit.then(async (exit) => {
      if (exit.kind === 'failed') {
        if (!hasCode(exit.error, 'io', 'no-space')) this.#failure ??= exit.error;
        if (name === 's0') this.#story.history.crashed('nothing flushed');
      }
      await this.#world.sleep(this.#isQuiet ? 100 : this.#world.random.between(0, 6000));
      member.process = this.#world.restart(member.process, { mayFail: true });
      this.#supervise(name);
    });
  }

  #member(name: string): Member {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`no server ${name}`);
    return member;
  }

  #powerCut(name: string): void {
    if (name === 's0') this.#story.history.crashed('nothing flushed');
    this.#world.powerCut(this.#member(name).host);
  }

  // ---- what goes wrong

  /** Now and then the storage dies before it hears that its log has arrived. */
  #loseAcknowledgement(): void {
    if (this.#isQuiet || !this.#world.random.chance(0.05)) return;
    const { process } = this.#member('s0');
    this.#world.schedule(this.#world.random.between(0, 15_000), () => this.#world.kill(process));
  }

  async #disturb(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const { random, links } = this.#world;
    const names = ['s0', ...this.#archives, ...this.#proxies];
    const name = random.chance(FOCUS) ? this.#focus : random.pick(names);
    const other = random.pick(names.filter((n) => n !== name));
    const { process, host } = this.#member(name);
    const peer = this.#member(other).host;
    const crash = random.chance(0.5)
      ? (): void => this.#powerCut(name)
      : (): void => this.#world.kill(process);
    const choices: readonly [weight: number, happen: () => void][] = [
      [4, crash],
      [6, () => process.crashAt(random.between(1, random.pick(CALLS_TO_CRASH)), crash)],
      [1, () => process.stop()],
      [2, () => links.partition(host, peer)],
      [4, () => links.heal(host, peer)],
      [2, () => links.disconnect(host, peer)],
      [2, () => links.setFaults({ loss: random.pick([0, 0.005, 0.03]) })],
      [2, () => this.#failSyncs(name)],
      [1, () => host.setClock(random.between(-100_000, 100_000))],
      [1, () => host.disk.setCapacity(random.between(1, 40) * 65_536)],
      [1, () => host.disk.setCapacity(1024 * MIB)],
      [0.3, () => this.#wipe(name)],
    ];
    const total = choices.reduce((sum, [weight]) => sum + weight, 0);
    let at = random.fraction() * total;
    const [, happen] = choices.find(([weight]) => (at -= weight) < 0) ?? choices[0]!;
    happen();
  }

  #failSyncs(name: string): void {
    const { host } = this.#member(name);
    host.disk.faults.add({ operation: 'sync', code: 'EIO', probability: 0.1, times: 2 });
    host.disk.faults.add({ operation: 'sync-directory', code: 'EIO', probability: 0.1, times: 1 });
  }

  /** The disk of a server is replaced; the device is on another one. */
  #wipe(name: string): void {
    const { process, host } = this.#member(name);
    this.#world.trace(name, 'loses its disk');
    this.#world.kill(process);
    host.disk.removeTree(`/${name}`);
    host.disk.settle();
    this.#isLossy = true;
    if (name !== PRIMARY) return;
    this.#taken.length = 0;
    this.#released.forget();
  }

  async #heal(): Promise<void> {
    const { links } = this.#world;
    this.#world.trace('world', 'heals');
    this.#isQuiet = true;
    links.setFaults({ loss: 0 });
    const hosts = [...this.#members.values(), { host: this.#world.host('op') }].map((m) => m.host);
    for (const { process } of this.#members.values())
      process.crashAt(Number.MAX_SAFE_INTEGER, () => {});
    for (const one of hosts) for (const other of hosts) links.heal(one, other);
    for (const host of hosts) {
      host.disk.faults.clear();
      host.disk.setCapacity(1024 * MIB);
    }
    this.#story.isWriting = false;
  }

  // ---- the operator

  async #operate(env: Env): Promise<void> {
    const operator = new Operator(env, this.#proxies);
    const upkeep = this.#spawnUpkeep();
    const readers = this.#spawnReaders();
    const pick = (below: number): number => env.random.u32() % below;
    while (!this.#isQuiet) {
      await env.clock.sleep(pick(2500));
      const choice = pick(10);
      if (choice < 6) await operator.bringUp();
      else if (choice < 8) await this.#takeSnapshot(operator);
      else if (choice < 9) await operator.kick();
      else if (pick(2) === 0) await operator.disturb(pick);
      else await this.#checkSome(operator, this.#anyArchive(pick), 1, false);
    }
    await upkeep?.exit;
    await readers?.exit;
    const last = await this.#drain(env, operator);
    await this.#checkSome(operator, PRIMARY, MAX_CHECKED, true);
    if (upkeep !== undefined) await this.#checkSecondary(env, operator, last);
  }

  #anyArchive(pick: (below: number) => number): string {
    return this.#archives.length === 1 ? PRIMARY : (this.#archives[pick(2)] as string);
  }

  #spawnUpkeep(): SimProcess | undefined {
    if (this.#archives.length === 1) return undefined;
    const options = this.#upkeepOptions();
    return this.#world.spawn('upkeep', this.#world.host('op'), (env) =>
      new Upkeep(env, options).run(),
    );
  }

  #spawnReaders(): SimProcess | undefined {
    if (this.#archives.length === 1) return undefined;
    const options: ReaderOptions = {
      archives: this.#archives,
      proxies: this.#proxies,
      exports: this.#story.exports ?? new Map(),
      expect: (archive, gid) => this.#expectation(archive, gid),
      contentOf: (archive, path) => this.#contentOf(archive, path),
      noteRead: (how) => this.#world.trace('readers', `${how}: as it was`),
      isQuiet: () => this.#isQuiet,
    };
    return this.#world.spawn('readers', this.#world.host('op'), (env) =>
      new Readers(env, options).run(),
    );
  }

  #expectation(archive: string, gid: bigint): Expectation | undefined {
    const histories = this.#historiesOf(archive, gid);
    if (histories.length === 0) return undefined;
    return expectOneOf(histories.map((uuid) => this.#contentAt(uuid, gid)));
  }

  #contentAt(uuid: string, gid: bigint): Uint8Array {
    return this.#story.history.contentAt(this.#story.positions.placeOf(uuid, gid));
  }

  #upkeepOptions(): UpkeepOptions {
    const { random } = this.#world;
    const crash = (name: string): void => {
      if (random.chance(0.5)) this.#powerCut(name);
      else this.#world.kill(this.#member(name).process);
    };
    return {
      proxies: this.#proxies,
      synchronizes: random.chance(0.3),
      released: this.#released,
      endanger: (name) =>
        this.#member(name).process.crashAt(random.between(1, 150), () => crash(name)),
      kill: (name) => this.#world.kill(this.#member(name).process),
      isQuiet: () => this.#isQuiet,
    };
  }

  /** The second archive can be brought to the same snapshot, and holds the same. */
  async #checkSecondary(env: Env, operator: Operator, last: bigint): Promise<void> {
    const deadline = env.clock.monotonic() + DRAIN_MS;
    const timeLeft = (): boolean => env.clock.monotonic() < deadline;
    await new Upkeep(env, this.#upkeepOptions()).replicateUpTo(last, timeLeft);
    await this.#checkSome(operator, SECONDARY, MAX_CHECKED, true);
  }

  async #takeSnapshot(operator: Operator): Promise<bigint | undefined> {
    const { history } = this.#story;
    const place = () => ({ acknowledged: history.acknowledged, begun: history.length });
    const taken = await operator.snapshot(place);
    if (taken === undefined) return undefined;
    this.#taken.push(taken);
    // The moment after a promise is the best one to break it.
    if (!this.#isQuiet && this.#world.random.chance(0.2)) this.#powerCut('s0');
    return taken.gid;
  }

  /** Until everything is delivered and freed; a gap that was reported is mended by a backup. */
  async #drain(env: Env, operator: Operator): Promise<bigint> {
    const deadline = env.clock.monotonic() + DRAIN_MS;
    let last: bigint | undefined;
    let mended = 0;
    for (let round = 1; ; round++) {
      await env.clock.sleep(1000);
      // Sends that were given up while the archive was not there.
      if (round % 10 === 0) await operator.kick();
      // A volume that a failing disk kept from being loaded is served after a restart.
      if (round % 10 === 0 && (await operator.state('a0')) === undefined) {
        this.#world.kill(this.#member('a0').process);
      }
      const isUp = await operator.bringUp();
      if (!isUp) last = undefined;
      else last ??= await this.#takeSnapshot(operator);
      const hasGap = isUp && (await operator.gaps()).length > 0;
      if (hasGap && this.#isLossy && last !== undefined) {
        mended += 1;
        if (mended % 20 === 0) {
          await operator.stopStorage();
          await operator.resetStorage();
          last = undefined;
        }
      }
      if (last !== undefined && !hasGap && (await this.#isDrained(operator, last))) return last;
      if (env.clock.monotonic() < deadline) continue;
      const status = await operator.storageStatus();
      throw new Error(
        `not drained: storage ${status?.state} done ${status?.done?.gid}@${status?.done?.lsid} of ${status?.lsids?.latest}, oldest ${status?.lsids?.oldest}, snapshot ${last}, spooled ${await operator.spooled()}, archive ${await operator.state('a0')} offers ${await operator.restorable(true)}; last error ${status?.lastError?.error?.message}`,
      );
    }
  }

  async #isDrained(operator: Operator, last: bigint): Promise<boolean> {
    const status = await operator.storageStatus();
    const { done, lsids } = status ?? {};
    if (done === undefined || lsids === undefined) return false;
    const isDelivered = done.lsid === lsids.latest && lsids.oldest === done.lsid;
    const offered = await operator.restorable(false);
    return isDelivered && (await operator.spooled()) === 0 && offered?.includes(last) === true;
  }

  // ---- what must hold

  async #checkSome(
    operator: Operator,
    archive: string,
    count: number,
    isFinal: boolean,
  ): Promise<void> {
    const all = (await operator.restorable(true, archive)) ?? [];
    const explicit = (await operator.restorable(false, archive)) ?? [];
    if (isFinal && archive === PRIMARY) {
      this.#requireExplicit(await operator.storageStatus(), explicit);
    }
    const wanted = [...new Set([...explicit.reverse(), ...all.reverse()])].slice(0, count);
    for (const gid of wanted) await this.#checkRestored(operator, archive, gid, isFinal);
    const overgrown = await operator.overgrown(this.#archives.length);
    if (overgrown.length > 0) throw new Error(overgrown.join(', '));
  }

  /** Explicit snapshots of the present log history are offered and hold what they promised. */
  #requireExplicit(status: { uuid: Uint8Array } | undefined, offered: readonly bigint[]): void {
    if (status === undefined) throw new Error('the storage does not answer');
    const uuid = toHex(status.uuid);
    for (const { uuid: of, gid, least, most } of this.#taken) {
      if (of !== uuid || this.#released.has(gid)) continue;
      if (!offered.includes(gid)) throw new Error(`snapshot ${gid} was taken, but is not offered`);
      const place = this.#story.positions.placeOf(uuid, gid);
      if (place >= least && place <= most) continue;
      throw new Error(`snapshot ${gid} holds ${place} writes, not ${least} to ${most}`);
    }
  }

  async #checkRestored(
    operator: Operator,
    archive: string,
    gid: bigint,
    isFinal: boolean,
  ): Promise<void> {
    const histories = this.#historiesOf(archive, gid);
    const path = await operator.restore(gid, archive);
    if (path === undefined || histories.length === 0) {
      if (isFinal) throw new Error(`snapshot ${gid} can not be restored at ${archive}`);
      return;
    }
    const actual = this.#contentOf(archive, path);
    await operator.deleteRestored(gid, archive);
    if (actual === undefined) return;
    const differences = histories.map((uuid) => this.#difference(actual, uuid, gid));
    if (differences.includes(undefined)) return;
    throw new Error(`snapshot ${gid} at ${archive} differs: ${differences.join('; ')}`);
  }

  /** Undefined when there is none. */
  #difference(actual: Uint8Array, uuid: string, gid: bigint): string | undefined {
    const place = this.#story.positions.placeOf(uuid, gid);
    const expected = this.#story.history.contentAt(place);
    if (Buffer.compare(actual, expected) === 0) return undefined;
    const block = actual.findIndex((byte, at) => byte !== expected[at]) / LB_SIZE;
    return `from log ${uuid} after ${place} writes at block ${Math.floor(block)}`;
  }

  /**
   * The log history of the diff that ends at `gid`, from the archive's disk. Where the base image or a
   * compared diff ends there, any history that has the gid.
   */
  #historiesOf(archive: string, gid: bigint): string[] {
    const { disk } = this.#member(archive).host;
    const directory = `/${archive}/${VOLUME}`;
    if (disk.find(directory) === undefined) return [];
    for (const name of disk.needDirectory(directory).names.keys()) {
      if (!hasDiffSuffix(name)) continue;
      const diff = parseDiffName(name, 0);
      if (!isCleanDiff(diff) || diff.isCompared || diff.E.b !== gid) continue;
      const header = this.#contentOf(archive, `${directory}/${name}`)?.subarray(0, 32);
      if (header !== undefined) return [toHex(validateFileHeader(header, name).uuid)];
    }
    return this.#story.positions.historiesOf(gid);
  }

  #contentOf(archive: string, path: string): Uint8Array | undefined {
    const { disk } = this.#member(archive).host;
    if (disk.find(path) === undefined) return undefined;
    const { cached } = disk.needFile(path).content;
    const bytes = new Uint8Array(cached.size);
    cached.read(bytes, 0);
    return bytes;
  }
}
