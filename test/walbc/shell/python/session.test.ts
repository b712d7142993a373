import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSession, type TestSession } from '../support/test-session.ts';

let shell: TestSession;
beforeAll(async () => {
  shell = await startSession();
});
afterAll(async () => {
  await shell[Symbol.asyncDispose]();
});

const python = (text: string): Promise<string> => shell.type(text, 'python');
const typescript = (text: string): Promise<string> => shell.type(text, 'typescript');

describe('calls of the library', () => {
  test('block and give plain values', async () => {
    await python('vols = walbc.get_vol_list(s0)');
    expect(await python('[v for v in vols if walbc.is_overflow(s0, v)]')).toBe("['vol1', 'vol3']");
    expect(await python('walbc.is_overflow(s0, vol) or "fine"')).toBe("'fine'");
    expect(await python('for v in vols:\n    print(v, walbc.is_overflow(s0, v))\n\n')).toBe(
      'vol0 False\nvol1 True\nvol2 False\nvol3 True',
    );
  });

  test('results are shown as in the TypeScript mode', async () => {
    const [table, same] = [
      await python('walbc.get_restorable(a0, vol)'),
      await typescript('walbc.get_restorable(a0, vol)'),
    ];
    expect(table).toBe(same);
    expect(table).toContain('gid  time (UTC)');
    expect(await python('walbc.get_restorable_gid(a0, vol)')).toBe('[5, 9, 9223372036854775808]');
    expect(await python('s0')).toBe(await typescript('s0'));
    expect(await python('sLayout')).toContain('name  kind');
  });

  test('gids are ints of any size', async () => {
    expect(await python('walbc.get_restorable_gid(a0, vol)[-1] + 1')).toBe('9223372036854775809');
    expect(await python('9 in walbc.get_restorable_gid(a0, vol)')).toBe('True');
    expect(await python('max(walbc.get_restorable_gid(a0, vol)) == 2 ** 63')).toBe('True');
    expect(await python('walbc.get_restorable(a0, vol)[0].gid')).toBe('5');
    expect(await python('"%d" % walbc.get_restorable(a0, vol)[1].gid')).toBe("'9'");
  });

  test('times are datetimes', async () => {
    await python('t = walbc.get_restorable(a0, vol)[0].ts');
    expect(await python('t')).toBe('datetime.datetime(2026, 1, 31, 23, 59, 59)');
    expect(await python('t + datetime.timedelta(hours=1) > t, str(t), t.hour')).toBe(
      "(True, '2026-01-31 23:59:59', 23)",
    );
    expect(await python('datetime_to_str(t, DatetimeFormatDigits)')).toBe("'20260131235959'");
  });

  test('keyword arguments, None for the default, floats and tuples as the library knows them', async () => {
    expect(await python('walbc.args(s0, vol, block=False)[2:]')).toBe('[86400, False]');
    expect(await python('walbc.args(s0, vol, **{"timeoutS": 10})[2]')).toBe('10');
    expect(await python('walbc.args(s0, vol, None)[2]')).toBe('86400');
    expect(await python('walbc.echo((4 / 2, range(2), {"a": {1: 2}}))')).toBe(
      "[2, [0, 1], {'a': {1: 2}}]",
    );
    expect(await python('walbc.args(s0, vol, timeout=10)')).toContain(
      "args() has no argument 'timeout'",
    );
    expect(await python('SyncOpt(delayS=3).delayS')).toBe('3');
    expect(await python('ServerLayout([s0], [], [a0]).get_primary_archive() == a0')).toBe('True');
  });

  test('attributes are read and set', async () => {
    await python('walbc.timeoutS = 7');
    expect(await python('walbc.timeoutS')).toBe('7');
    await python('walbc.timeoutS += 1');
    expect(await typescript('walbc.timeoutS')).toBe('8');
    expect(await python('walbc.nothing')).toBe(
      "AttributeError: 'Controller' object has no attribute 'nothing'",
    );
  });

  test('methods are values', async () => {
    await python('f = walbc.is_overflow');
    expect(await python('f(s0, "vol1")')).toBe('True');
    expect(await python('list(map(lambda v: f(s0, v), ["vol0", "vol1"]))')).toBe('[False, True]');
    expect(await python('getattr(walbc, "echo")(3)')).toBe('3');
    expect(await python('help(walbc.restore)')).toContain(
      'Controller.restore(ax, vol, gid, timeoutS=86400)',
    );
  });

  test('errors of the library are caught by Exception and WalbError', async () => {
    const attempt = (type: string): string =>
      `try:\n    walbc.restore(a0, vol, 5)\nexcept ${type} as e:\n    print(type(e).__name__, e.code, e)\n\n`;
    const shown = 'WalbError wrong-state volume vol0 is Stopped; start it first';
    expect(await python(attempt('Exception'))).toBe(shown);
    expect(await python(attempt('WalbError'))).toBe(shown);
    expect(await python(attempt('(KeyError, WalbError)'))).toBe(shown);
    expect(await python(attempt('KeyError'))).toContain('  (wrong-state volume=vol0');
    expect(
      await python('try:\n    walbc.fails()\nexcept TypeError as e:\n    print("type", e)\n\n'),
    ).toBe('type not a WalbError');
  });
});

describe('two languages, one set of names', () => {
  test('variables', async () => {
    await python('shared = {"a": [1, 2.0], "b": (3,)}');
    expect(await typescript('shared.get("a")')).toBe('[1, 2.0]');
    await typescript('other = { gid: 7n, list: [1, "x"] }');
    expect(await python('other["gid"] + 1, other["list"][1], "gid" in other')).toBe(
      "(8, 'x', True)",
    );
    await typescript('class Own { hello() { return 5 } }');
    expect(await python('Own().hello()')).toBe('5');
    await python('shared = None');
    expect(await python('shared')).toBe('');
    await python('del other');
    expect(await python('other')).toBe("NameError: name 'other' is not defined");
  });

  test('functions', async () => {
    await python('def twice(a, times=2):\n    """Doc."""\n    return a * times\n\n');
    expect(await typescript('twice(21)')).toBe('42');
    expect(await typescript('twice("x", times=3)')).toBe("'xxx'");
    await typescript('function thrice(a) { return 3 * a }');
    expect(await python('thrice(4 / 2)')).toBe('6');
    expect(await python('sorted([3, 1], key=thrice)')).toBe('[1, 3]');
    expect(await python('help(twice)')).toBe('twice(a, times=2)\n\n    Doc.');
  });

  test('what Node brings along is no name of Python, and its names may be used', async () => {
    expect(await python('Map')).toBe("NameError: name 'Map' is not defined");
    await python('Map = 5');
    expect(await python('Map + 1')).toBe('6');
    expect(await typescript('typeof Map')).toBe("'function'");
    await python('len = 3');
    expect(await python('len')).toBe('3');
    await python('del len');
    expect(await python('range(3)')).toBe('range(0, 3)');
    expect(await typescript('range(3)')).toBe('[0, 1, 2]');
  });

  test('the last result is in _', async () => {
    await python('40 + 2');
    expect(await python('_ / 2')).toBe('21.0');
    expect(await typescript('_ + 1')).toBe('22');
  });
});

describe('the prompt', () => {
  test.each([
    ['for v in vols:', 'incomplete'],
    ['for v in vols:\n    print(v)', 'incomplete'],
    ['if 1: print(2)', 'incomplete'],
    ['if 1: print(2)\n\n', '2'],
    ['x = (1,', 'incomplete'],
    ["'''a", 'incomplete'],
    ['x = 1', ''],
    ['for i in range(2):\n    i\n\n', '0\n1'],
    ['', ''],
    ['# comment', ''],
    ['exit', 'exit'],
    ['quit()', 'exit'],
    ['sys.exit(3)', 'exit'],
    ['print "a", 1', 'a 1'],
    ['from walblib import *', ''],
    ['import walblib; walblib.K_STORAGE', '0'],
    ["'two\\nlines'", 'two\nlines'],
    ['dir(s0)', "['address', 'get_host_port', 'kind', 'name', 'port']"],
  ])('%j', async (text, shown) => {
    if (text.startsWith('dir')) expect(await python(text)).toContain("'get_host_port'");
    else expect(await python(text)).toBe(shown);
  });

  test('long results are broken into lines', async () => {
    const shown = await python('[("vol%d" % i, "x" * 20) for i in range(4)]');
    expect(shown).toBe(
      `[\n${[0, 1, 2, 3].map((at) => `  ('vol${at}', '${'x'.repeat(20)}')`).join(',\n')}\n]`,
    );
  });

  test('errors in one line come without a traceback, in a block with it', async () => {
    expect(await python('1 / 0')).toBe('ZeroDivisionError: division by zero');
    expect(await python('for i in [1]:\n    a = 1\n    {}["k"]\n\n')).toMatch(
      /^Traceback \(most recent call last\):\n {2}File "<input \d+>", line 3, in <module>\n {4}\{\}\["k"\]\nKeyError: 'k'$/,
    );
    expect(await python('x = = 1')).toMatch(
      / {2}File "<input \d+>", line 1, column 5\n {4}x = = 1\n {8}\^\nSyntaxError: invalid syntax at '='/,
    );
  });

  test('Ctrl-C ends a loop, and a wait as an exception', async () => {
    const ended = python('while True: pass\n\n');
    shell.session.interrupt();
    expect(await ended).toContain('KeyboardInterrupt');
    const caught = python(
      'try:\n    walbc.full_backup(s0, vol)\nexcept KeyboardInterrupt:\n    print("caught")\n\n',
    );
    await shell.noted();
    shell.session.interrupt();
    expect(await caught).toBe('caught');
    expect(await python('1')).toBe('1');
  });
});

describe('scripts', () => {
  test('a file of Python is known by its name; argv, exit code, traceback', async () => {
    const book = `import sys
from walblib import *

def check(vol):
    if walbc.is_overflow(s0, vol):
        raise ValueError('overflow of %s' % vol)

print(sys.argv)
for vol in walbc.get_vol_list(s0):
    check(vol)
`;
    const result = await shell.script(book, '/nowhere/book.py');
    expect(result.printed).toBe("['/nowhere/book.py', 'one', 'two']\n");
    expect(result.exitCode).toBe(1);
    expect(result.text).toBe(
      [
        'Traceback (most recent call last):',
        '  File "/nowhere/book.py", line 10, in <module>',
        '    check(vol)',
        '  File "/nowhere/book.py", line 6, in check',
        "    raise ValueError('overflow of %s' % vol)",
        'ValueError: overflow of vol1',
      ].join('\n'),
    );
    const left = await shell.script('import sys\nsys.exit(7)\n', 'leave.py');
    expect(left.exitCode).toBe(7);
  });

  test('an error of the library ends it with its own exit code, facts and place', async () => {
    const { text, exitCode } = await shell.script("\nwalbc.restore(a0, 'vol0', 5)\n", 'book.py');
    expect(exitCode).toBe(4);
    expect(text).toBe(
      'Traceback (most recent call last):\n  File "book.py", line 2, in <module>\n' +
        "    walbc.restore(a0, 'vol0', 5)\nWalbError: volume vol0 is Stopped; start it first\n" +
        '  (wrong-state volume=vol0 gid=5 state=Stopped)',
    );
  });
});

describe('Tab', () => {
  test.each([
    ['walbc.is_o', ['walbc.is_overflow']],
    ['walbc.restore(a0, vol, 92', ['9223372036854775808']],
    ['vols.app', ['vols.append']],
    ['os.path.base', ['os.path.basename']],
    ['vol.start', ['vol.startswith']],
    ['isinst', ['isinstance']],
    ['elif', ['elif']],
    ['sLayo', ['sLayout']],
  ])('after %s', async (line, matches) => {
    await python('vols = ["vol0"]');
    const offered = await shell.session.complete(line, 'python');
    expect(offered.matches).toEqual(matches);
  });
});

describe('the lines of the documentation of the original, in both languages', () => {
  const LINES: readonly (readonly [line: string, shown: string])[] = [
    ['from walblib import *', ''],
    ["s9 = ServerConnectionParam('s9', 'localhost', 10001, K_STORAGE)", ''],
    ["p9 = ServerConnectionParam('p9', 'localhost', 10100, K_PROXY)", ''],
    ["a9 = ServerConnectionParam('a9', 'localhost', 10200, K_ARCHIVE)", ''],
    ['sLayout9 = ServerLayout([s9], [p9], [a9])', ''],
    ['len(sLayout9.get_all())', '3'],
    ['print(sLayout9)', 's9, p9, a9'],
    ["get_server('p9', sLayout9.proxyL).get_host_port()", "'localhost:10100'"],
    ['sLayout9.get_primary_archive().name', "'a9'"],
    ['c9 = SyncOpt(cmprOpt=CompressOpt(CMPR_GZIP, 3, 2), delayS=5)', ''],
    ['print(c9)', 'cmpr=gzip:3:2 merge=1G bulk=64K'],
    ['walbc.get_vol_list(s0)', "['vol0', 'vol1', 'vol2', 'vol3']"],
    ['printL(walbc.get_vol_list(s0))', 'vol0\nvol1\nvol2\nvol3'],
    ["walbc.is_overflow(s0, 'vol0')", 'False'],
    ['gid9 = walbc.get_restorable_gid(a0, vol)[0]', ''],
    ['gid9 == 5', 'True'],
    ['print(gid9)', '5'],
    ['walbc.get_state(s0, vol) == sTarget', 'False'],
    ["create_snapshot_from_str('|5|').isDirty()", 'False'],
    ["create_diff_from_str('|5|-->|9| M- 2026-01-31T23:59:59 4096').isMergeable", 'True'],
    ['server_kind_to_str(K_ARCHIVE)', "'archive'"],
    ['verify_u64(gid9)', ''],
    ['sorted(walbc.get_vol_list(s0), reverse=True)[0]', "'vol3'"],
  ];

  test.each(LINES)('%s', async (line, shown) => {
    expect(await python(line)).toBe(shown);
    expect(await typescript(line)).toBe(shown);
  });
});

describe('Ctrl-C while Python computes', () => {
  const LOOP = `try:
    while True:
        pass
except KeyboardInterrupt as e:
    print('caught', type(e).__name__)
finally:
    print('finally')

`;

  test.each([
    ['a loop', LOOP],
    [
      'a comprehension',
      LOOP.replace('while True:\n        pass', '[x for x in range(10 ** 12) if x < 0]'),
    ],
    [
      'a recursion',
      LOOP.replace('pass', 'f(25)').replace(
        /^/,
        'def f(n):\n    return n and f(n - 1) + f(n - 1)\n',
      ),
    ],
    ['a sleep', LOOP.replace('while True:\n        pass', 'time.sleep(1000)')],
  ])('%s: except and finally run, at the prompt and in scripts', async (_, text) => {
    for (let round = 0; round < 3; round += 1) {
      const script = shell.script(text, 'book.py');
      shell.session.interrupt();
      expect(await script).toEqual({
        exitCode: 0,
        text: '',
        printed: 'caught KeyboardInterrupt\nfinally\n',
      });
    }
    if (text.startsWith('def')) return;
    const typed = shell.type(text, 'python');
    shell.session.interrupt();
    expect(await typed).toBe('caught KeyboardInterrupt\nfinally');
    expect(await shell.type('1 + 1', 'python')).toBe('2');
  });

  test('a script that does not catch it ends with 130 and says where it was', async () => {
    const script = shell.script('n = 0\nwhile True:\n    n += 1\n', 'book.py');
    shell.session.interrupt();
    const { exitCode, text } = await script;
    expect(exitCode).toBe(130);
    expect(text).toContain('KeyboardInterrupt');
    expect(await shell.type('n >= 0', 'python')).toBe('True');
  });

  test('at the prompt a builtin that takes long is ended as a whole', async () => {
    const typed = shell.type('sum(range(10 ** 12))', 'python');
    shell.session.interrupt();
    expect(await typed).toContain('KeyboardInterrupt');
    expect(await shell.type('1 + 1', 'python')).toBe('2');
  });

  test('a script in a builtin that takes long ends too', async () => {
    await using other = await startSession();
    const script = other.script('print(1)\nsum(range(10 ** 12))\n', 'book.py');
    other.session.interrupt();
    other.session.interrupt();
    expect(await script).toMatchObject({
      exitCode: 130,
      text: expect.stringContaining('KeyboardInterrupt'),
    });
  });

  test('a call of a script: what goes on is said, and the script may go on', async () => {
    const text = `try:
    walbc.full_backup(s0, vol)
except KeyboardInterrupt as e:
    print('caught', e)
walbc.full_backup(s0, vol)
`;
    const script = shell.script(text, 'book.py');
    await shell.noted();
    shell.session.interrupt();
    await shell.noted();
    shell.session.interrupt();
    const { exitCode, text: error, printed } = await script;
    expect(printed).toBe('caught full_backup goes on\n');
    expect(error).toContain('KeyboardInterrupt: full_backup goes on');
    expect(exitCode).toBe(130);
  });
});

test('SystemExit and KeyboardInterrupt can be raised', async () => {
  const text = `try:
    raise KeyboardInterrupt
except KeyboardInterrupt:
    print('caught')
try:
    raise SystemExit(4)
finally:
    print('finally')
`;
  expect(await shell.script(text, 'book.py')).toMatchObject({
    exitCode: 4,
    printed: 'caught\nfinally\n',
  });
});
