/**
 * A hostile or broken NBD server: whatever the client's reply decoder is fed, it throws a typed error or
 * goes on, writes nowhere but into the caller's buffers, and never stops making room.
 */
import { expect, test } from 'vitest';
import { WalbError } from '../../src/core/index.ts';
import {
  blockStatusSize,
  putBlockStatus,
  putDone,
  putError,
  putReadHeader,
} from '../../src/wdev/nbd/replies.ts';
import { type ExpectedReply, ReplyDecoder } from '../../src/wdev/nbd/reply-decoder.ts';
import { emptyRequest, type Request } from '../../src/wdev/nbd/requests.ts';
import { copyInto } from '../../src/wdev/nbd/socket-transport.ts';

const SEED = Number(process.env['NBD_FUZZ_SEED'] ?? 20261121);
const RUNS = Number(process.env['NBD_FUZZ_RUNS'] ?? 3000);
const READ = 64 << 10;
const GUARD = 0xa5;

function dice(seed: number): (limit: number) => number {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** A whole, correct reply to `request`. */
function goodReply(request: Request, kind: number, structured: boolean): Buffer {
  const bytes = Buffer.alloc(READ + 1024);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (kind === 0) {
    putReadHeader(view, 0, request, structured);
    return bytes.subarray(0, (structured ? 28 : 16) + READ);
  }
  if (kind === 1) return bytes.subarray(0, putDone(view, 0, request, structured));
  if (kind === 2) {
    const error = { errno: 5, text: 'broken', structured };
    return bytes.subarray(0, putError(bytes, view, 0, request, error));
  }
  const extents = Array.from({ length: 20 }, (_, i) => ({ length: 512 * (i + 1), flags: i % 4 }));
  putBlockStatus(view, 0, request, extents);
  return bytes.subarray(0, blockStatusSize(extents));
}

function expectedReply(cookie: number, memory: Uint8Array): ExpectedReply {
  const into = cookie === 0 ? memory.subarray(READ, 2 * READ) : undefined;
  return { cookie, what: 'READ', offset: 4096, into, filled: 0, extents: [], error: undefined };
}

function attack(seed: number): 'refused' | 'endured' {
  const roll = dice(seed);
  const memory = new Uint8Array(3 * READ).fill(GUARD);
  const waiting = new Map([0, 1, 2, 3].map((cookie) => [cookie, expectedReply(cookie, memory)]));
  const decoder = new ReplyDecoder({
    find: (cookie) => waiting.get(cookie),
    finished: (reply) => waiting.delete(reply.cookie),
  });
  const request = { ...emptyRequest(), offset: 4096, length: READ };
  try {
    for (let kind = 0; kind < 4; kind++) {
      const structured = kind === 3 || roll(2) === 0;
      const bytes = goodReply({ ...request, cookieLow: kind }, kind, structured);
      for (let i = roll(3); i > 0; i--) bytes[roll(Math.min(bytes.length, 60))] = roll(256);
      const piece = [1, 7, 100, 70_000][roll(4)] as number;
      const step = Math.max(piece, bytes.length >> 6);
      for (let at = 0; at < bytes.length; at += step)
        copyInto(decoder, bytes.subarray(at, at + step));
      expect(decoder.space().length).toBeGreaterThan(0);
    }
    return 'endured';
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(WalbError);
    return 'refused';
  } finally {
    const guards = [memory.subarray(0, READ), memory.subarray(2 * READ)];
    expect(guards.every((guard) => guard.every((byte) => byte === GUARD))).toBe(true);
  }
}

test(`${RUNS} hostile servers from seed ${SEED}`, () => {
  const ends = { refused: 0, endured: 0 };
  for (let i = 0; i < RUNS; i++) {
    const seed = SEED + i * 7919;
    try {
      ends[attack(seed)]++;
    } catch (cause) {
      throw new Error(`server of seed ${seed}`, { cause });
    }
  }
  // Both happen: the mutations are neither harmless nor all caught at the first byte.
  expect(ends.refused).toBeGreaterThan(RUNS / 20);
  expect(ends.endured).toBeGreaterThan(RUNS / 20);
});
