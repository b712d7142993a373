/**
 * The file system of one simulated host. It outlives the processes of the host; only a power cut
 * makes it forget what was not synced.
 *
 * Calls here are raw system calls: they throw errors with a system code (`ENOENT`, ...), which
 * SimFiles turns into WalbErrors exactly as RealFiles does.
 */
import { type Bytes, GIB } from '../../src/core/units.ts';
import { type DiskFaults, systemError } from './disk-faults.ts';
import { PAGE } from './paged-bytes.ts';
import type { Micros } from './schedule.ts';
import type { SimRandom } from './sim-random.ts';
import {
  type DirectoryNode,
  type FileNode,
  type Node,
  newDirectory,
  newFile,
  partsOf,
  SimTree,
} from './sim-tree.ts';

/** Enough that nothing fills it by accident; sparse, so it costs no memory. */
const DEFAULT_CAPACITY: Bytes = 1024 * GIB;

export interface SimDiskOptions {
  readonly now: () => Micros;
  readonly random: SimRandom;
  readonly faults: DiskFaults;
  readonly capacity?: Bytes;
}

export class SimDisk {
  readonly faults: DiskFaults;
  readonly tree = new SimTree();
  readonly #now: () => Micros;
  readonly #random: SimRandom;
  readonly #locks = new Map<Node, object>();
  #capacity: Bytes;

  constructor({ now, random, faults, capacity }: SimDiskOptions) {
    this.#now = now;
    this.#random = random;
    this.faults = faults;
    this.#capacity = capacity ?? DEFAULT_CAPACITY;
  }

  /** Tests fill a disk by shrinking it. */
  setCapacity(capacity: Bytes): void {
    this.#capacity = capacity;
  }

  /** A block device of fixed size, for ring logs and volumes; it is there after every power cut. */
  addDevice(path: string, size: Bytes): void {
    const node = newFile(this.#now(), 'block-device');
    node.content.truncate(size);
    node.content.settle(node.content.changesMade);
    this.makeDirectory(path.slice(0, path.lastIndexOf('/')));
    this.#name(path, node);
    this.tree.settleAll();
  }

  find(path: string): Node | undefined {
    const node = this.tree.lookup(path);
    if (node === 'not-directory') throw systemError('ENOTDIR');
    return node;
  }

  need(path: string): Node {
    const node = this.find(path);
    if (node === undefined) throw systemError('ENOENT');
    return node;
  }

  needDirectory(path: string): DirectoryNode {
    const node = this.need(path);
    if (node.kind !== 'directory') throw systemError('ENOTDIR');
    return node;
  }

  needFile(path: string): FileNode {
    const node = this.need(path);
    if (node.kind === 'directory') throw systemError('EISDIR');
    return node;
  }

  create(path: string): FileNode {
    if (this.find(path) !== undefined) throw systemError('EEXIST');
    const node = newFile(this.#now());
    this.#name(path, node);
    return node;
  }

  makeDirectory(path: string): void {
    let at = '';
    for (const part of partsOf(path)) {
      at += `/${part}`;
      const node = this.find(at);
      if (node === undefined) this.#name(at, newDirectory(this.#now()));
      else if (node.kind !== 'directory') throw systemError('EEXIST');
    }
  }

  link(from: string, to: string): void {
    const node = this.need(from);
    if (node.kind === 'directory') throw systemError('EPERM');
    if (this.find(to) !== undefined) throw systemError('EEXIST');
    this.#name(to, node);
  }

  unlink(path: string): void {
    const node = this.need(path);
    if (node.kind === 'directory') throw systemError('EISDIR');
    this.#name(path, undefined);
  }

  /** Contents first, as `rm -r` does: a power cut in between leaves part of the tree. */
  removeTree(path: string): void {
    const node = this.find(path);
    if (node === undefined) return;
    if (node.kind === 'directory') {
      for (const name of [...node.names.keys()]) this.removeTree(`${path}/${name}`);
    }
    this.#name(path, undefined);
  }

  rename(from: string, to: string): void {
    const node = this.need(from);
    const target = this.#place(to);
    const source = this.#place(from);
    const old = target.directory.names.get(target.name);
    if (old === node) return;
    if (isInside(to, from)) throw systemError('EINVAL');
    checkReplace(node, old);
    this.tree.change(
      this.#now(),
      { directory: source.directory, name: source.name, node: undefined },
      { directory: target.directory, name: target.name, node },
    );
  }

  read(node: FileNode, path: string, into: Uint8Array, position: Bytes): number {
    this.faults.check('read', path);
    return node.content.cached.read(into, position);
  }

  /** A write that fails has stored some part of its bytes, as the real one may. */
  write(node: FileNode, path: string, from: Uint8Array, position: Bytes): void {
    const code = this.faults.draw('write', path);
    const room = code === undefined ? this.#room(node, from, position) : from.length;
    if (code !== undefined || room < from.length) {
      const stored = this.#random.between(0, Math.max(0, room));
      this.#store(node, from.subarray(0, stored), position);
      throw systemError(code ?? 'ENOSPC');
    }
    this.#store(node, from, position);
  }

  #store(node: FileNode, from: Uint8Array, position: Bytes): void {
    node.content.write(from, position);
    node.modified = this.#now();
  }

  /** How many of these bytes find a place. */
  #room(node: FileNode, from: Uint8Array, position: Bytes): Bytes {
    const { cached } = node.content;
    if (node.kind === 'block-device') return cached.size - position;
    const missing = cached.missingPages(position, from.length) * PAGE;
    if (missing === 0) return from.length;
    const free = this.freeBytes();
    return missing <= free ? from.length : Math.min(from.length - 1, free);
  }

  truncate(node: FileNode, size: Bytes): void {
    node.content.truncate(size);
    node.modified = this.#now();
  }

  totalBytes(): Bytes {
    return this.#capacity;
  }

  freeBytes(): Bytes {
    let used = 0;
    for (const node of this.tree.files()) {
      if (node.kind === 'file') used += node.content.cached.allocated;
    }
    return Math.max(0, this.#capacity - used);
  }

  /** Some sectors of a failed sync reached the disk; the others never will. */
  syncFailed(node: FileNode, changes: number): void {
    node.content.forget(changes, this.#random);
  }

  /** Flips a bit of the file, on the disk and in the cache; a drawn one when none is named. */
  rot(path: string, position?: Bytes): void {
    const node = this.needFile(path);
    const size = node.content.cached.size;
    if (size === 0) throw systemError('ENODATA');
    const at = position ?? this.#random.between(0, size - 1);
    node.content.rot(at, this.#random.between(0, 7));
  }

  /** False when somebody else holds the lock. */
  lock(node: Node, owner: object): boolean {
    if (this.#locks.has(node)) return false;
    this.#locks.set(node, owner);
    return true;
  }

  unlock(node: Node, owner: object): void {
    if (this.#locks.get(node) === owner) this.#locks.delete(node);
  }

  unlockAll(owner: object): void {
    for (const [node, holder] of this.#locks) if (holder === owner) this.#locks.delete(node);
  }

  powerCut(): void {
    const reached = this.tree.files();
    this.tree.powerCut(this.#random);
    for (const node of this.tree.files()) reached.add(node);
    for (const node of reached) node.content.powerCut(this.#random);
    this.#locks.clear();
  }

  /** Everything reaches the disk, as after a minute without load. */
  settle(): void {
    this.tree.settleAll();
    for (const node of this.tree.files()) node.content.settle(node.content.changesMade);
  }

  #name(path: string, node: Node | undefined): void {
    const place = this.#place(path);
    this.tree.change(this.#now(), { ...place, node });
  }

  #place(path: string): { readonly directory: DirectoryNode; readonly name: string } {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw systemError('EBUSY');
    return { directory: this.needDirectory(parts.join('/')), name };
  }
}

function checkReplace(node: Node, old: Node | undefined): void {
  if (old === undefined) return;
  if (node.kind !== 'directory') {
    if (old.kind === 'directory') throw systemError('EISDIR');
    return;
  }
  if (old.kind !== 'directory') throw systemError('ENOTDIR');
  if (old.names.size > 0) throw systemError('ENOTEMPTY');
}

function isInside(path: string, directory: string): boolean {
  return `/${partsOf(path).join('/')}/`.startsWith(`/${partsOf(directory).join('/')}/`);
}
