import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeWith } from '../../support/tools.ts';
import { onTerminal, type Step } from './support/terminal.ts';

const SHELL = new URL('./support/fake-shell.ts', import.meta.url);
const CTRL_C = '\x03';
const CTRL_D = '\x04';
const CTRL_R = '\x12';
const PROMPT: Step = ['expect', 'walbc> '];

async function play(steps: readonly Step[], env: Record<string, string> = {}): Promise<string> {
  const { screen, status, failed } = await onTerminal(SHELL, steps, env);
  expect(failed, screen).toBeNull();
  expect(status, screen).toBe(0);
  return screen;
}

describeWith(['python3'], 'the prompt on a terminal', () => {
  test('a line is evaluated and its result printed; Ctrl-D leaves', async () => {
    await play([
      PROMPT,
      ['type', 'walbc.get_vol_list(s0)\r'],
      ['expect', "['vol0', 'vol1', 'vol2', 'vol3']"],
      PROMPT,
      ['type', 'walbc.get_restorable(a0, vol)\r'],
      ['expect', 'time (UTC)'],
      ['expect', '2026-01-31T23:59:59'],
      ['expect', 'until disabled'],
      PROMPT,
      ['type', CTRL_D],
    ]);
  });

  test('a block is typed over several lines, or pasted together with what follows', async () => {
    await play([
      PROMPT,
      ['type', 'function twice(a) {\r'],
      ['expect', '| '],
      ['type', 'return 2 * a\r}\r'],
      PROMPT,
      ['type', 'for (const i of range(2)) {\n  print("line", i)\n}\ntwice(21)\n'],
      ['expect', 'line 0'],
      ['expect', 'line 1'],
      ['expect', '42'],
      PROMPT,
      ['type', 'exit\r'],
    ]);
  });

  test('Ctrl-C during a call: the wait ends, says what goes on, and the shell is usable', async () => {
    const screen = await play([
      PROMPT,
      ['type', 'walbc.full_backup(s0, vol)\r'],
      ['expect', 'full_backup (0:00) vol0 at s0'],
      ['type', CTRL_C],
      ['expect', 'KeyboardInterrupt: the full backup of vol0 goes on at s0 (FullSync)'],
      PROMPT,
      ['type', 'walbc.echo(77)\r'],
      ['expect', '77'],
      ['type', CTRL_D],
    ]);
    // The progress line was erased before the message was printed in its place.
    expect(screen).toContain('\r\x1b[KKeyboardInterrupt');
  });

  test('Ctrl-C in a busy loop; what was typed ahead is dropped', async () => {
    const screen = await play([
      PROMPT,
      ['type', 'while (true) {}\r'],
      ['type', `print("ahead")\r${CTRL_C}`],
      ['expect', 'KeyboardInterrupt'],
      PROMPT,
      ['type', 'x = 1\rx + 1\r'],
      ['expect', '2'],
      PROMPT,
      ['type', CTRL_D],
    ]);
    expect(screen).not.toContain('ahead\r\n');
  });

  test('Ctrl-C at the prompt drops the line', async () => {
    await play([
      PROMPT,
      ['type', `nonsense(${CTRL_C}`],
      PROMPT,
      ['type', '1 + 1\r'],
      ['expect', '2'],
      ['type', CTRL_D],
    ]);
  });

  test('a SIGINT from outside ends what runs, and does not end an idle shell', async () => {
    const sigint: Step = ['signal', 2];
    await play([
      PROMPT,
      ['type', '1 + 1\r'],
      ['expect', '2\r\n'],
      PROMPT,
      ['type', 'print("sleeping"); sleep(100)\r'],
      ['expect', 'sleeping\r\n'],
      sigint,
      ['expect', 'KeyboardInterrupt'],
      PROMPT,
      ['type', 'print("on")\r'],
      ['expect', 'on\r\n'],
      ['type', CTRL_D],
    ]);
  });

  test('Tab completes a method, then shows its signature, then gids', async () => {
    await play([
      PROMPT,
      ['type', 'walbc.get_restorable_\t'],
      ['expect', 'walbc.get_restorable_gid'],
      ['type', CTRL_C],
      PROMPT,
      // Signature and summary in lines of their own, also where Tab comes before they were shown.
      ['type', 'walbc.restore(a0, vol, \t'],
      ['expect', 'timeoutS=86400)\r'],
      ['expect', '\nMakes a snapshot an image of its own.'],
      ['type', '\t'],
      ['expect', '9223372036854775808'],
      ['type', `${CTRL_C}${CTRL_D}`],
    ]);
  });

  test('typing ( shows the signature and what the call does, below the line', async () => {
    const screen = await play([
      PROMPT,
      ['type', 'walbc.restore('],
      ['expect', 'Controller.restore(ax, vol, gid'],
      ['expect', 'Makes a snapshot an image of its own.'],
      // Back up to the line, behind what was typed.
      ['expect', '\x1b[2A\x1b[22G'],
      ['type', 'a0'],
      ['expect', 'a0'],
      // Closed: the two lines are erased, and the cursor is where it was.
      ['type', ', vol, 1)'],
      ['expect', '\x1b[B\r\x1b[J\x1b[A'],
      ['type', `${CTRL_C}`],
      PROMPT,
      ['type', 'nothing_known('],
      ['expect', 'nothing_known('],
      ['type', `${CTRL_C}`],
      PROMPT,
      // Left by Enter: what the call prints does not run into the hint.
      ['type', 'walbc.get_vol_list('],
      ['expect', 'Controller.get_vol_list(s)'],
      ['type', 's0)\r'],
      ['expect', "['vol0', 'vol1', 'vol2', 'vol3']"],
      ['type', CTRL_D],
    ]);
    expect(screen.split('Controller.restore(').length).toBeGreaterThan(1);
  });

  test('a pasted block and a search of the history are not disturbed by hints', async () => {
    const screen = await play([
      PROMPT,
      ['type', 'print(len([1, 2]))\rprint(len([1]))\r'],
      ['expect', '2\r\n'],
      ['expect', '1\r\n'],
      PROMPT,
      ['type', `${CTRL_R}print(`],
      ['expect', 'bck-i-search: print(_'],
      ['type', '\r'],
      ['expect', '1\r\n'],
      PROMPT,
      ['type', CTRL_D],
    ]);
    expect(screen).not.toContain('Controller.');
  });

  test('history is kept across sessions, searched with Ctrl-R, and readable by its owner only', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'walbc-history-'));
    const file = join(folder, 'deep/history');
    try {
      const env = { WALB_HISTORY: file };
      await play([PROMPT, ['type', 'needle = 4242\r'], PROMPT, ['type', CTRL_D]], env);
      expect(readFileSync(file, 'utf8')).toContain('needle = 4242');
      expect(statSync(file).mode & 0o777).toBe(0o600);
      chmodSync(file, 0o644);
      await play(
        [
          PROMPT,
          ['type', `${CTRL_R}need`],
          ['expect', 'bck-i-search: need_'],
          ['type', '\r'],
          PROMPT,
          ['type', 'needle + 1\r'],
          ['expect', '4243'],
          ['type', CTRL_D],
        ],
        env,
      );
      expect(statSync(file).mode & 0o777).toBe(0o600);
      // The same line again and again is one line of it.
      const again: readonly Step[] = [['type', 'needle = 7\r'], PROMPT];
      await play([PROMPT, ...again, ...again, ['type', CTRL_D]], env);
      const lines = readFileSync(file, 'utf8').split('\n');
      expect(lines.filter((line) => line === 'needle = 7')).toHaveLength(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('prompts that are open at the same time lose nothing of each other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'walbc-history-'));
    const file = join(folder, 'history');
    const env = { WALB_HISTORY: file };
    try {
      writeFileSync(file, 'older = 1\n');
      // The second one begins and ends while the first one is open.
      const second = play([PROMPT, ['type', 'in_second = 2\r'], PROMPT, ['type', CTRL_D]], env);
      const first = play(
        [
          PROMPT,
          ['type', 'before = 1\r'],
          PROMPT,
          ['type', 'sleep(3)\r'],
          PROMPT,
          ['type', 'after = 1\r'],
          PROMPT,
          ['type', 'function f() {\rreturn 4321\r}\r'],
          PROMPT,
          ['type', CTRL_D],
        ],
        env,
      );
      await Promise.all([first, second]);
      const lines = readFileSync(file, 'utf8').split('\n');
      for (const line of ['older = 1', 'before = 1', 'in_second = 2', 'after = 1'])
        expect(lines).toContain(line);
      // A block is one entry, and comes back as one.
      await play(
        [
          PROMPT,
          ['type', `${CTRL_R}4321`],
          ['expect', 'bck-i-search: 4321_'],
          ['type', '\r'],
          PROMPT,
          ['type', 'f() + 1\r'],
          ['expect', '4322'],
          ['type', CTRL_D],
        ],
        env,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a dumb terminal gets text alone', async () => {
    const screen = await play(
      [
        PROMPT,
        ['type', 'walbc.get_restorable(a0, vol)\r'],
        ['expect', 'until disabled'],
        PROMPT,
        ['type', 'walbc.is_overflow(s0, vol); sleep(1); print("slept")\r'],
        ['expect', 'slept\r\n'],
        PROMPT,
        ['type', 'print("begun"); walbc.full_backup(s0, vol)\r'],
        ['expect', 'begun\r\n'],
        ['type', CTRL_C],
        ['expect', 'KeyboardInterrupt'],
        PROMPT,
        ['type', 'exit\r'],
      ],
      { TERM: 'dumb' },
    );
    expect(screen).not.toContain('\x1b');
  });

  test('exit(code) is the exit code of the program', async () => {
    const { status } = await onTerminal(SHELL, [PROMPT, ['type', 'exit(5)\r']]);
    expect(status).toBe(5);
  });
});
