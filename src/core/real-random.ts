/** Randomness of the operating system: uuids, temporary names, jitter of retries. */
import { randomBytes } from 'node:crypto';
import type { Random } from './env.ts';

export class RealRandom implements Random {
  bytes(count: number): Uint8Array {
    return randomBytes(count);
  }

  u32(): number {
    return randomBytes(4).readUInt32LE(0);
  }
}
