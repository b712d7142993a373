import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSession, type TestSession } from './support/test-session.ts';

let shell: TestSession;
beforeAll(async () => {
  shell = await startSession();
});
afterAll(async () => {
  await shell[Symbol.asyncDispose]();
});

describe('calls block and return plain values', () => {
  test('a filter tests booleans, not promises', async () => {
    await shell.type('vols = walbc.get_vol_list(s0)');
    expect(await shell.type('vols.filter(v => walbc.is_overflow(s0, v))')).toBe("['vol1', 'vol3']");
    expect(await shell.type('vols.map(v => walbc.is_overflow(s0, v))')).toBe(
      '[False, True, False, True]',
    );
    expect(await shell.type('typeof walbc.is_overflow(s0, vol)')).toBe("'boolean'");
    expect(await shell.type('any(vols.map(v => walbc.is_overflow(s0, v)))')).toBe('True');
    expect(await shell.type('sorted(vols, key=v => walbc.is_overflow(s0, v), reverse=True)')).toBe(
      "['vol1', 'vol3', 'vol0', 'vol2']",
    );
  });

  test('calls within calls', async () => {
    expect(await shell.type('walbc.echo(walbc.echo(walbc.get_restorable_gid(a0, vol))[1])')).toBe(
      '9',
    );
  });

  test('an exception stops a loop', async () => {
    const result = await shell.script(`
      const done = [];
      for (const v of ['vol0', 'vol1', 'vol2']) {
        done.push(v);
        if (walbc.is_overflow(s0, v)) walbc.restore(a0, v, 5);
        print('after', v);
      }
      print('never');
    `);
    expect(result.printed).toBe('after vol0\n');
    expect(result.exitCode).toBe(4);
    expect(result.text).toBe(
      'WalbError: volume vol1 is Stopped; start it first\n' +
        '  (wrong-state volume=vol1 gid=5 state=Stopped)\n  at stdin:5:45',
    );
  });

  test('errors can be caught by code and name', async () => {
    const line =
      'try { walbc.restore(a0, vol, 5) } catch (e) { print(e instanceof WalbError, e.code, e.details.gid) }';
    expect(await shell.type(line)).toBe('True wrong-state 5');
    expect(await shell.type('walbc.fails()')).toBe('TypeError: not a WalbError');
  });

  test('values keep their classes both ways', async () => {
    expect(await shell.type('walbc.echo(s0) instanceof ServerConnectionParam')).toBe('True');
    expect(await shell.type('walbc.get_restorable(a0, vol)[0] instanceof GidInfo')).toBe('True');
    expect(await shell.type('walbc.echo(2n ** 63n) === 2n ** 63n')).toBe('True');
    expect(await shell.type('walbc.echo(new Uint8Array([1, 2]))[1]')).toBe('2');
    expect(await shell.type('walbc.echo(new Date(0)).getTime()')).toBe('0');
  });

  test('a function in an argument is refused instead of waiting for ever', async () => {
    expect(await shell.type('walbc.echo(x => x)')).toContain('a function can not be passed');
    expect(await shell.type('walbc.echo([{ f() {} }])')).toContain('a function can not be passed');
  });

  test('functions of the library can be called and given back', async () => {
    await shell.type("f = walbc.get_function('<')");
    expect(await shell.type("f('a')")).toBe("'<a'");
    expect(await shell.type('walbc.use_function(f)')).toBe("'<used'");
  });

  test('properties are read from and written to the real object', async () => {
    await shell.type('walbc.timeoutS = 7');
    expect(await shell.type('walbc.timeoutS')).toBe('7');
    expect(await shell.type('String(walbc.sLayout)')).toBe("'s0, a0'");
  });

  test('more controllers can be made, with and without new', async () => {
    expect(await shell.type('Controller(sLayout).echo(1) + new Controller(sLayout).echo(2)')).toBe(
      '3',
    );
    expect(await shell.type('Controller(sLayout) instanceof Controller')).toBe('True');
  });

  test('what methods print appears before the next output of the code', async () => {
    const { printed } = await shell.script("print('a'); walbc.status(); print('b')");
    expect(printed).toBe('a\n++++ s0 ++++\nvol0 Target\nb\n');
  });

  test('a method taken off its object says how to call it', async () => {
    expect(await shell.type('e = walbc.echo; e(1)')).toContain('walbc.echo(...)');
  });

  test('printing a lot waits for the reader', async () => {
    const { printed } = await shell.script("for (const i of range(20000)) print('x'.repeat(99))");
    expect(printed.length).toBe(20000 * 100);
  });
});

describe('the language', () => {
  test.each([
    ['1 + 1', '2'],
    ['x = 5', ''],
    ['x', '5'],
    ['x == 5', 'True'],
    ['None', ''],
    ['[None, True]', '[None, True]'],
    ['{ a: 1 }', "{'a': 1}"],
    ['const y = 1', ''],
    ['const y = 2', ''],
    ['y', '2'],
    ['let z: number = 3', ''],
    ['z as number', '3'],
    ['enum Kind { A, B }; Kind.B', '1'],
    ['await Promise.resolve(8)', '8'],
    ["const { join } = await import('node:path'); join('a', 'b')", ''],
    ["import os from 'node:os'", ''],
    ['typeof os.hostname()', "'string'"],
    ["import { basename } from 'node:path'; basename('/a/b')", "'b'"],
    ['function g(a) {', 'incomplete'],
    ['1 +', 'incomplete'],
    ['argv', "['one', 'two']"],
    ['exit', 'exit'],
    ['quit()', 'exit'],
    ['_', '2'],
  ])('%s', async (line, shown) => {
    if (line === '_') await shell.type('1 + 1');
    expect(await shell.type(line)).toBe(shown);
  });

  test('keyword arguments reach their places', async () => {
    expect(await shell.type('walbc.args(s0, vol, block=False)[2]')).toBe('86400');
    expect(await shell.type('walbc.args(s0, vol, block=False)[3]')).toBe('False');
    expect(await shell.type('walbc.args(s0, vol, { timeoutS: 10 })[2]')).toBe('10');
    expect(await shell.type('walbc.args(s0, vol, timeout=10)')).toContain(
      "args() has no argument 'timeout'; there are: sx, vol, timeoutS, block",
    );
    expect(await shell.type('walbc.args(s0, vol, sx=s0)')).toContain("got argument 'sx' twice");
    expect(await shell.type('walbc.echo({ a: 1 })')).toBe("{'a': 1}");
    expect(await shell.type('SyncOpt(delayS=3).delayS')).toBe('3');
  });

  test("keyword arguments of the operator's own functions", async () => {
    await shell.type('function own(x, y = 2, z = 3) { return [x, y, z] }');
    expect(await shell.type('own(1, z=5)')).toBe('[1, 2, 5]');
    expect(await shell.type('own(z=5, x=0)')).toBe('[0, 2, 5]');
    expect(await shell.type('own(1, x=5)')).toContain("own() got argument 'x' twice");
    expect(await shell.type('own(1, w=5)')).toContain("no argument 'w'; there are: x, y, z");
    await shell.type('o = { by: 10, times(x, plus = 0) { return this.by * x + plus } }');
    expect(await shell.type('o.times(2, plus=1)')).toBe('21');
    await shell.type('arrow = async (x, y = 1) => x + y');
    expect(await shell.type('arrow(x=1, y=5)')).toBe('6');
    await shell.type('class Own { constructor(a, b) { this.sum = a + b } }');
    expect(await shell.type('new Own(1, b=2).sum')).toBe('3');
    expect(await shell.type('((f) => f(1, z=9))(own)')).toBe('[1, 2, 9]');
  });

  test('keyword arguments that can not be put in place are refused', async () => {
    await shell.type('function parts({ a }, b) { return b }');
    expect(await shell.type('parts({ a: 1 }, b=2)')).toContain('not all plain names');
    await shell.type('numbers = [1]');
    expect(await shell.type('numbers.at(index=0)')).toContain('at() takes no keyword arguments');
    expect(await shell.type('print("x", end="!")')).toContain('x!');
    expect(await shell.type('sorted([1, 2], reverse=True)')).toBe('[2, 1]');
  });

  test('Python that can not work says what to write', async () => {
    expect(await shell.type('for v in vols:')).toContain('for (const x of list)');
  });

  test('a runbook is TypeScript: imports, types, and = within calls as TypeScript has it', async () => {
    const book = `
      import { ServerConnectionParam, K_PROXY } from 'walb-ts';
      import type { Stats } from 'node:fs';
      interface Pair { readonly a: number }
      const pair: Pair = { a: 1 };
      let b = 0;
      print((b = 5), pair.a, b, new ServerConnectionParam('p', 'h', 1, K_PROXY).name);
      throw new RangeError('end');
    `;
    const result = await shell.script(book, '/nowhere/book.ts');
    expect(result.printed).toBe('5 1 5 p\n');
    expect(result.text).toBe('RangeError: end\n  at /nowhere/book.ts:8:13');
    expect(result.exitCode).toBe(1);
  });

  test('a script may exit with a code', async () => {
    expect((await shell.script('print(1); exit(7); print(2)')).exitCode).toBe(7);
  });

  test('a promise that fails later is reported, not fatal', async () => {
    await shell.type("void Promise.reject(new Error('later'))");
    expect(await shell.type('1')).toMatch(/Error: later\n1|^1$/);
  });
});

describe('Ctrl-C', () => {
  async function interrupting(line: string, ready: Promise<unknown>): Promise<string> {
    const ended = shell.type(line);
    await ready;
    shell.session.interrupt();
    return await ended;
  }

  test('ends the wait for a call and says what goes on', async () => {
    const line = 'walbc.full_backup(s0, vol)';
    expect(await interrupting(line, shell.noted())).toBe('KeyboardInterrupt: full_backup goes on');
    expect(await shell.type('walbc.echo(1)')).toBe('1');
  });

  test('is an exception of the code that waited: catch and finally see it', async () => {
    const line =
      'try { walbc.full_backup(s0, vol) } catch (e) { print(e instanceof KeyboardInterrupt, e.name) } finally { print("f") }';
    expect(await interrupting(line, shell.noted())).toBe('True KeyboardInterrupt\nf');
  });

  test('ends a loop within which calls are made', async () => {
    const line = 'while (true) { try { walbc.full_backup(s0, vol) } finally { print("f") } }';
    expect(await interrupting(line, shell.noted())).toContain('KeyboardInterrupt');
  });

  test('ends a busy loop, a sleep, and a promise that never comes; many times', async () => {
    for (let round = 0; round < 5; round += 1) {
      for (const line of ['while (true) {}', 'sleep(1000)', 'await new Promise(() => {})']) {
        expect(await interrupting(line, Promise.resolve())).toBe('KeyboardInterrupt');
      }
    }
    expect(await shell.type('walbc.echo(2)')).toBe('2');
  });

  test('does nothing when nothing runs', async () => {
    shell.session.interrupt();
    expect(await shell.type('3')).toBe('3');
  });
});

describe('errors that are none', () => {
  test.each([
    ['throw new WalbError()', 'WalbError: '],
    ["throw new WalbError('nonsense', 'text')", 'WalbError: text'],
    ['throw Object.create(null)', 'Error: '],
    ["throw { get a() { throw new Error('no') } }", 'Error: '],
    ["throw Object.defineProperty(new Error('x'), 'message', { get() { throw 1 } })", 'Error: '],
    ['throw Symbol()', 'Error: '],
  ])('%s', async (line, shown) => {
    expect(await shell.type(line)).toContain(shown);
    expect(await shell.type('walbc.echo(3)')).toBe('3');
  });
});

describe('Python that TypeScript can not take', () => {
  test.each([
    ['for i in range(3): print(i)', 'for (const x of list) { ... }'],
    ['for k, v in d.items():', 'for (const x of list) { ... }'],
    ['if True: print(1)', 'if (condition) { ... }'],
    ['while (x): pass', 'if (condition) { ... }'],
    ['elif x: pass', 'else if (condition) { ... }'],
    ['def f(x): return x', 'function name(a, b) { ... }'],
    ['try: f()', 'try { ... } catch (e) { ... }'],
    ['with open(x) as f: pass', 'try { ... } finally { ... }'],
    ["raise Exception('x')", "throw new Error('what')"],
    ['del x', 'delete object.key'],
    ['f = lambda a, b: a', 'x => expression'],
    ['not True', '!x'],
  ])('%s', async (line, written) => {
    const text = await shell.type(line);
    expect(text).toContain(`This looks like Python; here it is written: ${written}`);
    expect(text).toContain('In Python mode (.python, --python) it works as it is');
  });
});

describe('help and completion', () => {
  test('help prints the docstring under the signature', async () => {
    expect(await shell.type('help(walbc.restore)')).toBe(
      'Controller.restore(ax, vol, gid, timeoutS=86400)\n\n' +
        '    Makes a snapshot an image of its own. The volume must be Archived.',
    );
    expect(await shell.type('help()')).toContain('walbc.status()');
    expect(await shell.type('help(walbc)')).toContain(
      'is_overflow                 Whether the log',
    );
    expect(await shell.type('help(len)')).toContain('number of elements');
  });

  test('dir gives the names of a value', async () => {
    expect(await shell.type("dir(walbc).includes('restore')")).toBe('True');
    expect(await shell.type("['s0', 'walbc', 'sLayout'].every(n => dir().includes(n))")).toBe(
      'True',
    );
  });

  test.each([
    ['walbc.is_o', ['walbc.is_overflow']],
    ['sLayo', ['sLayout']],
    ['sLayout.get_p', ['sLayout.get_primary_archive']],
    ['walbc.is_overflow(', ['s0']],
    ['walbc.restore(', ['a0']],
    ["walbc.restore(a0, 'v", ["'vol0'", "'vol1'", "'vol2'", "'vol3'"]],
    ['walbc.restore(a0, vol, ', ['9223372036854775808', '9', '5']],
    ['walbc.restore(a0, vol, 92', ['9223372036854775808']],
    ["print(walbc.restore(a0, 'vol0', 5", ['5']],
    ['walbc.restore(a0, vol, 5, ', ['timeoutS=']],
    // The quotes that were begun; an argument that stands there already; lists.
    ['walbc.restore(a0, "v', ['"vol0"', '"vol1"', '"vol2"', '"vol3"']],
    ['walbc.restore(a0 ', []],
    ['walbc.restore(a0, vol, 5 ', []],
    ['walbc.restore(a0, vol, gid=', ['9223372036854775808', '9', '5']],
    ['walbc.snapshot(s0, vol, ', ['[']],
    ['walbc.snapshot(s0, vol, [', ['a0']],
    ['walbc.snapshot(s0, vol, [a0, ', []],
    ['walbc.disable_snapshot(a0, vol, [9, ', ['9223372036854775808', '5']],
    ['walbc.disable_snapshot(a0, vol, [9, 9', ['9223372036854775808']],
    ['walbc.disable_snapshot(a0, vol, [9]', []],
    ['walbc.disable_snapshot(a0, vol, gidL=[', ['9223372036854775808', '9', '5']],
    // Every volume where no server is named before; the ends of diffs for a range; modes.
    ["walbc.resize('", ["'vol0'", "'vol1'", "'vol2'", "'vol3'"]],
    ['walbc.merge(a0, vol, ', ['9', '5']],
    ["walbc.stop(s0, vol, 'e", ["'empty'"]],
    ["walbc.shutdown(s0, '", ["'graceful'", "'force'"]],
    ['nothing.here.', []],
    ["'text", []],
  ])('Tab after %s', async (line, matches) => {
    expect((await shell.session.complete(line)).matches).toEqual(matches);
  });

  test('the signature of the call being typed is at hand', async () => {
    const { hint } = await shell.session.complete('walbc.restore(a0, ');
    expect(hint).toBe(
      'Controller.restore(ax, vol, gid, timeoutS=86400)  Makes a snapshot an image of its own.',
    );
  });
});

describe('the line below a call that is typed', () => {
  test('of what the shell has, and of functions of the operator', async () => {
    await shell.type('function backUpAll(server, volumes = []) { return volumes }');
    const hintOf = async (line: string) => (await shell.session.complete(line)).hint;
    expect(await hintOf('len(')).toBe('len(x)  number of elements of a list, text or dictionary.');
    expect(await hintOf('backUpAll(')).toBe('backUpAll(server, volumes = [])');
    expect(await hintOf('Math.max(')).toBeUndefined();
  });
});

describe('a misspelt name', () => {
  test.each([
    ['walbc.restor(a0, vol, 5)', 'Did you mean walbc.restore?'],
    ['walbc.get_restorble_gid(a0, vol)', 'Did you mean walbc.get_restorable_gid?'],
    ['slayout', 'Did you mean sLayout?'],
  ])('%s', async (line, hint) => {
    expect(await shell.type(line)).toContain(`\n${hint}`);
  });

  test('nothing is guessed where nothing is near', async () => {
    expect(await shell.type('walbc.frobnicate()')).toBe(
      'TypeError: walbc.frobnicate is not a function',
    );
    expect(await shell.type('nosuchthing')).toBe('ReferenceError: nosuchthing is not defined');
  });
});

describe('the end of the thread', () => {
  test('process.exit in code is exit; nothing waits for a thread that is gone', async () => {
    await using ended = await startSession();
    expect(await ended.session.evaluate('process.exit(7)', 'walbc', 'prompt')).toEqual({
      status: 'exit',
      exitCode: 7,
    });
    await expect(ended.session.evaluate('1', 'walbc', 'prompt')).rejects.toThrow(
      "the shell's thread ended with code 7",
    );
    await expect(ended.session.complete('wal')).rejects.toThrow('ended with code 7');
  });
});
