/**
 * Names of a simulated file system: the directory tree as programs see it, the one on the disk, and
 * the journal of name changes in between.
 *
 * A power cut keeps, for every directory, a prefix of its changes; a change of two directories (a
 * rename) survives in both or in none. Different directories are independent of each other: less
 * than ext4 or XFS promise, but all that `syncDirectory` does.
 */
import type { Micros } from './schedule.ts';
import { SimContent } from './sim-content.ts';
import type { SimRandom } from './sim-random.ts';

export interface FileNode {
  readonly kind: 'file' | 'block-device';
  readonly content: SimContent;
  modified: Micros;
}

export interface DirectoryNode {
  readonly kind: 'directory';
  readonly names: Map<string, Node>;
  readonly stableNames: Map<string, Node>;
  modified: Micros;
}

export type Node = FileNode | DirectoryNode;

/** One name of one directory comes to mean `node`, or nothing. */
export interface NameChange {
  readonly directory: DirectoryNode;
  readonly name: string;
  readonly node: Node | undefined;
}

/** Changes that happen together or not at all. */
interface JournalEntry {
  readonly sequence: number;
  readonly changes: readonly NameChange[];
}

/** How likely a name change survives; drawn once per power cut. */
const SURVIVAL = [0, 0.5, 0.9, 1] as const;

export function newFile(now: Micros, kind: FileNode['kind'] = 'file'): FileNode {
  return { kind, content: new SimContent(), modified: now };
}

export function newDirectory(now: Micros): DirectoryNode {
  return { kind: 'directory', names: new Map(), stableNames: new Map(), modified: now };
}

export class SimTree {
  readonly root = newDirectory(0);
  #journal: JournalEntry[] = [];
  #sequence = 0;

  /** The node a path means; undefined when there is none, 'not-directory' when a part is a file. */
  lookup(path: string): Node | 'not-directory' | undefined {
    let node: Node = this.root;
    for (const name of partsOf(path)) {
      if (node.kind !== 'directory') return 'not-directory';
      const next: Node | undefined = node.names.get(name);
      if (next === undefined) return undefined;
      node = next;
    }
    return node;
  }

  change(now: Micros, ...changes: readonly NameChange[]): void {
    for (const change of changes) {
      apply(change, change.directory.names);
      change.directory.modified = now;
    }
    this.#journal.push({ sequence: this.#sequence++, changes });
  }

  /** A mark for `settle`: everything changed so far. */
  get changesMade(): number {
    return this.#sequence;
  }

  /** Puts on the disk what was changed in `directory` before `mark`, and what that builds on. */
  settle(directory: DirectoryNode, mark: number): void {
    const needed = new Set([directory]);
    const chosen = new Set<JournalEntry>();
    for (const entry of this.#journal.toReversed()) {
      if (entry.sequence >= mark) continue;
      if (!entry.changes.some((change) => needed.has(change.directory))) continue;
      chosen.add(entry);
      for (const change of entry.changes) needed.add(change.directory);
    }
    for (const entry of this.#journal) if (chosen.has(entry)) store(entry);
    this.#journal = this.#journal.filter((entry) => !chosen.has(entry));
  }

  settleAll(): void {
    for (const entry of this.#journal.splice(0)) store(entry);
  }

  /** The tree as the disk has it after the power came back. */
  powerCut(random: SimRandom): void {
    const survival = random.pick(SURVIVAL);
    const cut = new Set<DirectoryNode>();
    for (const entry of this.#journal.splice(0)) {
      const blocked = entry.changes.some((change) => cut.has(change.directory));
      if (!blocked && random.chance(survival)) store(entry);
      else for (const change of entry.changes) cut.add(change.directory);
    }
    reload(this.root);
  }

  /** Every file that has a name now. */
  files(): Set<FileNode> {
    const files = new Set<FileNode>();
    const visit = (node: Node): void => {
      if (node.kind !== 'directory') files.add(node);
      else for (const child of node.names.values()) visit(child);
    };
    visit(this.root);
    return files;
  }
}

export function partsOf(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

function apply(change: NameChange, names: Map<string, Node>): void {
  if (change.node === undefined) names.delete(change.name);
  else names.set(change.name, change.node);
}

function store(entry: JournalEntry): void {
  for (const change of entry.changes) apply(change, change.directory.stableNames);
}

function reload(directory: DirectoryNode): void {
  directory.names.clear();
  for (const [name, node] of directory.stableNames) {
    directory.names.set(name, node);
    if (node.kind === 'directory') reload(node);
  }
}
