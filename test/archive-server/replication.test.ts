import { describe, expect, it } from 'vitest';
import {
  Device,
  deliver,
  imageOf,
  init,
  latest,
  replicate,
  startPair,
} from './replication-support.ts';
import { restorable } from './support.ts';

describe('replication between archives (D.9)', () => {
  it('copies the image and then the diffs to an archive that has nothing', async () => {
    await using pair = await startPair();
    const { a0, a1 } = pair;
    await init(a0);
    await init(a1);
    const device = new Device();
    await deliver(await device.fullBackup(a0.channel), a0);
    for (let i = 0; i < 3; i += 1) {
      device.write();
      await deliver(device.snapshot(), a0);
    }
    const result = await replicate(a0, a1);
    expect(result.kind).toBe('Replicate');
    expect(latest(a1)).toEqual(latest(a0));
    expect(await restorable(a1.channel)).toEqual(await restorable(a0.channel));
    for (const gid of await restorable(a0.channel)) {
      expect(await imageOf(a1, gid)).toEqual(await imageOf(a0, gid));
    }
    expect(await imageOf(a1, device.gid)).toEqual(Buffer.from(device.content));
  });
});
