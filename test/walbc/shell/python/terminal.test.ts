/** The Python mode on a pseudo-terminal: typed keys, expected screen. */
import { expect, test } from 'vitest';
import { describeWith } from '../../../support/tools.ts';
import { onTerminal, type Step } from '../support/terminal.ts';

const SHELL = new URL('../support/fake-shell.ts', import.meta.url);
const CTRL_C = '\x03';
const CTRL_D = '\x04';
const PROMPT: Step = ['expect', 'walbc> '];
const PYTHON: Step = ['expect', 'python> '];
const MORE: Step = ['expect', '... '];
/** The prompt of a further line, the cursor moved behind it, and blanks that are there already. */
const indented = (blanks: number): Step => ['expect', `... \x1b[5G${' '.repeat(blanks)}`];

async function play(steps: readonly Step[]): Promise<string> {
  const all: readonly Step[] = [PROMPT, ['type', '.python\r'], PYTHON, ...steps];
  const { screen, status, failed } = await onTerminal(SHELL, all);
  expect(failed, screen).toBeNull();
  expect(status, screen).toBe(0);
  return screen;
}

describeWith(['python3'], 'the Python prompt on a terminal', () => {
  test('a block is indented by itself, and an empty line ends it', async () => {
    await play([
      ['type', 'for v in walbc.get_vol_list(s0):\r'],
      indented(4),
      ['type', 'if walbc.is_overflow(s0, v):\r'],
      indented(8),
      ['type', 'print(v, "overflow")\r'],
      indented(8),
      ['type', 'continue\r'],
      // One level back after continue.
      indented(4),
      ['type', 'print(v)\r'],
      indented(4),
      ['type', '\r'],
      ['expect', 'vol0\r\nvol1 overflow\r\nvol2\r\nvol3 overflow\r\n'],
      PYTHON,
      ['type', CTRL_D],
    ]);
  });

  test('Backspace goes back a level where the line is only blanks, else one character', async () => {
    await play([
      ['type', 'for i in [1, 2]:\r'],
      indented(4),
      ['type', 'if i > 1:\r'],
      indented(8),
      ['type', 'print("big", i)\r'],
      indented(8),
      ['type', '\x7fprint("alll\x7f", i)\r'],
      indented(4),
      ['type', '\r'],
      ['expect', 'all 1\r\nbig 2\r\nall 2\r\n'],
      PYTHON,
      ['type', CTRL_D],
    ]);
  });

  test('a pasted block keeps its own indentation', async () => {
    await play([
      ['type', 'def f(a):\n    if a:\n        return 2 * a\n    return 0\n\nf(21)\nf(0)\n'],
      ['expect', '42\r\n'],
      ['expect', '0\r\n'],
      PYTHON,
      ['type', CTRL_D],
    ]);
  });

  test('Ctrl-C drops a block that is being typed', async () => {
    await play([
      ['type', 'while True:\r'],
      indented(4),
      ['type', CTRL_C],
      PYTHON,
      ['type', '1 + 1\r'],
      ['expect', '2\r\n'],
      PYTHON,
      ['type', CTRL_D],
    ]);
  });

  test('Ctrl-C ends a loop, and the shell is usable', async () => {
    await play([
      ['type', 'while True: pass\r'],
      MORE,
      ['type', '\r'],
      ['type', CTRL_C],
      ['expect', 'KeyboardInterrupt'],
      PYTHON,
      ['type', 'x = 20\rx + 1\r'],
      ['expect', '21'],
      ['type', CTRL_D],
    ]);
  });

  test('.typescript goes back, with the same variables', async () => {
    await play([
      ['type', 'needle = [1, 2]\r'],
      PYTHON,
      ['type', '.typescript\r'],
      PROMPT,
      ['type', 'needle.map(x => x * 2)\r'],
      ['expect', '[2, 4]'],
      PROMPT,
      ['type', '.python\r'],
      PYTHON,
      ['type', '[x * 3 for x in needle]\r'],
      ['expect', '[3, 6]'],
      PYTHON,
      ['type', CTRL_D],
    ]);
  });

  test('Tab completes methods of the library and of Python', async () => {
    await play([
      ['type', 'walbc.get_restorable_\t'],
      ['expect', 'walbc.get_restorable_gid'],
      ['type', CTRL_C],
      PYTHON,
      ['type', 'vol.startsw\t'],
      ['expect', 'vol.startswith'],
      ['type', '("vol")\r'],
      ['expect', 'True'],
      PYTHON,
      ['type', CTRL_D],
    ]);
  });

  test('an open bracket goes on without indentation', async () => {
    await play([
      ['type', 'sum([1,\r'],
      MORE,
      ['type', '2])\r'],
      ['expect', '3\r\n'],
      PYTHON,
      ['type', CTRL_D],
    ]);
  });
});
