/** Each archive gets its diffs compressed as its archive-info says (C.1, C.4.3), whatever the spool holds. */
import { expect, it } from 'vitest';
import { ArchiveRpc, handle, ProxyRpc } from '../../src/rpc/index.ts';
import { HostType, PORT, ServerWorld } from '../server/server-world.ts';
import { sendLog, startProxy, startVolume, VOLUME } from './support.ts';

/** Numbers of the file format (formats.md). */
const NUMBERS = { none: 0, gzip: 1, snappy: 2, lzma: 3, lz4: 4 } as const;
type Kind = keyof typeof NUMBERS;

const PACK_HEADER = 4096;
const RECORD = 32;
const FIRST_RECORD = 16;
const ALL_ZERO = 0b10;
const DISCARD = 0b100;

/** Compressions of the records that hold data, from the packs as they travel. */
function compressionsOf(packs: Buffer): Set<number> {
  const found = new Set<number>();
  for (let at = 0; at < packs.length; ) {
    const count = packs.readUInt16LE(at + 4);
    for (let i = 0; i < count; i += 1) {
      const record = at + FIRST_RECORD + i * RECORD;
      const flags = packs.readUInt8(record + 12);
      if ((flags & (ALL_ZERO | DISCARD)) === 0) found.add(packs.readUInt8(record + 13));
    }
    at += PACK_HEADER + packs.readUInt32LE(at + 8);
  }
  return found;
}

it('sends to each archive with its own compression', () =>
  ServerWorld.run(async (world) => {
    const kinds = Object.keys(NUMBERS) as Kind[];
    const received = new Map<string, Buffer>();
    for (const name of kinds) {
      const server = { hostType: HostType.ARCHIVE, nodeId: name, instance: '' };
      await world.fake(name, [
        handle(ArchiveRpc.transferWdiff, async (stream) => {
          await stream.receive();
          const answer = { answer: 'accept', text: '', latest: undefined, server } as const;
          await stream.send({ message: { $case: 'answer', value: answer } });
          const pieces: Uint8Array[] = [];
          for (;;) {
            const message = (await stream.receive())?.message;
            if (message?.$case === 'packs') pieces.push(...message.value.pieces);
            else if (message?.$case === 'end') break;
            else throw new Error('packs or end expected');
          }
          received.set(name, Buffer.concat(pieces));
          await stream.send({ message: { $case: 'ack', value: {} } });
        }),
      ]);
    }
    const { channel } = await startProxy(world);
    for (const kind of kinds) {
      const info = {
        name: kind,
        address: `${kind}:${PORT}`,
        compression: { kind, level: 0, cpus: 1 },
        wdiffSendDelaySec: 0,
      };
      await channel.unary(ProxyRpc.addArchiveInfo, { volume: VOLUME, info });
    }
    await startVolume(channel);
    await sendLog(channel, 0n, 1n);
    await world.until(() => received.size === kinds.length);
    for (const kind of kinds) {
      const found = compressionsOf(received.get(kind) as Buffer);
      // What does not get smaller is sent as it is.
      found.delete(NUMBERS.none);
      expect([kind, ...found]).toEqual(kind === 'none' ? [kind] : [kind, NUMBERS[kind]]);
    }
  }));
