/** Questions before calls that lose something, on a terminal. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readAudit } from '../../../src/walbc/safety/audit-log.ts';
import { describeWith } from '../../support/tools.ts';
import { onTerminal, type Step } from './support/terminal.ts';

const SHELL = new URL('./support/guarded-shell.ts', import.meta.url);
const CTRL_C = '\x03';
const CTRL_D = '\x04';
const PROMPT: Step = ['expect', 'walbc> '];
const QUESTION: Step = ['expect', 'Proceed? [y/N] '];
const REFUSED = 'WalbError: nothing was done';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'walbc-confirm-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function play(steps: readonly Step[]): Promise<string> {
  const env = { WALB_AUDIT_LOG: join(folder, 'audit.log') };
  const { screen, status, failed } = await onTerminal(SHELL, steps, env);
  expect(failed, screen).toBeNull();
  expect(status, screen).toBe(0);
  return screen;
}

function outcomes(): unknown[] {
  return readAudit(join(folder, 'audit.log'))
    .filter(({ event }) => event === 'end')
    .map(({ call, declined, interrupted, dryRun }) => [
      call,
      declined ? 'declined' : interrupted ? 'interrupted' : dryRun ? 'dry run' : 'done',
    ]);
}

describeWith(['python3'], 'the question', () => {
  test('shows what would be lost; y does it', async () => {
    await play([
      PROMPT,
      ['type', 'walbc.clear(a0, vol)\r'],
      ['expect', "walbc.clear(a0, 'vol')"],
      ['expect', 'lost     base image of vol at a0, 64 MiB'],
      ['expect', '3 restored images: gid 5, 6, 7'],
      QUESTION,
      ['type', 'y\r'],
      ['expect', 'cleared vol'],
      PROMPT,
      ['type', CTRL_D],
    ]);
    expect(outcomes()).toEqual([["walbc.clear(a0, 'vol')", 'done']]);
  });

  test.each([
    ['n', 'n\r'],
    ['nothing: the default is no', '\r'],
    ['something else', 'yess\r'],
    ['y that was erased', 'y\x7f\r'],
    ['Ctrl-C', CTRL_C],
    ['y and then Ctrl-C', `y${CTRL_C}`],
    ['Ctrl-D', CTRL_D],
  ])('answered with %s: nothing is done, and the shell is usable', async (_, keys) => {
    const screen = await play([
      PROMPT,
      ['type', 'walbc.clear(a0, vol)\r'],
      QUESTION,
      ['type', keys],
      ['expect', REFUSED],
      PROMPT,
      ['type', '40 + 2\r'],
      ['expect', '42'],
      PROMPT,
      ['type', CTRL_D],
    ]);
    expect(screen).not.toContain('cleared');
    expect(outcomes()).toEqual([["walbc.clear(a0, 'vol')", 'declined']]);
  });

  test('a SIGINT from outside is a no too', async () => {
    const screen = await play([
      PROMPT,
      ['type', 'walbc.clear(a0, vol)\r'],
      QUESTION,
      ['signal', 2],
      ['expect', 'KeyboardInterrupt'],
      PROMPT,
      ['type', '40 + 2\r'],
      ['expect', '42'],
      ['type', CTRL_D],
    ]);
    expect(screen).not.toContain('cleared');
    expect(outcomes()).toEqual([["walbc.clear(a0, 'vol')", 'declined']]);
  });

  test('in a loop it comes each time; a means yes to the rest of this input only', async () => {
    const screen = await play([
      PROMPT,
      ['type', 'for (const gid of [5, 6, 7]) walbc.del_restored(a0, vol, gid)\r'],
      QUESTION,
      ['type', 'y\r'],
      ['expect', 'deleted vol 5'],
      ['expect', 'Proceed? [y/N, a = yes to all of this input] '],
      ['type', 'a\r'],
      ['expect', 'deleted vol 6'],
      ['expect', 'deleted vol 7'],
      PROMPT,
      ['type', 'walbc.del_restored(a0, vol, 5)\r'],
      QUESTION,
      ['type', 'n\r'],
      ['expect', REFUSED],
      PROMPT,
      ['type', CTRL_D],
    ]);
    expect(screen.match(/Proceed\?/g)).toHaveLength(3);
  });

  test('no ends a loop, unless the code catches it', async () => {
    const screen = await play([
      PROMPT,
      ['type', 'for (const gid of [5, 6]) walbc.del_restored(a0, vol, gid)\r'],
      QUESTION,
      ['type', 'n\r'],
      ['expect', REFUSED],
      PROMPT,
      ['type', CTRL_D],
    ]);
    expect(screen.match(/Proceed\?/g)).toHaveLength(1);
  });

  test('walbc.confirm = False switches it off; dry_run=True only shows', async () => {
    const screen = await play([
      PROMPT,
      ['type', 'walbc.clear(a0, vol, dry_run=True)\r'],
      ['expect', 'lost     base image'],
      PROMPT,
      ['type', 'len(walbc.clear(a0, vol, { dry_run: true }).losses) > 2\r'],
      ['expect', 'True'],
      PROMPT,
      ['type', 'walbc.confirm = False\r'],
      PROMPT,
      ['type', 'walbc.clear(a0, vol)\r'],
      ['expect', 'cleared vol'],
      PROMPT,
      ['type', 'walbc.confirm = True\r'],
      PROMPT,
      ['type', 'walbc.clear(a0, vol)\r'],
      QUESTION,
      ['type', 'n\r'],
      ['expect', REFUSED],
      ['type', CTRL_D],
    ]);
    expect(screen.match(/cleared vol/g)).toHaveLength(1);
  });

  test('Ctrl-C during a call is recorded as such', async () => {
    await play([
      PROMPT,
      ['type', 'walbc.restore(a0, vol, 5)\r'],
      ['expect', 'restoring'],
      ['type', CTRL_C],
      ['expect', 'KeyboardInterrupt'],
      PROMPT,
      ['type', 'help(walbc.clear)\r'],
      ['expect', 'Controller.clear(s, vol, dry_run=False)'],
      ['expect', 'dry_run=True does nothing, and says what would be lost.'],
      ['type', CTRL_D],
    ]);
    expect(outcomes()).toEqual([["walbc.restore(a0, 'vol', 5)", 'interrupted']]);
  });

  test('lines pasted behind are no answer, they wait for the prompt', async () => {
    const screen = await play([
      PROMPT,
      ['type', 'walbc.clear(a0, vol)\ny = 41\ny + 1\n'],
      QUESTION,
      ['type', 'n\r'],
      ['expect', REFUSED],
      ['expect', '42'],
      PROMPT,
      ['type', CTRL_D],
    ]);
    expect(screen).not.toContain('cleared');
  });
});

describeWith(['python3'], 'a question of a runbook, on a terminal', () => {
  const PROGRAM = new URL('./support/ask-terminal.ts', import.meta.url);

  test.each<[string, Step, string]>([
    ['y', ['type', 'y\r'], 'yes'],
    ['yes, after a slip', ['type', 'yx\x7fes\r'], 'yes'],
    ['n', ['type', 'n\r'], 'no'],
    ['Ctrl-C', ['type', CTRL_C], 'no'],
    ['Ctrl-D', ['type', CTRL_D], 'no'],
    ['a SIGINT from outside', ['signal', 2], 'no'],
  ])('answered with %s', async (_, answer, expected) => {
    const steps: Step[] = [['expect', 'Go on? '], answer, ['expect', `answer: ${expected}`]];
    const { failed, status, screen } = await onTerminal(PROGRAM, steps);
    expect(failed, screen).toBeNull();
    expect(status, screen).toBe(0);
  });
});
