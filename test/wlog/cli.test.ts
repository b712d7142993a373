/** `walb wlog` and `walb ldev` as an operator runs them: output, exit codes, files left behind. */
import { execFile } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeGolden, golden } from '../golden/golden.ts';
import { generated } from './support.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
let folder = '';
const at = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number;
  readonly out: Buffer;
  readonly err: string;
}

function walb(args: string[], input?: Uint8Array): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { cwd: folder, encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 } as const;
    const child = execFile(process.execPath, [MAIN, ...args], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err: err.toString() });
    });
    // A command that fails early does not read all of its input.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

const text = ({ out }: Outcome) => out.toString('latin1');

describe('walb wlog', () => {
  test('gen, show, analyze, redo: files and standard streams', async () => {
    const gen = [
      'wlog',
      'gen',
      '--seed',
      '7',
      '-b',
      '1024',
      '-s',
      '2m',
      '-z',
      '200k',
      '--lsid',
      '9',
    ];
    expect(await walb([...gen, '-o', 'g.wlog'])).toMatchObject({ code: 0, err: '' });
    const piped = await walb(gen);
    expect(piped.out.equals(readFileSync(at('g.wlog')))).toBe(true);

    const shown = await walb(['wlog', 'show', '--verify', 'g.wlog']);
    const lines = text(shown).trimEnd().split('\n');
    expect(lines[0]).toMatch(
      /^wlog {5}pbs=1024 salt=[0-9a-f]{8} uuid=[0-9a-f]{32} begin=9 end=unknown$/,
    );
    expect(lines.at(-1)).toMatch(/^end {6}lsid=\d+ at byte \d+: end block$/);
    const json = text(await walb(['wlog', 'show', '--json'], piped.out));
    const items = json
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(items).toHaveLength(lines.length);
    expect(items[0]).toMatchObject({ kind: 'header', beginLsid: '9', pbs: 1024 });
    expect(items.at(-1)).toMatchObject({ kind: 'end', reason: 'end-block' });

    const statistics = JSON.parse(text(await walb(['wlog', 'analyze', '--json', 'g.wlog'])));
    expect(statistics).toMatchObject({ beginLsid: '9', endLsid: items.at(-1).lsid });
    expect(text(await walb(['wlog', 'analyze', 'g.wlog']))).toContain(`${statistics.writes} of`);

    writeFileSync(at('image'), new Uint8Array(2 * 1024 * 1024));
    const redo = await walb(['wlog', 'redo', '-z', '-', 'image'], piped.out);
    expect(redo).toMatchObject({ code: 0 });
    expect(redo.err).toContain(`applied ${statistics.writes} writes`);
  });

  test('redo warns about IOs beyond the image, which keeps its size', async () => {
    writeFileSync(at('small'), new Uint8Array(100 * 1024));
    writeFileSync(at('s.wlog'), generated({ seed: 3 }));
    const { code, err } = await walb(['wlog', 'redo', 's.wlog', 'small']);
    expect(code).toBe(0);
    expect(err).toContain('it ends beyond the image; more are only counted');
    expect(err.match(/warning/g)).toHaveLength(10);
    expect(err).toMatch(/\d+ IOs beyond the image skipped\n$/);
    expect(readFileSync(at('small'))).toHaveLength(100 * 1024);
  });

  test('a log that breaks off is reported, with --strict as an error', async () => {
    const whole = generated({ seed: 3 });
    writeFileSync(at('broken.wlog'), whole.subarray(0, whole.length - 100));
    const plain = await walb(['wlog', 'show', 'broken.wlog']);
    expect(plain.code).toBe(0);
    expect(plain.err).toContain('warning: broken.wlog: the log ends at lsid');
    expect(await walb(['wlog', 'show', '--strict', 'broken.wlog'])).toMatchObject({ code: 5 });
    writeFileSync(at('image2'), new Uint8Array(16 * 1024 * 1024));
    const redo = await walb(['wlog', 'redo', '--strict', 'broken.wlog', 'image2']);
    expect(redo).toMatchObject({ code: 5 });
    expect(redo.err).toContain('the file ends inside a pack header');
  });

  test('errors have their exit code and leave no files', async () => {
    const before = readdirSync(folder).sort();
    const codes: [number, string[]][] = [
      [3, ['wlog', 'show', 'missing']],
      [5, ['wlog', 'show', 's.wlog.not', '--format', 'text']],
      [2, ['wlog', 'show', 's.wlog', '--format', 'xml']],
      [2, ['wlog', 'gen', '-b', '1000', '-o', 'never.wlog']],
      [2, ['wlog', 'gen', '--lsid', '-1', '-o', 'never.wlog']],
      [11, ['wlog', 'gen', '-o', '/dev/null']],
      [5, ['wlog', 'cat', 'small', '-o', 'never.wlog']],
      [2, ['wlog', 'analyze', '-b', '100', 's.wlog']],
      [2, ['ldev', 'format', 'small']],
    ];
    writeFileSync(at('s.wlog.not'), new Uint8Array(5000));
    const outcomes = await Promise.all(codes.map(([, args]) => walb(args)));
    for (const [i, [code, args]] of codes.entries()) {
      const outcome = outcomes[i]!;
      expect(outcome.code, `${args.join(' ')}: ${outcome.err}`).toBe(code);
      expect(outcome.err).toMatch(/^walb: /);
    }
    expect(readdirSync(folder).sort()).toEqual([...before, 's.wlog.not'].sort());
  });
});

describe('walb ldev', () => {
  test('format, restore, info, show, cat: a log goes round the ring and comes back', async () => {
    const bytes = generated({ seed: 21, pbs: 4096, totalLb: 4000 });
    writeFileSync(at('r.wlog'), bytes);
    writeFileSync(at('ldev'), '');
    truncateSync(at('ldev'), 8 * 1024 * 1024);
    const format = ['ldev', 'format', '--pbs', '4096', '--size', '16m', '--name', 'v1', 'ldev'];
    expect(await walb(format)).toMatchObject({ code: 0 });
    expect(await walb(format), 'there is a log already').toMatchObject({ code: 3 });
    expect(await walb([...format, '--force'])).toMatchObject({ code: 0 });

    const restored = await walb(['wlog', 'restore', 'r.wlog', 'ldev', '-d', '1900']);
    expect(restored.code, restored.err).toBe(0);
    expect(restored.err).toMatch(
      /^restored \d+ packs as lsids 1900 to \d+, 1 padding packs added\n$/,
    );
    const end = / to (\d+),/.exec(restored.err)?.[1];

    const info = JSON.parse(text(await walb(['ldev', 'info', '--scan', '--json', 'ldev'])));
    expect(info).toMatchObject({ name: 'v1', pbs: 4096, oldestLsid: '1900', endLsid: end });
    expect(text(await walb(['ldev', 'info', '--scan', 'ldev']))).toContain(`lsid ${end}`);

    expect(await walb(['ldev', 'cat', 'ldev', '-o', 'c.wlog'])).toMatchObject({ code: 0, err: '' });
    const images = ['direct', 'round'];
    for (const name of images) writeFileSync(at(name), new Uint8Array(16 * 1024 * 1024));
    expect(await walb(['wlog', 'redo', '-z', 'r.wlog', 'direct'])).toMatchObject({ code: 0 });
    expect(await walb(['wlog', 'redo', '-z', 'c.wlog', 'round'])).toMatchObject({ code: 0 });
    const [direct, round] = images.map((name) => readFileSync(at(name)));
    expect(round?.equals(direct ?? Buffer.alloc(0))).toBe(true);

    const shown = text(await walb(['ldev', 'show', '--verify', 'ldev']));
    expect(shown).toMatch(new RegExp(`^pack {5}lsid=1900 [^]*^end {6}lsid=${end} at byte`, 'm'));
    const empty = await walb(['wlog', 'cat', 'ldev', '-b', '1901', '-o', 'e.wlog']);
    expect(empty.err).toContain('no pack begins at lsid 1901');
    expect(await walb(['ldev', 'repair', 'ldev'])).toMatchObject({ code: 0 });
  });
});

describeGolden('--format original', () => {
  test('prints golden text byte for byte', async () => {
    const wlog = await walb(
      ['wlog', 'show', '--format', 'original'],
      golden.read('wlog/default-512.wlog'),
    );
    expect(text(wlog)).toBe(golden.read('text/default-512.wlog-show.txt').toString('latin1'));
    writeFileSync(at('golden.ldev'), golden.read('ldev/ldev-512-invalid.img'));
    const info = await walb(['ldev', 'info', '--format', 'original', 'golden.ldev']);
    expect(text(info)).toBe(golden.read('text/ldev-512-invalid.wldev-info.txt').toString('latin1'));
    const cat = await walb(['wlog', 'cat', 'golden.ldev']);
    expect(cat.out.equals(golden.read('wlog/ldev-512-invalid.cat.wlog'))).toBe(true);
    expect(cat.err).toContain('warning: golden.ldev: the log ends at lsid');
    const repair = await walb(['ldev', 'repair', 'golden.ldev']);
    expect(repair.err).toContain('golden.ldev: cut; the log ends at lsid');
    expect(await walb(['wlog', 'cat', 'golden.ldev'])).toMatchObject({ code: 0, err: '' });
  });

  test('damaged files: exit status as the original (formats.md 2.3)', async () => {
    writeFileSync(at('base'), new Uint8Array(16 * 1024 * 1024));
    const exits = async (args: string[]) => (await walb(args)).code === 0;
    const status = (command: string) => golden.expected.status[command]?.exit === 0;
    for (const name of ['bad-data-csum.wlog', 'bad-pack-csum.wlog']) {
      const command = `cp $TMP/base.img $TMP/c.img && wlog-redo -z -i bad/${name} $TMP/c.img`;
      const redo = ['wlog', 'redo', '-z', golden.path(`bad/${name}`), 'base'];
      expect(await exits(redo), name).toBe(status(command));
    }
    const file = golden.path('bad/bad-file-header.wlog');
    expect(await exits(['wlog', 'show', file])).toBe(status('wlog-show bad/bad-file-header.wlog'));
  });
});
