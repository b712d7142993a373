/** Real clients on the whole device: NBD in front, ring log and data image behind. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/index.ts';
import { createRealEnv } from '../../../src/core/real-env.ts';
import { grpcNetwork } from '../../../src/rpc/index.ts';
import { type ServedDevice, serveDevice } from '../../../src/wdev/daemon/index.ts';
import { connectNbd } from '../../../src/wdev/nbd/index.ts';
import { describeWith } from '../../support/tools.ts';

const SIZE = 64 << 20;
const execute = promisify(execFile);
const env = createRealEnv({ network: grpcNetwork(), log: silentLogger });

let folder: string;
let served: ServedDevice | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-nbd-'));
});

afterEach(async () => {
  await served?.stop();
  served = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const socket = () => join(folder, 'nbd.sock');
const uri = () => `nbd+unix:///v?socket=${socket()}`;

async function serve(pbs: number): Promise<ServedDevice> {
  served = await serveDevice(env, {
    log: join(folder, 'log'),
    data: join(folder, 'data'),
    name: 'v',
    sizeLb: SIZE / 512,
    logBytes: 512 << 20,
    pbs,
    nbd: [{ kind: 'unix', path: socket() }],
  });
  return served;
}

async function restart(pbs: number): Promise<void> {
  await served?.stop();
  await serve(pbs);
}

const run = (program: string, ...args: string[]) => execute(program, args, { timeout: 50_000 });

describeWith(['fio'], 'fio on a walb device', () => {
  test.each([512, 4096])('verifies what it wrote, physical blocks of %i', async (pbs) => {
    await serve(pbs);
    const job = ['--name=v', '--ioengine=nbd', `--uri=${uri()}`, '--size=32M', '--iodepth=32'];
    const load = ['--rw=randrw', '--bsrange=512-128k', '--blockalign=512', '--fsync=64'];
    const verify = ['--verify=crc32c', '--verify_fatal=1', `--aux-path=${folder}`];
    await run('fio', ...job, ...load, ...verify);
    expect((await served?.device.lsids())?.latest).toBeGreaterThan(0n);
  });
});

describeWith(['nbdcopy', 'qemu-img', 'qemu-io'], 'nbdcopy and QEMU on a walb device', () => {
  test.each([512, 4096])(
    'an image comes back, also after a restart, physical blocks of %i',
    async (pbs) => {
      await serve(pbs);
      const [input, output] = [join(folder, 'in'), join(folder, 'out')];
      writeFileSync(input, randomBytes(24 << 20));
      truncateSync(input, SIZE);
      await run('nbdcopy', '--flush', input, uri());
      await run('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', input, uri());
      await run(
        'qemu-io',
        '-f',
        'raw',
        '-c',
        'write -f -P 0x5a 1M 64k',
        '-c',
        'discard 2M 1M',
        uri(),
      );
      await restart(pbs);
      await run(
        'qemu-io',
        '-f',
        'raw',
        '-c',
        'read -P 0x5a 1M 64k',
        '-c',
        'read -P 0 2M 1M',
        uri(),
      );
      await run('nbdcopy', uri(), output);
      const expected = readFileSync(input).fill(0x5a, 1 << 20, (1 << 20) + (64 << 10));
      expected.fill(0, 2 << 20, 3 << 20);
      expect(readFileSync(output).equals(expected)).toBe(true);
    },
  );
});

describe('a full ring', () => {
  test('does not stop the workload', async () => {
    served = await serveDevice(env, {
      log: join(folder, 'log'),
      data: join(folder, 'data'),
      name: 'v',
      sizeLb: SIZE / 512,
      logBytes: 2 << 20,
      nbd: [{ kind: 'unix', path: socket() }],
    });
    await using client = await connectNbd({ kind: 'unix', path: socket() }, { clock: env.clock });
    const data = randomBytes(8 << 20);
    await client.write(0, data);
    const into = Buffer.alloc(data.length);
    await client.read(0, into);
    expect(into.equals(data)).toBe(true);
    expect(await served.device.isOverflow()).toBe(true);
  });
});
