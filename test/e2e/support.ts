/**
 * Whole groups of real processes for tests: started on ports the system chose, killed, restarted on
 * the same folder and port, cut off from each other, and gone at the end whatever happened.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { type ExecaError, execa } from 'execa';
import { hashExport } from '../../src/cli/demo-volume.ts';
import { BackupGroup, type GroupOptions } from '../../src/cli/group.ts';
import { Keeper } from '../../src/cli/group-keeping.ts';
import { MIB } from '../../src/core/index.ts';
import { RealClock } from '../../src/core/real-clock.ts';
import { Controller, type ServerParam } from '../../src/walbc/index.ts';
import { connectNbd, type NbdClient } from '../../src/wdev/nbd/index.ts';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const VOLUME = 'vol';
export const SIZE = 16 * MIB;
/** Sparse, and more than an unthrottled writer fills while a server is restarted. */
const RING = 1024 * MIB;
/** Seconds a wait of the controller may take here: all should be done in much less. */
export const SOON = 30;

export interface TestGroupOptions extends Partial<Omit<GroupOptions, 'device' | 'keeper'>> {
  readonly size?: number;
  readonly logSize?: number;
}

/** A group, its folder and its controller. */
export class TestGroup implements AsyncDisposable {
  readonly group: BackupGroup;
  readonly walbc: Controller;
  readonly folder: string;
  readonly #keeper: Keeper;
  readonly #printed: string[] = [];

  private constructor(group: BackupGroup, keeper: Keeper) {
    this.group = group;
    this.folder = group.options.folder;
    const print = (text: string): void => void this.#printed.push(text);
    this.walbc = new Controller('walbc', group.layout(), false, 0, { print, human: true });
    this.#keeper = keeper;
  }

  static async start(options: TestGroupOptions = {}): Promise<TestGroup> {
    const { size = SIZE, logSize = RING, ...rest } = options;
    const folder = rest.folder ?? mkdtempSync(join(tmpdir(), 'walb-e2e-'));
    const keeper = new Keeper();
    keeper.removeAtEnd(folder);
    try {
      const group = await BackupGroup.start({
        ...rest,
        folder,
        keeper,
        device: { name: VOLUME, size, logSize },
      });
      return new TestGroup(group, keeper);
    } catch (error) {
      await keeper.end();
      throw error;
    }
  }

  get s0(): ServerParam {
    return this.walbc.sLayout.storageL[0] as ServerParam;
  }

  get p0(): ServerParam {
    return this.walbc.sLayout.proxyL[0] as ServerParam;
  }

  get a0(): ServerParam {
    return this.walbc.sLayout.archiveL[0] as ServerParam;
  }

  /** What an operator sees of the volume at a server. */
  async status(server: ServerParam): Promise<string> {
    this.#printed.length = 0;
    await this.walbc.status([server], VOLUME);
    return this.#printed.join('\n');
  }

  /** From nothing to a volume that is followed. Returns the gid of the full backup. */
  async backUp(): Promise<bigint> {
    await this.walbc.init_storage(this.s0, VOLUME, this.group.devicePath);
    return (await this.walbc.full_backup(this.s0, VOLUME, SOON)) as bigint;
  }

  /** Takes a snapshot that must arrive; what is restored of it must be what the volume holds now. */
  async expectArrival(): Promise<bigint> {
    const gid = await this.walbc.snapshot(this.s0, VOLUME, [this.a0], SOON);
    const [restored, present] = [await this.restoredHash(gid), await this.volumeHash()];
    if (restored !== present) throw new Error(`gid ${gid}: the restored image differs`);
    return gid;
  }

  async volumeHash(): Promise<string> {
    await using client = await this.group.connect();
    return await hashExport(client);
  }

  /** Restores to an image, hashes and deletes it. */
  async restoredHash(gid: bigint): Promise<string> {
    await this.walbc.restore(this.a0, VOLUME, gid, SOON);
    const hash = await hashFile(await this.walbc.get_restored_path(this.a0, VOLUME, gid));
    await this.walbc.del_restored(this.a0, VOLUME, gid);
    return hash;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.walbc.close();
    await this.group.stop();
    await this.#keeper.end();
  }
}

/** Writes one block after another and knows which writes were acknowledged. */
export class CountingWriter {
  static readonly BLOCK = 4096;
  /** Content of each block that was acknowledged: the number of its last write. */
  readonly acknowledged = new Map<number, number>();
  /** The write whose fate is unknown once the connection broke. */
  unknown: { block: number; number: number } | undefined;
  #number = 0;
  #stopped = false;
  #running: Promise<void> | undefined;
  readonly #progress: { count: number; resolve: () => void }[] = [];

  start(client: NbdClient): void {
    this.#stopped = false;
    this.#running = this.#run(client);
    this.#running.catch(() => {});
  }

  /** Resolves once `count` more writes were acknowledged. */
  more(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#progress.push({ count: this.#number + count, resolve });
      this.#running?.catch(reject);
    });
  }

  /** After the connection broke, or to end it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running?.catch(() => {});
  }

  /** Every acknowledged write is there; the one in doubt may be. */
  async verify(client: NbdClient): Promise<void> {
    const { BLOCK } = CountingWriter;
    const block = new Uint8Array(BLOCK);
    for (const [index, number] of this.acknowledged) {
      await client.read(index * BLOCK, block);
      const found = new DataView(block.buffer).getUint32(BLOCK - 4);
      if (found === number) continue;
      const { unknown } = this;
      if (unknown?.block === index && unknown.number === found) continue;
      throw new Error(`block ${index}: write ${number} was acknowledged, write ${found} is there`);
    }
  }

  async #run(client: NbdClient): Promise<void> {
    const blocks = client.size / CountingWriter.BLOCK;
    while (!this.#stopped) {
      const number = ++this.#number;
      const block = Math.imul(number, 2654435761) >>> 0;
      await this.#write(client, block % blocks, number);
    }
  }

  async #write(client: NbdClient, block: number, number: number): Promise<void> {
    const data = new Uint8Array(CountingWriter.BLOCK).fill(number & 0xff);
    new DataView(data.buffer).setUint32(CountingWriter.BLOCK - 4, number);
    this.unknown = { block, number };
    await client.write(block * CountingWriter.BLOCK, data);
    this.unknown = undefined;
    this.acknowledged.set(block, number);
    const reached = this.#progress.filter(({ count }) => count <= number);
    for (const waiting of reached) {
      this.#progress.splice(this.#progress.indexOf(waiting), 1);
      waiting.resolve();
    }
  }
}

export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: MIB }), hash);
  return hash.digest('hex');
}

export function connectUri(address: string, exportName: string): Promise<NbdClient> {
  const clock = new RealClock();
  if (address.startsWith('unix:')) {
    return connectNbd({ kind: 'unix', path: address.slice(5) }, { exportName, clock });
  }
  const [host = '', port = ''] = address.split(':');
  return connectNbd({ kind: 'tcp', host, port: Number(port) }, { exportName, clock });
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program of this package from a foreign folder, as an operator does. */
export async function walb(program: string, ...args: string[]): Promise<Ran> {
  const result = await execa(join(ROOT, 'bin', program), args, {
    cwd: tmpdir(),
    reject: false,
    stdin: 'ignore',
    timeout: 60_000,
  });
  return { code: result.exitCode ?? -1, out: result.stdout, err: result.stderr };
}

/** Runs a program of the system; what it said, or its failure with what it said. */
export async function run(program: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await execa(program, args, { timeout: 50_000, stdin: 'ignore' });
    return stdout;
  } catch (error) {
    const { shortMessage, stdout, stderr } = error as ExecaError;
    throw new Error(`${shortMessage}\n${stdout}\n${stderr}`, { cause: error });
  }
}

/** Pids of living processes whose command line names `text`; zombies are dead. */
export function processesNaming(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && isAliveNaming(pid, text));
}

function isAliveNaming(pid: number, text: string): boolean {
  try {
    if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text)) return false;
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

export function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

/** Waits for something that only shows from outside, by looking. */
export async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + SOON * 1000;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`waited ${SOON} s in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A small file system of its own, from a file. */
export class SmallFileSystem implements Disposable {
  readonly path: string;
  readonly #folder: string;

  private constructor(folder: string, path: string) {
    this.#folder = folder;
    this.path = path;
  }

  /** Undefined where the machine forbids it. */
  static make(bytes: number): SmallFileSystem | undefined {
    const folder = mkdtempSync(join(tmpdir(), 'walb-small-'));
    const [image, path] = [join(folder, 'image'), join(folder, 'mount')];
    const steps = [
      `truncate -s ${bytes} ${image}`,
      `mkfs.ext4 -q -m 0 ${image}`,
      `mkdir ${path}`,
      `mount -o loop ${image} ${path}`,
    ];
    const { status } = spawnSync('sh', ['-c', steps.join(' && ')]);
    if (status === 0) return new SmallFileSystem(folder, path);
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }

  [Symbol.dispose](): void {
    spawnSync('umount', ['-l', this.path]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
