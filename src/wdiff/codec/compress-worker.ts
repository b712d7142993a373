/** Thread of `ParallelCompressor`: answers each block with its compressed form, in order. */

import { parentPort, workerData } from 'node:worker_threads';
import { compress } from './codec.ts';
import type { Compression } from './kind.ts';

export interface WorkerRequest {
  readonly data: Uint8Array;
}

/** `packed` undefined and no error: the block is to be stored raw. */
export interface WorkerReply {
  readonly packed?: Uint8Array | undefined;
  readonly error?: string;
}

const { kind, level } = workerData as Compression;

parentPort?.on('message', ({ data }: WorkerRequest) => {
  try {
    const packed = compress(kind, level, data);
    if (packed === undefined) return reply({});
    // Small results share a pooled buffer, which must stay here.
    const own = packed.length === packed.buffer.byteLength ? packed : new Uint8Array(packed);
    reply({ packed: own }, [own.buffer as ArrayBuffer]);
  } catch (thrown) {
    reply({ error: thrown instanceof Error ? thrown.message : String(thrown) });
  }
});

function reply(message: WorkerReply, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}
