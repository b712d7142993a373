/**
 * `virt-full-scan`: the image of a clean snapshot, streamed to a block device, a file or stdout.
 *
 * A file gets its name only when it is complete and on stable storage; zero blocks stay holes. On a
 * device every block is written. Bulks are asked for uncompressed; each is verified by its checksum.
 *
 * Source: cli.md 1.4 `virt-full-scan`; archive.proto VirtualFullScan.
 */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { corrupt, LB_SIZE, lbToBytes, type Millis, WalbError } from '../../core/index.ts';
import {
  ArchiveRpc,
  CompressionKind,
  type ImageBulk,
  type VirtualFullScanRequest,
} from '../../rpc/index.ts';
import type { CommandContext } from './context.ts';

/** An archive sends something every few seconds, however slow the scan is; this is far beyond. */
const SILENCE_MS: Millis = 15 * 60_000;

export type ScanRequest = Omit<VirtualFullScanRequest, 'compression'>;

interface Target {
  begin(size: number): Promise<void>;
  /** Consecutive; undefined = that many zero bytes. */
  write(offset: number, length: number, data: Uint8Array | undefined): Promise<void>;
  finish(): Promise<void>;
  /** After a failure. */
  abandon(): Promise<void>;
}

export async function virtualFullScan(
  context: CommandContext,
  destination: string,
  request: ScanRequest,
  silence: Millis = SILENCE_MS,
): Promise<void> {
  const target = await openTarget(context, destination);
  try {
    await scan(context, request, target, silence);
    await target.finish();
  } catch (error) {
    await target.abandon();
    throw error;
  }
}

async function scan(
  context: CommandContext,
  request: ScanRequest,
  target: Target,
  silence: Millis,
): Promise<void> {
  let sizeLb = -1;
  let at = 0;
  for await (const { event } of scanEvents(context, request, silence)) {
    if (event?.$case === 'begin') {
      if (sizeLb >= 0 || event.value.sizeLb < 1) {
        throw corrupt(`the scan begins with ${event.value.sizeLb} blocks, after ${sizeLb}`, { at });
      }
      sizeLb = event.value.sizeLb;
      await target.begin(lbToBytes(sizeLb));
    }
    if (event?.$case === 'chunk') {
      const { offsetLb, bulks } = event.value;
      if (sizeLb < 0 || offsetLb !== at) {
        throw corrupt(`the scan jumps to block ${offsetLb}; expected block ${at}`, {
          offsetLb,
          at,
        });
      }
      for (const bulk of bulks) {
        checkBulk(bulk, at, sizeLb);
        const data = bulk.data.length === 0 ? undefined : bulk.data;
        await target.write(lbToBytes(at), lbToBytes(bulk.blocks), data);
        at += bulk.blocks;
      }
    }
    if (event?.$case !== 'end') continue;
    if (at === sizeLb) return;
    throw corrupt(`the scan ended at block ${at} of ${sizeLb}`, { at, sizeLb });
  }
  throw new WalbError('unavailable', `the scan was cut off at block ${at} of ${sizeLb}`);
}

/** Ends the call when nothing comes for `silence`; what this side takes to write does not count. */
async function* scanEvents(context: CommandContext, request: ScanRequest, silence: Millis) {
  const compression = { kind: CompressionKind.NONE, level: 0, cpus: 1 };
  const stalled = new AbortController();
  const { connection } = context;
  const wanted = { ...request, compression };
  const events = connection.stream(ArchiveRpc.virtualFullScan, wanted, stalled.signal);
  const giveUp = (): void =>
    stalled.abort(new WalbError('timeout', `the scan sent nothing for ${silence / 1000} s`));
  for (;;) {
    const timer = setTimeout(giveUp, silence);
    try {
      const next = await events.next();
      if (next.done === true) return;
      clearTimeout(timer);
      yield next.value;
    } finally {
      clearTimeout(timer);
    }
  }
}

function checkBulk({ blocks, data, checksum }: ImageBulk, at: number, sizeLb: number): void {
  const isSized = data.length === 0 || data.length === blocks * LB_SIZE;
  if (blocks < 1 || at + blocks > sizeLb || !isSized) {
    throw corrupt(
      `bad bulk of ${blocks} blocks, ${data.length} bytes at block ${at} of ${sizeLb}`,
      {
        at,
        blocks,
        sizeLb,
      },
    );
  }
  if (data.length > 0 && checksumOf(data) !== checksum) {
    throw corrupt(`wrong checksum of the bulk at block ${at}`, { at, blocks });
  }
}

/** formats.md 1 with salt 0: minus the sum of the little-endian words. */
export function checksumOf(data: Uint8Array): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let sum = 0;
  for (let i = 0; i + 4 <= data.length; i += 4) sum = (sum + view.getUint32(i, true)) | 0;
  return -sum >>> 0;
}

async function openTarget(context: CommandContext, destination: string): Promise<Target> {
  if (destination === 'stdout') return stdoutTarget(context);
  try {
    const info = await stat(destination).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (info === undefined || info.isFile()) return await fileTarget(destination);
    return await deviceTarget(destination, info.isBlockDevice());
  } catch (error) {
    throw WalbError.from(error, destination);
  }
}

/** Zeros are written from here. */
const ZEROS = new Uint8Array(1024 * 1024);

async function eachZeroPiece(
  length: number,
  write: (piece: Uint8Array) => Promise<unknown>,
): Promise<void> {
  for (let left = length; left > 0; left -= ZEROS.length) {
    await write(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
  }
}

function stdoutTarget(context: CommandContext): Target {
  return {
    begin: async () => {},
    write: (_, length, data) =>
      data === undefined
        ? eachZeroPiece(length, (piece) => context.write(piece))
        : context.write(data),
    finish: async () => {},
    abandon: async () => {},
  };
}

async function deviceTarget(path: string, isBlockDevice: boolean): Promise<Target> {
  const file = await open(path, 'r+');
  return {
    begin: async (size) => {
      if (isBlockDevice) await checkDeviceSize(file, path, size);
    },
    write: async (offset, length, data) => {
      let at = offset;
      const put = async (piece: Uint8Array): Promise<void> => {
        await writeAll(file, piece, at);
        at += piece.length;
      };
      if (data === undefined) await eachZeroPiece(length, put);
      else await put(data);
    },
    finish: async () => {
      if (isBlockDevice) await file.sync();
      await file.close();
    },
    abandon: () => file.close(),
  };
}

/** A device that is too small is refused before anything on it is overwritten. */
async function checkDeviceSize(file: FileHandle, path: string, size: number): Promise<void> {
  const { bytesRead } = await file.read(new Uint8Array(LB_SIZE), 0, LB_SIZE, size - LB_SIZE);
  if (bytesRead === LB_SIZE) return;
  throw new WalbError(
    'invalid-argument',
    `${path} is smaller than the image: ${size} bytes needed`,
  );
}

async function fileTarget(path: string): Promise<Target> {
  const temporary = `${path}.tmp-${process.pid}`;
  const file = await open(temporary, 'wx', 0o644);
  return {
    begin: (size) => file.truncate(size),
    write: async (offset, _, data) => {
      if (data !== undefined) await writeAll(file, data, offset);
    },
    // Synced before it gets its name: after a crash there is either the old file or the whole new one.
    finish: async () => {
      await file.sync();
      await file.close();
      await rename(temporary, path);
      const folder = await open(dirname(path), 'r');
      await folder.sync();
      await folder.close();
    },
    abandon: async () => {
      await file.close().catch(() => {});
      await rm(temporary, { force: true });
    },
  };
}

async function writeAll(file: FileHandle, data: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await file.write(data, done, data.length - done, offset + done);
    done += bytesWritten;
  }
}
