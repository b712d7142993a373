/**
 * Readers of a simulated group: whoever restores, scans, hashes or exports snapshots of an archive while
 * that is applied, merged, replicated and resized. Whatever the archive hands out has to be what the
 * volume held at that snapshot; it may refuse, and it may die.
 */
import { type Channel, type Env, hasCode, LB_SIZE } from '../../src/core/index.ts';
import { murmur3x64_128 } from '../../src/kernels/index.ts';
import { ArchiveRpc, CompressionKind, type ExportInfo } from '../../src/rpc/index.ts';
import type { BlockBackend, BlockChange } from '../../src/wdev/nbd/backend.ts';
import { EXPECTED, Operator } from './group-operator.ts';
import { PORT, VOLUME } from './group-servers.ts';
import { ProcessKilled } from './sim-process.ts';

const volume = VOLUME;
const CALL_TIMEOUT = 20_000;
/** Small, so that a scan of the small volume is many pieces. */
const BULK_BYTES = 2048;
const COMPRESSION = { kind: CompressionKind.NONE, level: 0, cpus: 1 };
/** What a client of an export reads at once, and how often it reads all of it. */
const PIECE_BYTES = 8192;
const EXPORT_ROUNDS = 3;

/** What a snapshot may hold; more than one content when its gid has been given anew. */
export interface Expectation {
  /** Throws when this is none of them. */
  check(what: string, actual: Uint8Array): void;
  readonly contents: readonly Uint8Array[];
}

export interface ReaderOptions {
  readonly archives: readonly string[];
  readonly proxies: readonly string[];
  /** What archives serve now, by uri. */
  readonly exports: ReadonlyMap<string, BlockBackend>;
  readonly expect: (archive: string, gid: bigint) => Expectation | undefined;
  readonly contentOf: (archive: string, path: string) => Uint8Array | undefined;
  /** A result was compared with the model. */
  readonly noteRead: (how: string) => void;
  readonly isQuiet: () => boolean;
}

export class Readers {
  readonly #env: Env;
  readonly #options: ReaderOptions;
  readonly #operator: Operator;
  readonly #channels = new Map<string, Channel>();

  constructor(env: Env, options: ReaderOptions) {
    this.#env = env;
    this.#options = options;
    this.#operator = new Operator(env, options.proxies);
  }

  /** Several at once; exports by one of them, which closes what it opened. */
  async run(): Promise<void> {
    await Promise.all([
      this.#repeat((archive, gid) => this.#restore(archive, gid)),
      this.#repeat((archive, gid) =>
        this.#pick(2) === 0 ? this.#scan(archive, gid) : this.#hash(archive, gid),
      ),
      this.#repeat((archive, gid) => this.#export(archive, gid)),
    ]);
    for (const archive of this.#options.archives) await this.#closeExports(archive);
  }

  async #repeat(read: (archive: string, gid: bigint) => Promise<void>): Promise<void> {
    const { archives } = this.#options;
    while (!this.#options.isQuiet()) {
      await this.#env.clock.sleep(this.#pick(2500));
      const archive = archives[this.#pick(3) === 0 ? archives.length - 1 : 0] as string;
      const offered = (await this.#operator.restorable(true, archive)) ?? [];
      const gid = offered[this.#pick(offered.length)];
      if (gid !== undefined) await this.#tolerant(() => read(archive, gid));
    }
  }

  async #tolerant(read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      // An export reads through the files of a process that may be dead by now.
      if (!hasCode(error, ...EXPECTED) && !(error instanceof ProcessKilled)) throw error;
    }
  }

  // ---- ways to read

  async #restore(archive: string, gid: bigint): Promise<void> {
    const before = this.#options.expect(archive, gid);
    const path = await this.#operator.restore(gid, archive);
    const actual = path === undefined ? undefined : this.#options.contentOf(archive, path);
    if (actual !== undefined) this.#compare(`restored ${gid} at ${archive}`, actual, before);
    await this.#operator.deleteRestored(gid, archive);
  }

  async #scan(archive: string, gid: bigint): Promise<void> {
    const before = this.#options.expect(archive, gid);
    const request = { volume, gid, bulkBytes: BULK_BYTES, scanLb: 0, sleepPct: this.#pick(40) };
    const events = this.#channel(archive).serverStream(
      ArchiveRpc.virtualFullScan,
      { ...request, compression: COMPRESSION },
      { timeout: CALL_TIMEOUT },
    );
    let image: Uint8Array | undefined;
    for await (const { event } of events) {
      if (event?.$case === 'begin') image = new Uint8Array(event.value.sizeLb * LB_SIZE);
      if (event?.$case === 'end' && image !== undefined) {
        this.#compare(`scanned ${gid} at ${archive}`, image, before);
      }
      if (event?.$case !== 'chunk') continue;
      let at = event.value.offsetLb;
      for (const { blocks, data } of event.value.bulks) {
        image?.set(data, at * LB_SIZE);
        at += blocks;
      }
    }
  }

  async #hash(archive: string, gid: bigint): Promise<void> {
    const before = this.#options.expect(archive, gid);
    const request = { volume, gid, bulkBytes: BULK_BYTES, scanLb: 0 };
    const events = this.#channel(archive).serverStream(ArchiveRpc.blockHash, request, {
      timeout: CALL_TIMEOUT,
    });
    for await (const { event } of events) {
      if (event?.$case !== 'hash' || before === undefined) continue;
      const hash = Buffer.from(event.value).toString('hex');
      const expected = before.contents.map(hashOf);
      if (!expected.includes(hash)) {
        throw new Error(`hash of ${gid} at ${archive} is ${hash}, not ${expected.join(' or ')}`);
      }
      this.#options.noteRead('hash');
    }
  }

  async #export(archive: string, gid: bigint): Promise<void> {
    await this.#closeExports(archive);
    const before = this.#options.expect(archive, gid);
    const readOnly = this.#pick(2) === 0;
    const fill = !readOnly && this.#pick(2) === 0;
    const request = { volume, gid, address: '', readOnly, fill };
    const opened = await this.#operator.try(archive, ArchiveRpc.exportSnapshot, request);
    if (opened === undefined) return;
    try {
      await this.#readExport(opened, `exported ${gid} at ${archive}`, before);
    } finally {
      const { exportId } = opened;
      await this.#operator.try(archive, ArchiveRpc.closeExport, { exportId, force: true });
    }
  }

  /** Reads all of it some times over, and changes its own view of it in between. */
  async #readExport(
    { uri, readOnly }: ExportInfo,
    what: string,
    before: Expectation | undefined,
  ): Promise<void> {
    let contents = before;
    for (let round = 0; round < EXPORT_ROUNDS; round++) {
      const image = await this.#readAll(uri);
      if (image === undefined) return;
      this.#compare(what, image, contents);
      const backend = this.#options.exports.get(uri);
      if (!readOnly && backend !== undefined) contents = this.#write(backend, contents);
    }
  }

  /** In pieces; undefined when the export has ended before the last one. */
  async #readAll(uri: string): Promise<Uint8Array | undefined> {
    let image = new Uint8Array(0);
    for (let at = 0; at === 0 || at < image.length; at += PIECE_BYTES) {
      await this.#env.clock.sleep(this.#pick(100));
      const backend = this.#options.exports.get(uri);
      if (backend === undefined) return undefined;
      if (at === 0) image = new Uint8Array(backend.size);
      await backend.read(at, image.subarray(at, at + PIECE_BYTES));
    }
    return image;
  }

  #write(backend: BlockBackend, contents: Expectation | undefined): Expectation | undefined {
    const offset = this.#pick(backend.size / LB_SIZE) * LB_SIZE;
    const data = this.#env.random.bytes(LB_SIZE);
    const change: BlockChange = {
      kind: 'write',
      offset,
      length: LB_SIZE,
      data,
      fua: false,
      mayPunch: false,
      fast: false,
      error: undefined,
    };
    void backend.submit([change]);
    if (contents === undefined) return undefined;
    return expectOneOf(
      contents.contents.map((content) => {
        const changed = content.slice();
        changed.set(data, offset);
        return changed;
      }),
    );
  }

  #compare(what: string, actual: Uint8Array, expected: Expectation | undefined): void {
    if (expected === undefined) return;
    expected.check(what, actual);
    this.#options.noteRead(what.slice(0, what.indexOf(' ')));
  }

  async #closeExports(archive: string): Promise<void> {
    const open = await this.#operator.try(archive, ArchiveRpc.listExports, { volume });
    for (const { exportId } of open?.exports ?? []) {
      await this.#operator.try(archive, ArchiveRpc.closeExport, { exportId, force: true });
    }
  }

  #channel(archive: string): Channel {
    let channel = this.#channels.get(archive);
    if (channel === undefined) {
      channel = this.#env.network.connect(`${archive}:${PORT}`, { clientId: 'reader' });
      this.#channels.set(archive, channel);
    }
    return channel;
  }

  #pick(below: number): number {
    return below === 0 ? 0 : this.#env.random.u32() % below;
  }
}

export function expectOneOf(contents: readonly Uint8Array[]): Expectation {
  const check = (what: string, actual: Uint8Array): void => {
    const places = contents.map((expected) => firstDifference(actual, expected));
    if (places.includes(undefined)) return;
    throw new Error(`${what} differs from the volume at block ${places.join(' or ')}`);
  };
  return { contents, check };
}

/** In blocks; undefined when there is none. */
export function firstDifference(actual: Uint8Array, expected: Uint8Array): number | undefined {
  if (Buffer.compare(actual, expected) === 0) return undefined;
  const at = expected.findIndex((byte, position) => byte !== actual[position]);
  return Math.floor((at < 0 ? expected.length : at) / LB_SIZE);
}

/** Of a whole image: hashes of its bulks, each seeded with its number, all XORed. */
function hashOf(content: Uint8Array): string {
  const hash = Buffer.alloc(16);
  for (let bulk = 0; bulk * BULK_BYTES < content.length; bulk += 1) {
    const data = content.subarray(bulk * BULK_BYTES, (bulk + 1) * BULK_BYTES);
    for (const [at, byte] of murmur3x64_128(data, bulk).entries()) hash[at]! ^= byte;
  }
  return hash.toString('hex');
}
