/**
 * W1 with real processes, sockets and files: a server is killed with SIGKILL under load, again and again;
 * what it acknowledged is there after each restart, and at the end the log alone gives the same volume.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/index.ts';
import { createRealEnv } from '../../../src/core/real-env.ts';
import { formatDevice } from '../../../src/wdev/index.ts';
import { connectNbd, type NbdClient } from '../../../src/wdev/nbd/index.ts';
import { openRingLog, readRing } from '../../../src/wlog/index.ts';
import { seeded } from '../support/test-env.ts';

const ROUNDS = 6;
const BLOCK = 4096;
const BLOCKS = 512;
const WRITERS = 8;

const folder = mkdtempSync(join(tmpdir(), 'walb-kill-'));
const at = (name: string) => join(folder, name);
const env = createRealEnv({ network: undefined as never, log: silentLogger });
let child: ChildProcess | undefined;

afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

async function serve(): Promise<{ child: ChildProcess; client: NbdClient }> {
  const script = join(import.meta.dirname, '../support/serve-device.ts');
  const args = [script, at('log'), at('data'), at('socket')];
  child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout!, 'data');
  const client = await connectNbd({ kind: 'unix', path: at('socket') }, { clock: env.clock });
  return { child, client };
}

/** What was written to one block: the newest acknowledged number, and the newest sent. */
interface BlockStory {
  acknowledged: number;
  sent: number;
}

function blockOf(index: number, value: number): Uint8Array {
  const words = new Uint32Array(BLOCK / 4);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(index * 131 + i, 2654435761) ^ value;
  words[0] = value;
  return new Uint8Array(words.buffer);
}

/** Writes until the connection breaks; each writer has blocks of its own. */
async function writer(
  client: NbdClient,
  stories: BlockStory[],
  own: number,
  pick: (below: number) => number,
): Promise<void> {
  for (;;) {
    const index = pick(BLOCKS / WRITERS) * WRITERS + own;
    const story = stories[index]!;
    const value = ++story.sent;
    try {
      await client.write(index * BLOCK, blockOf(index, value), { fua: pick(50) === 0 });
      if (pick(100) === 0) await client.flush();
    } catch {
      return;
    }
    story.acknowledged = value;
  }
}

async function check(client: NbdClient, stories: BlockStory[]): Promise<void> {
  const block = new Uint8Array(BLOCK);
  for (const [index, story] of stories.entries()) {
    await client.read(index * BLOCK, block);
    const value = new DataView(block.buffer).getUint32(0, true);
    expect(value, `block ${index}`).toBeGreaterThanOrEqual(story.acknowledged);
    expect(value, `block ${index}`).toBeLessThanOrEqual(story.sent);
    const expected = value === 0 ? new Uint8Array(BLOCK) : blockOf(index, value);
    expect(Buffer.compare(block, expected), `block ${index} is whole`).toBe(0);
    story.acknowledged = value;
    story.sent = value;
  }
}

/** The volume as the log alone tells it. */
function replayLog(): Uint8Array {
  const volume = new Uint8Array(BLOCKS * BLOCK);
  const log = openRingLog(env.files.open(at('log'), 'read'));
  expect(log.superSector.oldestLsid).toBe(0n);
  for (const item of readRing(log)) {
    if (item.kind === 'io' && item.type === 'write')
      volume.set(item.data, item.record.offset * 512);
    if (item.kind === 'end') expect(item.lsid).toBe(log.superSector.writtenLsid);
  }
  log.file.close();
  return volume;
}

test('W1: SIGKILL at any moment loses nothing acknowledged', async () => {
  const pick = seeded(99);
  const files = { log: at('log'), data: at('data') };
  const sizeLb = (BLOCKS * BLOCK) / 512;
  await formatDevice(env, { ...files, name: 'vol', sizeLb, pbs: 512, logBytes: 1 << 30 });
  const stories = Array.from({ length: BLOCKS }, () => ({ acknowledged: 0, sent: 0 }));
  let written = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const { child, client } = await serve();
    await check(client, stories);
    const writers = Array.from({ length: WRITERS }, (_, i) => writer(client, stories, i, pick));
    const died = once(child, 'exit');
    env.clock.after(50 + pick(250), () => child.kill('SIGKILL'));
    await Promise.all([...writers, died]);
    await client.close();
    written += stories.reduce((sum, story) => sum + story.acknowledged, 0);
  }
  const { child, client } = await serve();
  await check(client, stories);
  await client.close();
  child.kill('SIGTERM');
  await once(child, 'exit');
  expect(written).toBeGreaterThan(ROUNDS * 100);
  expect(Buffer.compare(replayLog(), readFileSync(at('data')))).toBe(0);
});
