/**
 * What the demo does with its group: real data on the volume, a full backup while somebody writes,
 * two snapshots, both restored (one as an image, one over NBD) and compared with what was on the
 * volume when they were taken.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Bytes, MIB, type Millis } from '../core/index.ts';
import { RealClock } from '../core/real-clock.ts';
import type { Controller, ServerLayout } from '../walbc/index.ts';
import { connectNbd, type NbdClient } from '../wdev/nbd/index.ts';
import { type DemoInput, makeInput } from './demo-input.ts';
import { type Report, shortHash } from './demo-report.ts';
import { hashExport, Writer, writeDifference } from './demo-volume.ts';
import type { BackupGroup } from './group.ts';

export const VOLUME = 'vol';

interface Taken {
  readonly gid: bigint;
  /** Of the whole volume when the snapshot was taken. */
  readonly hash: string;
}

export class DemoStory {
  readonly #group: BackupGroup;
  readonly #walbc: Controller;
  readonly #layout: ServerLayout;
  readonly #report: Report;
  readonly #size: Bytes;

  constructor(group: BackupGroup, walbc: Controller, report: Report) {
    this.#group = group;
    this.#walbc = walbc;
    this.#layout = walbc.sLayout;
    this.#report = report;
    this.#size = group.options.device.size;
  }

  async tell(): Promise<void> {
    await using client = await this.#group.connect();
    const input = await this.#fill(client);
    const writer = new Writer(client, input.bytes, imageSize(this.#size));
    await this.#backUp(writer);
    const first = await this.#snapshot('snapshot 1', client, writer);
    const changed = await input.changed();
    const ms = await timed(() => writeDifference(client, input.image, changed.image));
    this.#report.step({ what: `change the files: ${changed.about}`, bytes: ms.value, ms: ms.ms });
    const second = await this.#snapshot('snapshot 2', client, writer);
    await this.#restoreImage(first, input);
    await this.#restoreExport(second);
    await writer.pause();
    await this.#summary(writer);
  }

  async #fill(client: NbdClient): Promise<DemoInput> {
    const input = await makeInput(join(this.#group.options.folder, 'input'), imageSize(this.#size));
    const { value: bytes, ms } = await timed(() => writeDifference(client, undefined, input.image));
    this.#report.step({ what: 'write to the volume over NBD', bytes, ms, note: input.about });
    return input;
  }

  async #backUp(writer: Writer): Promise<void> {
    const [s0] = this.#layout.storageL;
    await this.#walbc.init_storage(s0!, VOLUME, this.#group.devicePath);
    writer.start();
    const { value: gid, ms } = await timed(() => this.#walbc.full_backup(s0!, VOLUME));
    this.#report.step({
      what: 'full backup while writes go on',
      bytes: this.#size,
      ms,
      note: `gid ${gid}; ${(writer.written / MIB).toFixed(1)} MiB written meanwhile`,
    });
  }

  /** Writes pause for a moment, so that there is something to compare with. */
  async #snapshot(what: string, client: NbdClient, writer: Writer): Promise<Taken> {
    const [s0] = this.#layout.storageL;
    const [a0] = this.#layout.archiveL;
    await writer.pause();
    const { value: gid, ms } = await timed(async () => {
      const taken = await this.#walbc.snapshot_nbk(s0!, VOLUME);
      await this.#walbc.wait_for_restorable(a0!, VOLUME, taken);
      return taken;
    });
    const hash = await hashExport(client);
    writer.start();
    const note = `gid ${gid}; volume is sha256 ${shortHash(hash)}`;
    this.#report.step({ what: `${what}, restorable at a0`, ms, note });
    return { gid, hash };
  }

  async #restoreImage({ gid, hash }: Taken, input: DemoInput): Promise<void> {
    const [a0] = this.#layout.archiveL;
    const { ms } = await timed(() => this.#walbc.restore(a0!, VOLUME, gid));
    const path = await this.#walbc.get_restored_path(a0!, VOLUME, gid);
    const found = await hashFile(path);
    const step = { what: `restore gid ${gid} to an image of its own`, bytes: this.#size, ms };
    // What differs is reported as that, whatever else is wrong with it.
    const note = found === hash ? { note: await input.check(path) } : {};
    this.#report.compare({ ...step, ...note }, hash, found);
  }

  async #restoreExport({ gid, hash }: Taken): Promise<void> {
    const [a0] = this.#layout.archiveL;
    const { value: served, ms } = await timed(() =>
      this.#walbc.export_snapshot(a0!, VOLUME, gid, '127.0.0.1:0'),
    );
    this.#report.step({ what: `serve gid ${gid} at once over NBD`, ms, note: served.uri });
    const [host = '', port = ''] = served.address.split(':');
    {
      await using client = await connectNbd(
        { kind: 'tcp', host, port: Number(port) },
        { exportName: served.name, clock: new RealClock() },
      );
      const read = await timed(() => hashExport(client));
      const step = { what: 'read all of it from there', bytes: this.#size, ms: read.ms };
      this.#report.compare(step, hash, read.value);
    }
    // Until then no diff it reads may be applied, which somebody may want to try at the prompt. By
    // force, since the server may not have seen our goodbye yet.
    await this.#walbc.close_export(a0!, served.exportId, true);
  }

  async #summary(writer: Writer): Promise<void> {
    const [a0] = this.#layout.archiveL;
    const diffs = await this.#walbc.get_diff_list(a0!, VOLUME);
    const bytes = diffs.reduce((sum, { dataSize }) => sum + dataSize, 0);
    this.#report.step({
      what: `${diffs.length} diffs at a0`,
      bytes,
      note: `for ${(writer.written / MIB).toFixed(1)} MiB of writes beside the files`,
    });
  }
}

/** The input takes three quarters of the volume; the rest is for the one who keeps writing. */
function imageSize(size: Bytes): Bytes {
  return Math.floor((size * 3) / 4 / MIB) * MIB;
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: Millis }> {
  const began = performance.now();
  const value = await work();
  return { value, ms: performance.now() - began };
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: MIB }), hash);
  return hash.digest('hex');
}
