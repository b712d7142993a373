/**
 * Hostile NBD clients: nothing they send crashes the server, makes it hold more memory than it may,
 * or harms the next client. Seeded; `NBD_FUZZ_SEED` and `NBD_FUZZ_RUNS` replay and deepen.
 */
import { describe, expect, test } from 'vitest';
import { encodeGo, encodeMetaContext, encodeOption } from '../../src/wdev/nbd/options.ts';
import {
  BASE_ALLOCATION,
  Command,
  Info,
  Option,
  REQUEST_MAGIC,
} from '../../src/wdev/nbd/protocol.ts';
import {
  CLIENT_FLAGS,
  connect,
  type MemoryTransport,
  memoryServer,
  requestBytes,
  settle,
  startTransmission,
} from '../wdev/nbd/memory-transport.ts';
import { RamBackend } from '../wdev/nbd/ram-backend.ts';

const SEED = Number(process.env['NBD_FUZZ_SEED'] ?? 20261121);
const RUNS = Number(process.env['NBD_FUZZ_RUNS'] ?? 1000);
const SIZE = 1 << 20;
/** The largest READ and WRITE at once, with room for slab sizes; the server's own bound is 72 MiB. */
const MEMORY_BOUND = 80 << 20;

/** xorshift32: small, seeded, the same everywhere. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Uint8Array.from({ length }, () => this.below(256)));
  }
}

/** Values that break careless arithmetic. */
const NASTY = [
  0,
  1,
  2,
  0xff,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_ffff,
  0xffff_fe00,
  33 << 20,
  65536,
  512,
];

function mutate(dice: Dice, source: Uint8Array): Buffer {
  const bytes = Buffer.from(source);
  for (let i = dice.below(4); i >= 0 && bytes.length > 0; i--) {
    const at = dice.below(bytes.length);
    if (dice.below(3) === 0 && at + 4 <= bytes.length) bytes.writeUInt32BE(dice.pick(NASTY), at);
    else bytes[at] = dice.below(256);
  }
  return dice.below(4) === 0 ? bytes.subarray(0, dice.below(bytes.length + 1)) : bytes;
}

function someOption(dice: Dice): Uint8Array {
  const name = dice.pick(['ram', '', 'x', 'ü'.repeat(3000)]);
  const infos = Array.from({ length: dice.below(5) }, () => dice.below(6));
  const payload = dice.pick([
    new Uint8Array(0),
    encodeGo(name, infos),
    encodeMetaContext(name, [BASE_ALLOCATION, 'base:', 'x']),
    dice.bytes(dice.below(64)),
  ]);
  return encodeOption(dice.pick([...Object.values(Option), dice.below(100)]), payload);
}

function someRequest(dice: Dice): Uint8Array {
  const type = dice.pick([
    ...Object.values(Command).filter((value) => value !== Command.DISCONNECT),
    99,
  ]);
  const length = dice.pick([0, 512, 4096, 200 << 10, 1, ...NASTY]);
  const offset = dice.pick([0, 512, SIZE - 512, SIZE, 2 ** 40, 7]);
  const carried = type === Command.WRITE ? Math.min(length, 300 << 10) : 0;
  const flags = dice.below(8) === 0 ? dice.below(65536) : 0;
  return requestBytes(
    { type, length, offset, flags, cookieLow: dice.below(1000) },
    Buffer.alloc(carried, 1),
  );
}

function feedInPieces(dice: Dice, transport: MemoryTransport, bytes: Uint8Array): void {
  const piece = dice.pick([1, 3, 17, 100, 5000, 70_000, bytes.length || 1]);
  transport.feed(bytes, bytes.length > 10_000 ? Math.max(piece, 1000) : piece);
}

/** One hostile client; what it did is known from the seed. */
async function attack(server: ReturnType<typeof memoryServer>, dice: Dice): Promise<void> {
  const transport = connect(server);
  const structured = dice.below(2) === 0;
  if (dice.below(2) === 0) {
    feedInPieces(dice, transport, dice.below(3) === 0 ? dice.bytes(4) : CLIENT_FLAGS);
    for (let i = dice.below(8); i >= 0; i--) {
      const option = someOption(dice);
      feedInPieces(dice, transport, dice.below(2) === 0 ? mutate(dice, option) : option);
    }
  } else {
    const meta = encodeMetaContext('ram', [BASE_ALLOCATION]);
    const go = encodeGo('ram', [Info.BLOCK_SIZE]);
    await startTransmission(transport, 'ram', structured ? { structured, go, meta } : { go });
    transport.isStuck = dice.below(4) === 0;
    for (let i = dice.below(12); i >= 0; i--) {
      const request = someRequest(dice);
      feedInPieces(dice, transport, dice.below(3) === 0 ? mutate(dice, request) : request);
      expect(server.memory).toBeLessThan(MEMORY_BOUND);
    }
  }
  if (dice.below(2) === 0) await settle();
  transport.destroy();
}

async function expectHealthy(server: ReturnType<typeof memoryServer>): Promise<void> {
  const transport = connect(server);
  await startTransmission(transport, 'ram', { go: encodeGo('ram', [Info.BLOCK_SIZE]) });
  transport.feed(
    requestBytes({ type: Command.WRITE, offset: 512, length: 512 }, Buffer.alloc(512, 0x5a)),
  );
  transport.feed(requestBytes({ type: Command.READ, offset: 512, length: 512 }));
  await settle();
  expect(transport.output().subarray(32).equals(Buffer.alloc(512, 0x5a))).toBe(true);
  transport.destroy();
  await settle();
}

describe.each(['sync', 'async'] as const)('hostile NBD clients, %s backend', (mode) => {
  test(`${RUNS} clients from seed ${SEED}`, async () => {
    const server = memoryServer();
    server.addExport('ram', new RamBackend({ size: SIZE, mode }));
    for (let i = 0; i < RUNS; i++) {
      const seed = SEED + i * 7919;
      await attack(server, new Dice(seed)).catch((thrown: unknown) => {
        throw new Error(`client of seed ${seed}`, { cause: thrown });
      });
      await settle();
      expect({ seed, memory: server.memory }).toEqual({ seed, memory: 0 });
    }
    await expectHealthy(server);
  });
});

test('the fuzzer does reach the transmission phase with requests that parse', () => {
  const dice = new Dice(SEED);
  const requests = Array.from({ length: 50 }, () => Buffer.from(someRequest(dice)));
  expect(requests.every((bytes) => bytes.readUInt32BE(0) === REQUEST_MAGIC)).toBe(true);
});
