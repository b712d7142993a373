/** The guard: dry runs without side effects, questions, the audit log. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Channel, type Network, WalbError } from '../../../src/core/index.ts';
import { RealClock } from '../../../src/core/real-clock.ts';
import {
  Controller,
  Device,
  K_ARCHIVE,
  K_PROXY,
  K_STORAGE,
  ServerConnectionParam,
  ServerLayout,
} from '../../../src/walbc/index.ts';
import { AuditLog, readAudit } from '../../../src/walbc/safety/audit-log.ts';
import { type Call, specOf, TABLE_NAMES } from '../../../src/walbc/safety/calls.ts';
import { type Answer, Guard, type Question } from '../../../src/walbc/safety/guard.ts';
import { Plan } from '../../../src/walbc/safety/plan.ts';
import { Keywords, toPositional } from '../../../src/walbc/shell/keywords.ts';
import { dryRunPlaceIn, mainLibrary } from '../../../src/walbc/shell/main-library.ts';

const library = mainLibrary({});
const s0 = new ServerConnectionParam('s0', 'localhost', 10_000, K_STORAGE);
const p0 = new ServerConnectionParam('p0', 'localhost', 10_100, K_PROXY);
const a0 = new ServerConnectionParam('a0', 'localhost', 10_200, K_ARCHIVE);
const a1 = new ServerConnectionParam('a1', 'localhost', 10_201, K_ARCHIVE);

/** Answers every query with nothing in it, and remembers what was called. */
class EmptyNetwork implements Network {
  readonly paths = new Set<string>();

  connect(address: string): Channel {
    const { paths } = this;
    return {
      address,
      async unary(method) {
        paths.add(method.path.split('/').at(-1)!);
        return method.response.decode(new Uint8Array());
      },
      serverStream: (method) => {
        paths.add(method.path);
        throw new WalbError('unsupported', 'no streams here');
      },
      bidi: (method) => {
        paths.add(method.path);
        throw new WalbError('unsupported', 'no streams here');
      },
      close: () => {},
    };
  }

  listen(): never {
    throw new WalbError('unsupported', 'nothing listens here');
  }
}

let folder: string;
let network: EmptyNetwork;
let walbc: Controller;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-guard-'));
  network = new EmptyNetwork();
  walbc = new Controller('walbc', new ServerLayout([s0], [p0], [a0, a1]), false, 0, {
    network,
    print: () => {},
  });
});
afterEach(() => rmSync(folder, { recursive: true }));

const auditFile = (): string => join(folder, 'audit.log');

function guardWith(answers: Answer[] = [], questions: Question[] = []): Guard {
  return new Guard({
    audit: new AuditLog({
      file: auditFile(),
      origin: { user: 'op', host: 'h', pid: 1, interface: 'shell', layout: '' },
      warn: (text) => {
        throw new Error(text);
      },
    }),
    clock: new RealClock(),
    dryRunPlace: dryRunPlaceIn(library),
    isConfirmOn: () => walbc.confirm,
    ask: async (question) => {
      questions.push(question);
      return answers.shift() ?? 'no';
    },
  });
}

function call(member: string, ...args: unknown[]): Call {
  return { className: 'Controller', target: walbc, member, args };
}

/** As the shell passes it on: `dry_run` at its place, behind all others. */
function dry({ className, member, args, ...rest }: Call): Call {
  const { params } = library.remotes[className]!.shape.members.find((m) => m.name === member)!;
  const signature = { className, name: member, params };
  const given = [...args, new Keywords({ dry_run: true })];
  return { ...rest, className, member, args: toPositional(given, signature) };
}

/** Plausible arguments of every call that may lose something. */
const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = {
  _apply_all: [a0, 'vol'],
  _del_restored_all: [a0, 'vol'],
  _force_clear: ['vol'],
  _init: [s0, 'vol', '/dev/x'],
  _prepare_backup: [s0, 'vol'],
  apply: [a0, 'vol', 5],
  clear: [a0, 'vol'],
  close_export: [a0, 'e1'],
  del_archive_from_proxy: [p0, 'vol', a0],
  del_cold: [a0, 'vol', 5],
  del_restored: [a0, 'vol', 5],
  disable_snapshot: [a0, 'vol', [5]],
  full_backup: [s0, 'vol'],
  gc_diff: [a0, 'vol'],
  go_standby: [s0, 'vol'],
  hash_backup: [s0, 'vol'],
  init_storage: [s0, 'vol', '/dev/x'],
  merge: [a0, 'vol', 1, 5],
  replicate: [a0, 'vol', a1, true, 10, true],
  replicate_once: [a0, 'vol', a1, 10, true],
  replicate_once_nbk: [a0, 'vol', a1, true],
  reset: [a0, 'vol'],
  resize: ['vol', 64],
  resize_archive: [a0, 'vol', 64, false],
  resize_storage: [s0, 'vol', 64],
  run_ctl: [a0, ['clear-vol', 'vol']],
  shutdown: [p0],
  shutdown_all: [],
  shutdown_list: [[p0]],
  stop: [s0, 'vol', 'force'],
  stop_nbk: [s0, 'vol', 'force'],
  stop_synchronizing: [a0, 'vol'],
};

const argumentsOf = (member: string): readonly unknown[] =>
  Object.hasOwn(ARGUMENTS, member) ? ARGUMENTS[member]! : [];

const effectOf = (member: string): string => specOf(call(member, ...argumentsOf(member))).effect;
const CHANGING = TABLE_NAMES.Controller.filter((member) => effectOf(member) !== 'read');

describe('dry_run=True', () => {
  test('the calls tried below are all that may lose something', () => {
    const destructive = CHANGING.filter((member) => effectOf(member) === 'destructive');
    expect(destructive.sort()).toEqual(Object.keys(ARGUMENTS).sort());
  });

  test.each(CHANGING)('%s only asks', async (member) => {
    const args = argumentsOf(member);
    const plan = await guardWith().run(dry(call(member, ...args)), async () => {
      throw new Error('it was done');
    });
    expect(plan).toBeInstanceOf(Plan);
    expect(String(plan)).toMatch(new RegExp(`^walbc\\.${member}\\(`));
    const queries = [...network.paths].filter((path) => /^(Get|List|Status$|Is|Exists)/.test(path));
    expect([...network.paths]).toEqual(queries);
    const records = readAudit(auditFile());
    expect(records.map(({ event, dryRun }) => [event, dryRun])).toEqual([
      ['begin', true],
      ['end', true],
    ]);
  });

  test.each(['format_ldev', 'reset', 'delete', 'resize', 'create'])(
    'Device.%s only looks at the device',
    async (member) => {
      const ran: string[] = [];
      const device = new Device('0', '/dev/log', '/dev/data', '/bin/wdevc', async ([program]) => {
        ran.push(program!);
        return '1';
      });
      const given = { className: 'Device', target: device, member, args: [] };
      const plan = await guardWith().run(dry(given), async () => {
        throw new Error('it was done');
      });
      expect(plan).toBeInstanceOf(Plan);
      expect(ran.filter((program) => !['/bin/sh', '/bin/cat'].includes(program))).toEqual([]);
    },
  );

  test('takes True and False only, and False is a usual call', async () => {
    const perform = async (args: readonly unknown[]): Promise<unknown> => args;
    const guard = guardWith();
    await expect(guard.run(call('kick_storage_all', 5), perform)).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    expect(await guard.run(call('kick_storage_all', false), perform)).toEqual([]);
  });
});

describe('the question', () => {
  const perform = async (): Promise<string> => 'done';
  const clear = (): Call => call('clear', s0, 'vol');
  // A server that does not tell what it holds: nobody knows what would be lost.

  test('yes does it, no and anything else does nothing', async () => {
    const questions: Question[] = [];
    const guard = guardWith(['yes', 'no'], questions);
    expect(await guard.run(clear(), perform)).toBe('done');
    await expect(guard.run(clear(), perform)).rejects.toThrow(
      "nothing was done: walbc.clear(s0, 'vol') was not confirmed",
    );
    expect(questions.map(({ isRepeated }) => isRepeated)).toEqual([false, true]);
    expect(questions[0]?.text).toContain("walbc.clear(s0, 'vol')");
    const endings = readAudit(auditFile()).filter(({ event }) => event === 'end');
    expect(endings.map(({ result, declined }) => [result, declined])).toEqual([
      ["'done'", undefined],
      [undefined, true],
    ]);
  });

  test('all: yes to the rest of this input, not to the next one', async () => {
    const questions: Question[] = [];
    const guard = guardWith(['all', 'yes'], questions);
    for (let i = 0; i < 3; i += 1) await guard.run(clear(), perform);
    expect(questions).toHaveLength(1);
    guard.beginInput();
    await guard.run(clear(), perform);
    expect(questions.map(({ isRepeated }) => isRepeated)).toEqual([false, false]);
  });

  test('walbc.confirm = False switches it off, True on again', async () => {
    const questions: Question[] = [];
    const guard = guardWith([], questions);
    walbc.confirm = false;
    expect(await guard.run(clear(), perform)).toBe('done');
    walbc.confirm = true;
    await expect(guard.run(clear(), perform)).rejects.toMatchObject({ code: 'cancelled' });
    expect(questions).toHaveLength(1);
    expect(() => Reflect.set(walbc, 'confirm', 1)).toThrow('confirm is True or False');
  });

  test('calls that lose nothing are not asked about', async () => {
    const questions: Question[] = [];
    const guard = guardWith([], questions);
    expect(await guard.run(call('snapshot_nbk', s0, 'vol'), perform)).toBe('done');
    expect(await guard.run(call('get_state', s0, 'vol'), perform)).toBe('done');
    expect(questions).toEqual([]);
  });

  test('Ctrl-C while the servers are asked, or at the question: nothing is done', async () => {
    const guard = guardWith();
    const done = guard.run(clear(), perform);
    guard.interrupt();
    await expect(done).rejects.toMatchObject({ code: 'cancelled' });
    const asked = new Guard({
      audit: new AuditLog({
        file: auditFile(),
        origin: { user: 'op', host: 'h', pid: 1, interface: 'shell', layout: '' },
        warn: () => {},
      }),
      clock: new RealClock(),
      dryRunPlace: () => undefined,
      ask: async () => {
        asked.interrupt();
        return 'yes';
      },
    });
    await expect(asked.run(clear(), perform)).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('the audit log', () => {
  test('is written before the call, and after it', async () => {
    await guardWith(['yes']).run(call('clear', s0, 'vol'), async () => {
      const [record] = readAudit(auditFile());
      expect(record).toMatchObject({ event: 'begin', call: "walbc.clear(s0, 'vol')", user: 'op' });
      return undefined;
    });
    expect(readAudit(auditFile()).map(({ event }) => event)).toEqual(['begin', 'end']);
  });

  test('knows errors, and calls that Ctrl-C ended', async () => {
    const guard = guardWith();
    const fails = async (): Promise<never> => {
      throw new WalbError('wrong-state', 'it is Stopped');
    };
    await expect(guard.run(call('snapshot', s0, 'vol', [a0]), fails)).rejects.toThrow();
    const interrupted = async (): Promise<never> => {
      guard.interrupt();
      throw new WalbError('cancelled', 'interrupted');
    };
    await expect(guard.run(call('restore', a0, 'vol', 5), interrupted)).rejects.toThrow();
    const endings = readAudit(auditFile()).filter(({ event }) => event === 'end');
    expect(endings).toMatchObject([
      { error: { code: 'wrong-state', message: 'it is Stopped' } },
      { error: { code: 'cancelled' }, interrupted: true },
    ]);
    expect(endings[0]).not.toHaveProperty('interrupted');
  });

  test('does not hold queries', async () => {
    await guardWith().run(call('get_state', s0, 'vol'), async () => 'Target');
    expect(() => readFileSync(auditFile())).toThrow('ENOENT');
  });
});
