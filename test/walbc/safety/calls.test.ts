/** The table of calls names everything there is, and nothing else. */
import { describe, expect, test } from 'vitest';
import { COMMANDS as WDEVC_COMMANDS } from '../../../src/cli/wdevc-commands.ts';
import { COMMANDS } from '../../../src/walbc/cli/commands.ts';
import {
  Controller,
  K_ARCHIVE,
  K_STORAGE,
  ServerConnectionParam,
} from '../../../src/walbc/index.ts';
import { type Call, mayChange, specOf, TABLE_NAMES } from '../../../src/walbc/safety/calls.ts';
import { mainLibrary } from '../../../src/walbc/shell/main-library.ts';

const library = mainLibrary({});
const methodsOf = (name: string): string[] =>
  library.remotes[name]!.shape.members.filter(({ kind }) => kind === 'method').map((m) => m.name);

const s0 = new ServerConnectionParam('s0', 'localhost', 10_000, K_STORAGE);
const a0 = new ServerConnectionParam('a0', 'localhost', 10_200, K_ARCHIVE);

function effectOf(member: string, ...args: unknown[]): string {
  return specOf({ className: 'Controller', target: undefined, member, args }).effect;
}

describe('the table of calls', () => {
  test.each(['Controller', 'Device'] as const)('has every method of %s', (name) => {
    const known: readonly string[] = TABLE_NAMES[name];
    expect(methodsOf(name).filter((member) => !known.includes(member))).toEqual([]);
    const gone = known.filter((member) => !(member in library.remotes[name]!.cls.prototype));
    expect(gone).toEqual([]);
  });

  test('has every command of the command line', () => {
    expect([...TABLE_NAMES.commands].sort()).toEqual(COMMANDS.map(({ name }) => name).sort());
  });

  test('has every function of the shell', () => {
    expect([...TABLE_NAMES.functions].sort()).toEqual(Object.keys(library.functions).sort());
  });

  test.each(Object.entries(WDEVC_COMMANDS))('knows whether wdevc %s only asks', (name) => {
    const { effect } = specOf({
      className: 'Device',
      target: undefined,
      member: 'run_wdevc',
      args: [[name]],
    });
    expect(effect === 'read').toBe(/^(get|is|list)/.test(name));
  });

  test('what nobody has classified counts as a change, and takes dry_run', () => {
    expect(effectOf('of_tomorrow')).toBe('change');
    expect(mayChange('Controller', 'of_tomorrow')).toBe(true);
    expect(mayChange('Controller', 'get_state')).toBe(false);
  });

  test('names that say what they do are classified so', () => {
    for (const member of methodsOf('Controller')) {
      if (/^_?(get|is|wait|print|exists|list|verify)_/.test(member)) {
        expect([member, effectOf(member)]).toEqual([member, 'read']);
      }
      if (/^_?(del|clear|reset|apply|merge|disable|shutdown)/.test(member)) {
        expect([member, effectOf(member, a0, 'vol')]).toEqual([member, 'destructive']);
      }
    }
    expect(Controller.prototype).toHaveProperty('clear');
  });

  test.each([
    [a0, ['clear-vol', 'vol'], 'destructive'],
    [a0, ['apply', 'vol', '5'], 'destructive'],
    [a0, ['get', 'state', 'vol'], 'read'],
    [a0, ['snapshot', 'vol'], 'change'],
    [a0, ['archive-info', 'list', 'vol'], 'read'],
    [a0, ['archive-info', 'delete', 'vol', 'a0'], 'destructive'],
    [a0, ['archive-info', 'add', 'vol', 'a0', 'h:1'], 'change'],
    [a0, ['replicate', 'vol', 'gid', '5', 'h:1', '1', '0'], 'destructive'],
    [a0, ['replicate', 'vol', 'gid', '5', 'h:1', '0', '0'], 'change'],
    [s0, ['init-vol', 'vol', '/dev/x'], 'destructive'],
    [a0, ['init-vol', 'vol'], 'change'],
    [a0, ['what'], 'change'],
    [a0, 'what', 'change'],
  ])('run_ctl is what its words are: %s %j', (s, words, effect) => {
    expect(effectOf('run_ctl', s, words)).toBe(effect);
  });

  test('commands lose what the calls of the controller lose', () => {
    const call = (args: unknown[]): Call => ({
      className: 'Controller',
      target: undefined,
      member: 'run_ctl',
      args,
    });
    const spec = specOf(call([a0, ['clear-vol', 'vol']]));
    if (spec.effect !== 'destructive') throw new Error('clear-vol loses nothing');
    expect(spec.need([])).toEqual({ kind: 'volume', volume: 'vol', servers: [a0] });
  });
});
