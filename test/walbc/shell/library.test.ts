import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as library from '../../../src/walbc/index.ts';
import { summaryOf } from '../../../src/walbc/shell/docs.ts';
import { Help } from '../../../src/walbc/shell/help.ts';
import { parameterNames } from '../../../src/walbc/shell/keywords.ts';
import { library as workerLibrary } from '../../../src/walbc/shell/library-names.ts';
import { mainLibrary } from '../../../src/walbc/shell/main-library.ts';
import { nameSignature } from '../../../src/walbc/shell/signature.ts';
import { withSession } from '../../../src/walbc/shell/terminal-session.ts';

/** How servers are reached is given by the layout file, not made by hand at the prompt. */
const NOT_AT_THE_PROMPT = ['MemoryNetwork', 'grpcNetwork'];

describe('the real library in the shell', () => {
  const main = mainLibrary({});
  const { shape } = main.remotes['Controller']!;

  test('every name of the package is there', () => {
    const inShell = [
      ...Object.keys(workerLibrary.classes),
      ...Object.keys(workerLibrary.names),
      ...Object.keys(main.remotes),
      ...Object.keys(main.functions),
    ];
    const missing = Object.keys(library).filter((name) => !inShell.includes(name));
    expect(missing.filter((name) => !NOT_AT_THE_PROMPT.includes(name))).toEqual([]);
  });

  test('controller methods have docstrings, and inner ones are left out', () => {
    const help = new Help(workerLibrary.docs);
    const methods = shape.members.filter(
      ({ kind, name }) => kind === 'method' && !name.startsWith('_'),
    );
    expect(methods.length).toBeGreaterThan(50);
    const undocumented = methods.filter(({ name, params }) => {
      const method = nameSignature(() => {}, { className: 'Controller', name, params });
      return name !== 'toString' && help.about(method).includes('No text about it.');
    });
    expect(undocumented.map(({ name }) => name)).toEqual([]);
    expect(methods.map(({ name }) => name)).not.toContain('runTask');
  });

  test('parameters are those of the API, in order', () => {
    const params = shape.members.find(({ name }) => name === 'full_backup')?.params;
    expect(parameterNames(params ?? [])).toEqual([
      'sx',
      'vol',
      'timeoutS',
      'block',
      'bulkSizeU',
      'syncOpt',
      // Of every call that may change something.
      'dry_run',
    ]);
  });

  test('the summary is the first sentence', () => {
    expect(summaryOf('Does\nthis. And that.\n\nMore.')).toBe('Does this.');
  });
});

describe('the lines of the original documentation', () => {
  let evaluate: (line: string) => Promise<string>;
  let end: () => void;
  let ended: Promise<void>;
  beforeAll(async () => {
    let printed = '';
    const started = Promise.withResolvers<void>();
    const stop = Promise.withResolvers<void>();
    end = stop.resolve;
    const output = Object.assign(Object.create(process.stdout) as typeof process.stdout, {
      write: (text: string, done?: () => void) => {
        printed += text;
        done?.();
        return true;
      },
      isTTY: false,
    });
    const spec = { library: mainLibrary, globals: () => ({}), environment: {}, output, argv: [] };
    ended = withSession(spec, async (session) => {
      evaluate = async (line) => {
        printed = '';
        const outcome = await session.evaluate(line, 'walbc', 'prompt');
        return outcome.status === 'failed' ? outcome.text : printed.trimEnd();
      };
      started.resolve();
      await stop.promise;
    });
    await started.promise;
  });
  afterAll(async () => {
    end();
    await ended;
  });

  // W9: usable verbatim at the prompt.
  test.each([
    ["s0c = ServerConnectionParam('s0', 'localhost', 10000, K_STORAGE)", ''],
    ["p0c = ServerConnectionParam('p0', 'localhost', 10100, K_PROXY)", ''],
    ["a0c = ServerConnectionParam('a0', 'localhost', 10200, K_ARCHIVE)", ''],
    ["s0 = ServerStartupParam(s0c, 'bin/', 'data/s0', logPath='s0.log')", ''],
    ["p0 = ServerStartupParam(p0c, 'bin/', 'data/p0')", ''],
    ["a0 = ServerStartupParam(a0c, 'bin/', 'data/a0', vg='vg0')", ''],
    ['sLayout = ServerLayout([s0], [p0], [a0])', ''],
    ["walbc = Controller('/usr/bin/walbc', sLayout)", ''],
    ['walbc', '/usr/bin/walbc, [s0, p0, a0], False'],
    ["wdev0 = Device('0', '/dev/test/log', '/dev/test/data', '/usr/bin/wdevc')", ''],
    ['wdev0.path', "'/dev/walb/0'"],
    ["wdev1 = Device('0', '/l', '/d', '/w', walbc.get_run_remote_command(s0))", ''],
    ["VOL = 'vol0'", ''],
    ['a0.vg', "'vg0'"],
    ['s0.logPath', "'s0.log'"],
    ['Snapshot(5, 5).isDirty()', 'False'],
    ['SyncOpt(CompressOpt(CMPR_ZSTD, 3, 1), delayS=10)', 'cmpr=zstd:3:1 merge=1G bulk=64K'],
    ['walbc.set_server_layout(sLayout.replace(proxyL=[p0]))', ''],
    ['get_server("p0", sLayout.get_all()) == p0', 'True'],
    ['printL([1, 2])', '1\n2'],
    ['run_local_command(["/bin/echo", "hello"])', "'hello'"],
    ['run_local_command(args=["/bin/echo", "x"], quietErr=True)', "'x'"],
    ["['environment', 'close', 'runTask'].some(n => dir(walbc).includes(n))", 'False'],
    ['repr(Device).startsWith("<Device(name, ldev, ddev, wdevcPath, runCommand")', 'True'],
    ['get_server(name="p0", sL=[p0]).name', "'p0'"],
    ['exists_file("/dev/null")', 'False'],
  ])('%s', async (line, shown) => {
    expect(await evaluate(line)).toBe(shown);
  });

  test('help of a call: signature, what it does, what it needs, an example', async () => {
    const text = await evaluate('help(walbc.hash_backup)');
    expect(text).toMatch(/Controller\.hash_backup\(sx, vol, timeoutS=\S*TIMEOUT_SEC, block=True, /);
    expect(text).toMatch(/Needs: at `sx` SyncReady, Standby or Stopped/);
    expect(text).toContain("walbc.stop(s0, 'vol'); gid = walbc.hash_backup(s0, 'vol')");
  });
});
