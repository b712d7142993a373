/**
 * The model that the algebra is held against: volumes as short arrays of block values, with the whole
 * history of writes kept. A storage makes diffs, proxies merge and deliver them, archives store them;
 * all decisions are made by the code under test, all contents are checked against the history.
 */
import { expect } from 'vitest';
import {
  applicableAndMergeableChain,
  applicableChain,
  apply,
  type Diff,
  DiffSet,
  diffOf,
  diffsWithin,
  formatSnapshot,
  formatSpan,
  isApplying,
  isDirty,
  latestSnapshot,
  limitChain,
  type MetaState,
  mergeAll,
  mergeableChain,
  metaState,
  minimumChain,
  oldestCleanState,
  planApply,
  planGc,
  planMerge,
  planRestore,
  planScan,
  planSnapshotFlags,
  relation,
  restorableSnapshots,
  type Snapshot,
  snapshot,
} from '../../../src/wdiff/algebra/index.ts';

const BLOCKS = 6;

type Image = number[];
/** New value by block. */
type Data = ReadonlyMap<number, number>;

interface Item {
  readonly diff: Diff;
  readonly data: Data;
  /** Log history it belongs to. */
  readonly uuid: number;
}

interface Moment {
  readonly gid: bigint;
  readonly time: number;
  readonly isMergeable: boolean;
}

function overlay(older: Data, newer: Data): Data {
  return new Map([...older, ...newer]);
}

function write(image: Image, data: Data): void {
  for (const [block, value] of data) image[block] = value;
}

/** A volume under backup. Time counts writes; every written value is unique. */
export class StorageModel {
  /** Image after each write. */
  readonly history: Image[] = [new Array<number>(BLOCKS).fill(0)];
  /** When each gid was taken. */
  readonly timeOf = new Map<bigint, number>();
  uuid = 0;
  #done: Moment = { gid: 0n, time: 0, isMergeable: false };
  #queue: Moment[] = [];

  get now(): number {
    return this.history.length - 1;
  }

  write(block: number): void {
    const image = [...(this.history.at(-1) as Image)];
    image[block % BLOCKS] = this.history.length;
    this.history.push(image);
  }

  reset(gid: bigint): void {
    this.uuid += 1;
    this.#done = { gid, time: this.now, isMergeable: false };
    this.#queue = [];
    this.timeOf.set(gid, this.now);
  }

  snapshot(isExplicit: boolean, gap: number): bigint {
    const last = this.#queue.at(-1) ?? this.#done;
    const moment = { gid: last.gid + 1n + BigInt(gap), time: this.now, isMergeable: !isExplicit };
    this.#queue.push(moment);
    this.timeOf.set(moment.gid, moment.time);
    return moment.gid;
  }

  /** The next transfer (semantics.md B.4): implicit snapshots may be skipped, explicit ones never. */
  send(skipsImplicit: boolean, isAckLost: boolean): Item | undefined {
    if (this.#queue.length === 0) return undefined;
    const firstExplicit = this.#queue.findIndex((moment) => !moment.isMergeable);
    const last = firstExplicit < 0 ? this.#queue.length - 1 : firstExplicit;
    const index = skipsImplicit ? last : 0;
    const begin = this.#done;
    const end = this.#queue[index] as Moment;
    if (!isAckLost) {
      this.#done = end;
      this.#queue = this.#queue.slice(index + 1);
    }
    const diff = diffOf(snapshot(begin.gid), snapshot(end.gid), {
      isMergeable: begin.isMergeable,
      timestamp: end.time,
      dataSize: end.time - begin.time,
    });
    return { diff, data: this.#writesBetween(begin.time, end.time), uuid: this.uuid };
  }

  #writesBetween(begin: number, end: number): Data {
    const data = new Map<number, number>();
    const image = this.history[end] as Image;
    for (let time = begin + 1; time <= end; time += 1) {
      // The value written at a time is the time itself.
      const block = (this.history[time] as Image).indexOf(time);
      data.set(block, image[block] as number);
    }
    return data;
  }

  /** Reads block by block while writes go on (bits 0-5) and implicit snapshots are taken (6, 7). */
  scan(concurrently: number): Image {
    return Array.from({ length: BLOCKS }, (_, block) => {
      if ((concurrently >> block) & 1) this.write(block * 5 + concurrently);
      if (block === 2 && concurrently & 64) this.snapshot(false, 1);
      if (block === 4 && concurrently & 128) this.snapshot(false, 0);
      return (this.history.at(-1) as Image)[block] as number;
    });
  }
}

/** One archive, or the queue of a proxy: diffs with their data. */
class Store {
  set = DiffSet.empty;
  readonly data = new Map<string, Data>();

  add({ diff, data }: Pick<Item, 'diff' | 'data'>): void {
    this.set = this.set.add(diff);
    this.data.set(formatSpan(diff), data);
  }

  remove(diffs: Iterable<Diff>): void {
    this.set = this.set.remove(diffs);
  }

  dataOf(diff: Diff): Data {
    return this.data.get(formatSpan(diff)) as Data;
  }

  /** Newer diffs win block by block. */
  mergedData(diffs: readonly Diff[]): Data {
    return diffs.reduce<Data>((data, diff) => overlay(data, this.dataOf(diff)), new Map());
  }
}

export class ProxyModel extends Store {
  uuid = -1;

  receive(item: Item): void {
    // Diffs of an older history are useless; a real proxy keeps them until the archive says so.
    if (item.uuid !== this.uuid) this.set = DiffSet.empty;
    this.uuid = item.uuid;
    if (!this.set.has(item.diff)) this.add(item);
  }

  deliver(archive: ArchiveModel, maxCount: number): void {
    const chain = limitChain(mergeableChain(this.set), { maxCount });
    if (chain.length === 0) return;
    const item = { diff: mergeAll(chain), data: this.mergedData(chain), uuid: this.uuid };
    if (archive.receive(item) !== 'too-new-diff') this.remove(chain);
  }
}

export class ArchiveModel extends Store {
  readonly storage: StorageModel;
  image: Image;
  state: MetaState;
  uuid: number;

  constructor(storage: StorageModel, image: Image, state: MetaState, uuid: number) {
    super();
    this.storage = storage;
    this.image = image;
    this.state = state;
    this.uuid = uuid;
  }

  static fullBackup(storage: StorageModel, concurrently: number): ArchiveModel {
    storage.reset(0n);
    const image = storage.scan(concurrently);
    const gid = storage.snapshot(true, 0);
    return new ArchiveModel(storage, image, metaState(snapshot(0n, gid), 0), storage.uuid);
  }

  get latest(): Snapshot {
    return latestSnapshot(this.set, this.state);
  }

  imageAfter(diffs: readonly Diff[]): Image {
    const image = [...this.image];
    for (const diff of diffs) write(image, this.dataOf(diff));
    return image;
  }

  latestImage(): Image {
    return this.imageAfter(applicableChain(this.set, this.state.base));
  }

  receive(item: Item): 'accepted' | 'different-uuid' | 'too-old-diff' | 'too-new-diff' {
    if (item.uuid !== this.uuid) return 'different-uuid';
    const how = relation(this.latest, item.diff);
    if (how === 'too-old') return 'too-old-diff';
    if (how === 'too-new') return 'too-new-diff';
    const expected = apply(this.latest, item.diff);
    this.add(item);
    expect(this.latest).toEqual(expected);
    return 'accepted';
  }

  hashBackup(concurrently: number): void {
    const F = this.latest;
    const before = this.latestImage();
    const gidB = F.e + 1n;
    this.storage.reset(gidB);
    const scanned = this.storage.scan(concurrently);
    const gidE = this.storage.snapshot(true, 0);
    const data = new Map([...scanned.entries()].filter(([b, value]) => value !== before[b]));
    const diff = diffOf(F, snapshot(gidB, gidE), { isMergeable: isDirty(F), dataSize: data.size });
    this.add({ diff, data });
    this.uuid = this.storage.uuid;
    expect(this.latest).toEqual(diff.E);
  }

  merge(gid: bigint, maxCount: number, isInterrupted: boolean): void {
    const plan = planMerge(this.set, this.state, gid, { maxCount });
    const listed = restorableSnapshots(this.set, this.state);
    const latest = this.latest;
    this.add({ diff: plan.merged, data: this.mergedData(plan.diffs) });
    if (!isInterrupted) this.remove(plan.obsolete);
    // Merging loses no explicit snapshot and moves nothing.
    expect(restorableSnapshots(this.set, this.state)).toEqual(listed);
    expect(this.latest).toEqual(latest);
  }

  /** `crashBits`: which blocks were written when the machine died; undefined: it did not. */
  apply(gid: bigint, maxCount: number, crashBits: number | undefined): void {
    const plan = planApply(this.set, this.state, gid, maxCount);
    if (plan === undefined) return;
    const all = restorableSnapshots(this.set, this.state, { all: true }).map((r) => r.gid);
    const data = this.mergedData(plan.diffs);
    this.state = plan.during;
    if (crashBits !== undefined) {
      write(this.image, new Map([...data].filter(([block]) => (crashBits >> block) & 1)));
    } else {
      write(this.image, data);
      this.state = plan.after;
      this.remove(plan.obsolete);
    }
    const kept = restorableSnapshots(this.set, this.state, { all: true }).map((r) => r.gid);
    expect(kept).toEqual(all.filter((g) => g >= plan.after.base.b));
  }

  gc(): void {
    const before = restorableSnapshots(this.set, this.state, { all: true });
    const latest = this.latest;
    const { garbage, unreachable } = planGc(this.set, this.state.base);
    expect(unreachable).toEqual([]);
    this.remove(garbage);
    expect(restorableSnapshots(this.set, this.state, { all: true })).toEqual(before);
    expect(this.latest).toEqual(latest);
    expect(planGc(this.set, this.state.base).garbage).toEqual([]);
  }

  setExplicit(gid: bigint, isExplicit: boolean): void {
    const plan = planSnapshotFlags(this.set, [gid], isExplicit);
    for (const { from, to } of plan.changes) this.set = this.set.replace(from, to);
    const all = restorableSnapshots(this.set, this.state, { all: true });
    const found = all.find((r) => r.gid === gid);
    // The base's own snapshot always shows false, the latest has no diff that could carry a flag.
    const isOwnOrLatest = gid === this.latest.b || gid === all[0]?.gid;
    if (plan.failed.length > 0 || isOwnOrLatest) return;
    expect(found?.isExplicit).toBe(isExplicit);
  }

  /** Full replication: the base only. */
  fork(): ArchiveModel {
    return new ArchiveModel(this.storage, [...this.image], this.state, this.uuid);
  }

  /** One round of the replication loop of semantics.md D.9, this archive being the client. */
  replicateTo(server: ArchiveModel, maxCount: number): void {
    const s = server.latest;
    if (s.b >= this.latest.b) return;
    const item = s.b < this.state.base.b ? this.#compare(server, s) : this.#chain(s, maxCount);
    if (item === undefined) return;
    expect(relation(s, item.diff)).toBe('applicable');
    server.add(item);
    server.remove(diffsWithin(server.set, item.diff.B.b, item.diff.E.b));
  }

  #chain(s: Snapshot, maxCount: number): Pick<Item, 'diff' | 'data'> | undefined {
    const chain = limitChain(applicableAndMergeableChain(this.set, s), { maxCount });
    return chain.length === 0 ? undefined : { diff: mergeAll(chain), data: this.mergedData(chain) };
  }

  #compare(server: ArchiveModel, s: Snapshot): Pick<Item, 'diff' | 'data'> | undefined {
    const clean = oldestCleanState(this.set, this.state);
    if (clean === undefined || s.b >= clean.base.b || s.e > clean.base.e) return undefined;
    const { diffs } = planScan(this.set, this.state, clean.base.b);
    const wanted = this.imageAfter(diffs);
    const present = server.latestImage();
    const data = new Map([...wanted.entries()].filter(([b, value]) => value !== present[b]));
    const diff = diffOf(s, clean.base, { isMergeable: true, isCompared: true });
    return { diff, data };
  }

  /** Everything that must hold at any time. */
  check(): void {
    const { history, timeOf } = this.storage;
    for (const { gid } of restorableSnapshots(this.set, this.state, { all: true })) {
      const truth = history[timeOf.get(gid) as number];
      for (const maxPerPass of [0, 1, 2]) {
        const { passes } = planRestore(this.set, this.state, gid, maxPerPass);
        const image = [...this.image];
        for (const pass of passes) write(image, this.mergedData(pass));
        // Compared by hand: an expect for each of a million images is what takes the time.
        if (String(image) !== String(truth)) expect(image, `restored ${gid}`).toEqual(truth);
      }
    }
    this.#checkDirtyStates();
  }

  /** A dirty |b,e| holds, block by block, a value of some time between b and e. */
  #checkDirtyStates(): void {
    const { history, timeOf } = this.storage;
    const chain = applicableChain(this.set, this.state.base);
    const skipped = minimumChain(this.set, this.state)?.length;
    expect(skipped, 'an interrupted apply can be finished').toBeDefined();
    let at = this.state.base;
    for (let count = 0; count <= chain.length; count += 1) {
      if (count > 0) at = apply(at, chain[count - 1] as Diff);
      if (count < (skipped as number)) continue;
      const image = this.imageAfter(chain.slice(0, count));
      const times = history.slice(timeOf.get(at.b) as number, (timeOf.get(at.e) as number) + 1);
      image.forEach((value, block) => {
        const isFromThen = times.some((past) => past[block] === value);
        if (!isFromThen) expect.fail(`block ${block} of ${formatSnapshot(at)} is ${value}`);
      });
    }
  }

  get canMerge(): boolean {
    return !isApplying(this.state);
  }
}
