/** Proof that the programs people use agree with the server, not only our own client. */
import { type ExecFileException, execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { describeWith, has, notice } from '../../support/tools.ts';
import { diskFailure, RamBackend } from './ram-backend.ts';
import { ServedFolder } from './sockets.ts';

const SIZE = 32 << 20;
const execute = promisify(execFile);

/** libnbd's Python module belongs to the system's Python, not to one installed beside it. */
const SYSTEM_FIRST = { ...process.env, PATH: `/usr/bin:${process.env['PATH'] ?? ''}` };

function hasNbdModule(): boolean {
  if (!has('nbdsh')) return false;
  const { status } = spawnSync('python3', ['-c', 'import nbd'], { env: SYSTEM_FIRST });
  if (status !== 0) notice('nbdsh tests are skipped: Python has no module nbd');
  return status === 0;
}

/** Runs a program; its output, or its failure with what it said. */
async function run(program: string, ...args: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await execute(program, args, { timeout: 50_000, env: SYSTEM_FIRST });
    return stdout + stderr;
  } catch (thrown) {
    const { stdout, stderr, message } = thrown as ExecFileException & {
      stdout: string;
      stderr: string;
    };
    throw new Error(`${message}\n${stdout}\n${stderr}`);
  }
}

async function serve(options: Partial<ConstructorParameters<typeof RamBackend>[0]> = {}) {
  const backend = new RamBackend({ size: SIZE, ...options });
  return { backend, served: await ServedFolder.start({ ram: backend }) };
}

describeWith(['nbdinfo'], 'nbdinfo', () => {
  test('facts, list and map', async () => {
    const { backend, served } = await serve();
    await using _end = served;
    served.server.addExport(
      'other',
      new RamBackend({ size: 512 * 9, readOnly: true }),
      'the other one',
    );
    const facts = JSON.parse(await run('nbdinfo', '--json', served.uri('ram')));
    expect(facts).toMatchObject({ protocol: 'newstyle-fixed', structured: true, TLS: false });
    expect(facts.exports[0]).toMatchObject({
      'export-name': 'ram',
      'export-size': SIZE,
      contexts: ['base:allocation'],
      can_multi_conn: true,
      can_fua: true,
      can_fast_zero: true,
      is_read_only: false,
      block_size_minimum: 512,
      block_size_maximum: 32 << 20,
    });
    const list = JSON.parse(await run('nbdinfo', '--json', '--list', served.uri('')));
    expect(list.exports).toMatchObject([
      { 'export-name': 'ram' },
      { 'export-name': 'other', description: 'the other one', is_read_only: true },
    ]);
    backend.submit([writeChange(1 << 20, 8192)]);
    const map = JSON.parse(await run('nbdinfo', '--json', '--map', served.uri('ram')));
    expect(
      map.map(({ offset, length, type }: Record<string, number>) => [offset, length, type]),
    ).toEqual([
      [0, 1 << 20, 3],
      [1 << 20, 8192, 0],
      [(1 << 20) + 8192, SIZE - (1 << 20) - 8192, 3],
    ]);
  });
});

describeWith(['nbdcopy'], 'nbdcopy', () => {
  test.each(['sync', 'async'] as const)(
    'in and out again, several connections, %s',
    async (mode) => {
      const { backend, served } = await serve({ mode });
      await using _end = served;
      const data = randomBytes(20 << 20);
      writeFileSync(served.path('in'), data);
      truncateSync(served.path('in'), SIZE);
      await run(
        'nbdcopy',
        '--connections=4',
        '--requests=16',
        served.path('in'),
        served.uri('ram'),
      );
      expect(data.equals(backend.content.subarray(0, data.length))).toBe(true);
      await run('nbdcopy', '--connections=4', '--flush', served.uri('ram'), served.path('out'));
      expect(readFileSync(served.path('out')).equals(backend.content)).toBe(true);
    },
  );
});

describe.skipIf(!hasNbdModule())('nbdsh', () => {
  test('every command, and bad ones', async () => {
    const { backend, served } = await serve();
    await using _end = served;
    await run('nbdsh', '--base-allocation', '-u', served.uri('ram'), '-c', NBDSH_SCRIPT);
    expect(backend.calls.prefetch).toBe(1);
    expect(backend.calls.flush).toBeGreaterThan(0);
  });

  test('a failing disk is EIO, and the connection lives on', async () => {
    const { backend, served } = await serve({ mode: 'async' });
    await using _end = served;
    backend.failure = diskFailure();
    await run('nbdsh', '-u', served.uri('ram'), '-c', NBDSH_EIO);
  });

  test('simple replies and EXPORT_NAME, as old clients want them', async () => {
    const { served } = await serve();
    await using _end = served;
    await run('nbdsh', '-c', NBDSH_OLD.replace('SOCKET', served.socket));
  });
});

describeWith(['qemu-io', 'qemu-img'], 'QEMU', () => {
  test('qemu-io writes, zeroes, discards, and finds its patterns again', async () => {
    const { backend, served } = await serve();
    await using _end = served;
    const commands = [
      'write -P 0xab 0 1M',
      'write -f -P 0xcd 1M 64k',
      'write -z -u 64k 64k',
      'discard 256k 128k',
      'read -P 0xab 0 64k',
      'read -P 0 64k 64k',
      'read -P 0 256k 128k',
      'read -P 0xcd 1M 64k',
      'flush',
    ];
    const args = commands.flatMap((command) => ['-c', command]);
    const said = await run('qemu-io', '-f', 'raw', ...args, served.uri('ram'));
    expect(said).not.toMatch(/fail|error/i);
    expect(backend.fua).toBeGreaterThan(0);
  });

  test('qemu-img convert in and out, compare, map', async () => {
    const { served } = await serve();
    await using _end = served;
    writeFileSync(served.path('in'), randomBytes(5 << 20));
    truncateSync(served.path('in'), SIZE);
    const uri = served.uri('ram');
    await run('qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', served.path('in'), uri);
    const same = await run('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', served.path('in'), uri);
    expect(same).toContain('identical');
    await run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', uri, served.path('out'));
    await run(
      'qemu-img',
      'compare',
      '-f',
      'raw',
      '-F',
      'qcow2',
      served.path('in'),
      served.path('out'),
    );
    const map = JSON.parse(await run('qemu-img', 'map', '-f', 'raw', '--output=json', uri));
    const data = map.filter((part: { data: boolean }) => part.data);
    expect(data.reduce((sum: number, part: { length: number }) => sum + part.length, 0)).toBe(
      5 << 20,
    );
  });
});

describeWith(['fio'], 'fio', () => {
  test.each([
    ['small random writes and reads', '--rw=randrw', '--bsrange=512-64k', '--iodepth=32'],
    ['large writes, then trims', '--rw=write', '--bs=1M', '--iodepth=8'],
  ])('verifies %s', async (_what, ...args) => {
    const { served } = await serve({ mode: 'async' });
    await using _end = served;
    const job = ['--name=v', '--ioengine=nbd', `--uri=${served.uri('ram')}`, '--size=16M'];
    const checks = ['--verify=crc32c', '--verify_fatal=1', '--do_verify=1', '--fsync=64'];
    await run('fio', ...job, ...args, ...checks, `--aux-path=${served.folder}`);
  });
});

/** A block device on the export, by FUSE and loop; undefined where the machine forbids it. */
const canMount =
  process.getuid?.() === 0 && has('nbdfuse', 'losetup', 'mkfs.ext4', 'fsck.ext4', 'fusermount3');

describe.skipIf(!canMount)('nbdfuse and loop', () => {
  test('mkfs.ext4, mount, write, unmount, fsck, mount again', async () => {
    const { served } = await serve({ size: 64 << 20 });
    await using _end = served;
    const [fuse, mount] = [served.path('fuse'), served.path('mount')];
    mkdirSync(fuse);
    mkdirSync(mount);
    const fuseProcess = execFile('nbdfuse', [`${fuse}/disk`, served.uri('ram')]);
    const cleanup: string[][] = [['fusermount3', '-u', '-z', fuse]];
    try {
      if (!(await appears(`${fuse}/disk`))) {
        notice('nbdfuse does not mount on this machine: its test proves nothing here');
        return;
      }
      const loop = (await run('losetup', '--find', '--show', `${fuse}/disk`)).trim();
      cleanup.unshift(['losetup', '-d', loop]);
      await run('mkfs.ext4', '-q', '-F', loop);
      // By other programs: this process serves the device and must not wait for it.
      writeFileSync(served.path('file'), randomBytes(3 << 20));
      await run('mount', loop, mount);
      cleanup.unshift(['umount', mount]);
      await run('cp', served.path('file'), mount);
      await run('umount', mount);
      await run('fsck.ext4', '-f', '-n', loop);
      await run('mount', loop, mount);
      await run('cmp', served.path('file'), `${mount}/file`);
      await run('umount', mount);
      cleanup.shift();
    } finally {
      for (const [program = '', ...args] of cleanup) await run(program, ...args).catch(() => {});
      fuseProcess.kill();
    }
  });
});

async function appears(path: string): Promise<boolean> {
  for (let i = 0; i < 100; i++) {
    if (
      await run('test', '-e', path).then(
        () => true,
        () => false,
      )
    )
      return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

function writeChange(offset: number, length: number) {
  const flags = { fua: false, mayPunch: false, fast: false, error: undefined };
  return { kind: 'write' as const, offset, length, data: new Uint8Array(length).fill(1), ...flags };
}

const NBDSH_SCRIPT = `
import errno
h.set_strict_mode(0)
data = bytes(range(256)) * 16
h.pwrite(data, 4096)
assert h.pread(4096, 4096) == data
h.pwrite(data, 8192, nbd.CMD_FLAG_FUA)
h.flush()
h.zero(4096, 4096)
assert h.pread(4096, 4096) == bytes(4096)
h.zero(4096, 4096, nbd.CMD_FLAG_NO_HOLE)
h.zero(4096, 4096, nbd.CMD_FLAG_FAST_ZERO)
h.trim(4096, 8192, nbd.CMD_FLAG_FUA)
assert h.pread(4096, 8192) == bytes(4096)
h.cache(4096, 0)
extents = []
h.block_status(65536, 0, lambda ctx, off, ext, err: extents.extend(ext))
assert sum(extents[::2]) == 65536, extents
size = h.get_size()
def refused(expected, call):
    try:
        call()
    except nbd.Error as e:
        assert e.errnum == expected, (e, expected)
    else:
        raise Exception("not refused")
refused(errno.ENOSPC, lambda: h.pwrite(data, size - 512))
refused(errno.EINVAL, lambda: h.pread(1024, size - 512))
refused(errno.EINVAL, lambda: h.pread(100, 7))
refused(errno.EINVAL, lambda: h.pwrite(b"x", 0))
refused(errno.ENOSPC, lambda: h.zero(4096, size))
refused(errno.EINVAL, lambda: h.trim(4096, size))
refused(errno.EINVAL, lambda: h.pread(512, 0, 0x100))
buffers = [nbd.Buffer(1 << 20) for _ in range(32)]
cookies = [h.aio_pread(b, i << 20) for i, b in enumerate(buffers)]
for cookie in cookies:
    while not h.aio_command_completed(cookie):
        h.poll(-1)
assert all(b.to_bytearray() == bytes(1 << 20) for b in buffers[1:])
h.shutdown()
`;

const NBDSH_EIO = `
import errno
for call in (lambda: h.pread(512, 0), lambda: h.pwrite(bytes(512), 0), lambda: h.flush()):
    try:
        call()
        raise Exception("did not fail")
    except nbd.Error as e:
        assert e.errnum == errno.EIO, e
`;

const NBDSH_OLD = `
h.set_request_structured_replies(False)
h.set_request_block_size(False)
h.set_handshake_flags(0)
h.set_export_name("ram")
h.connect_unix("SOCKET")
assert not h.get_structured_replies_negotiated()
h.pwrite(b"a" * 512, 512)
assert h.pread(512, 512) == b"a" * 512
try:
    h.pread(512, h.get_size())
    raise Exception("not refused")
except nbd.Error:
    pass
h.shutdown()
`;
