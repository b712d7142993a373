import { beforeEach, describe, expect, it } from 'vitest';
import {
  cleanTemporary,
  commitTemporary,
  createTemporary,
  type DurableEnv,
  discardTemporary,
  isTemporaryName,
  listTemporary,
  MAX_SMALL_FILE,
  makeDirectoryDurably,
  parentOf,
  readFileIfExists,
  readSmallFile,
  removeDurably,
  renameDurably,
  writeFileDurably,
} from '../../src/core/durable.ts';
import { hasCode } from '../../src/core/errors.ts';
import { SimFiles } from '../sim/sim-files.ts';
import { SimHost } from '../sim/sim-host.ts';
import { ProcessKilled } from '../sim/sim-process.ts';
import { SimRandom } from '../sim/sim-random.ts';

/** A process on one disk that can be killed at its n-th call. */
class Machine {
  readonly host: SimHost;
  readonly random: SimRandom;
  calls = 0;
  dieAt = Number.POSITIVE_INFINITY;

  constructor(seed: string) {
    this.random = new SimRandom(seed);
    this.host = new SimHost({ name: 'h', random: this.random, elapsed: () => 0 });
    this.host.disk.makeDirectory('/d');
    this.host.disk.settle();
  }

  env(): DurableEnv {
    const enter = () => {
      if (++this.calls >= this.dieAt) throw new ProcessKilled('dead');
    };
    const latency = async () => enter();
    const files = new SimFiles(this.host.disk, { enter, latency, work: () => {}, now: () => 0 });
    return { files, random: this.random };
  }

  /** Runs a story that dies at its n-th call, loses power, and comes up again. */
  async cutPowerAt(call: number, story: (env: DurableEnv) => Promise<unknown>): Promise<boolean> {
    this.calls = 0;
    this.dieAt = call;
    const survived = await story(this.env()).then(
      () => true,
      (error) => {
        if (!(error instanceof ProcessKilled)) throw error;
        return false;
      },
    );
    this.host.disk.powerCut();
    this.dieAt = Number.POSITIVE_INFINITY;
    return survived;
  }
}

/** Tries every call of the story as the last one, with many seeds each. */
async function atEveryCrash(
  prepare: (env: DurableEnv) => Promise<unknown>,
  story: (env: DurableEnv) => Promise<unknown>,
  check: (env: DurableEnv, survived: boolean) => void,
): Promise<void> {
  let finished = false;
  for (let call = 1; !finished; call++) {
    for (let seed = 0; seed < 40; seed++) {
      const machine = new Machine(`${call}/${seed}`);
      await prepare(machine.env());
      const survived = await machine.cutPowerAt(call, story);
      check(machine.env(), survived);
      finished = survived;
    }
  }
}

const text = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString();
const put = (content: string) => (env: DurableEnv) =>
  writeFileDurably(env, '/d/f', Buffer.from(content));

describe('after a power cut at any call (A.7)', () => {
  it('a file written durably is old or new, and new once the write resolved', async () => {
    await atEveryCrash(put('old'), put('new and longer'), ({ files }, survived) => {
      const found = text(readFileIfExists(files, '/d/f'));
      expect(survived ? ['new and longer'] : ['old', 'new and longer']).toContain(found);
      cleanTemporary(files, '/d');
      expect(files.list('/d')).toEqual(['f']);
    });
  });

  it('a new file is absent or whole', async () => {
    const nothing = async () => {};
    await atEveryCrash(nothing, put('new'), ({ files }, survived) => {
      const found = text(readFileIfExists(files, '/d/f'));
      expect(survived ? ['new'] : [undefined, 'new']).toContain(found);
    });
  });

  it('a file removed durably stays removed', async () => {
    const remove = ({ files }: DurableEnv) => removeDurably(files, '/d/f');
    await atEveryCrash(put('x'), remove, ({ files }, survived) => {
      expect(survived ? [undefined] : [undefined, 'x']).toContain(
        text(readFileIfExists(files, '/d/f')),
      );
    });
  });

  it('a file moved to another directory is in one of the two', async () => {
    const prepare = async (env: DurableEnv) => {
      await makeDirectoryDurably(env.files, '/e/inner');
      await put('x')(env);
    };
    const move = ({ files }: DurableEnv) => renameDurably(files, '/d/f', '/e/inner/g');
    await atEveryCrash(prepare, move, ({ files }, survived) => {
      const places = [files.list('/d'), files.list('/e/inner')];
      expect(
        survived
          ? [[[], ['g']]]
          : [
              [['f'], []],
              [[], ['g']],
            ],
      ).toContainEqual(places);
    });
  });

  it('directories made durably stay', async () => {
    const make = ({ files }: DurableEnv) => makeDirectoryDurably(files, '/x/y/z');
    const nothing = async () => {};
    await atEveryCrash(nothing, make, ({ files }, survived) => {
      if (survived) expect(files.info('/x/y/z')?.kind).toBe('directory');
    });
  });
});

describe('without a crash', () => {
  let machine: Machine;
  let env: DurableEnv;
  beforeEach(() => {
    machine = new Machine('1');
    env = machine.env();
  });

  it('reads what was written, and undefined or not-found otherwise', async () => {
    await put('')(env);
    expect(text(readFileIfExists(env.files, '/d/f'))).toBe('');
    await put('abc')(env);
    expect(text(readSmallFile(env.files, '/d/f'))).toBe('abc');
    expect(readFileIfExists(env.files, '/d/none')).toBeUndefined();
    expect(() => readSmallFile(env.files, '/d/none')).toThrow(/\/d\/none does not exist/);
  });

  it('refuses files larger than the bound', async () => {
    await put('0123456789')(env);
    expect(() => readSmallFile(env.files, '/d/f', 9)).toThrow(/10 bytes, more than the 9/);
    expect(text(readSmallFile(env.files, '/d/f', 10))).toBe('0123456789');
    env.files.open('/d/f', 'update').truncate(MAX_SMALL_FILE + 1);
    expect(() => readFileIfExists(env.files, '/d/f')).toThrow(/more than the/);
  });

  it.each(['write', 'sync', 'rename'] as const)(
    'leaves the old file and nothing else when the %s fails',
    async (operation) => {
      await put('old')(env);
      machine.host.disk.faults.add({ operation, code: 'EIO' });
      await expect(put('new')(env)).rejects.toSatisfy((error) => hasCode(error, 'io'));
      machine.host.disk.faults.clear();
      expect(env.files.list('/d')).toEqual(['f']);
      expect(text(readFileIfExists(env.files, '/d/f'))).toBe('old');
    },
  );

  it('reports a failed directory sync: the new file may not last', async () => {
    machine.host.disk.faults.add({ operation: 'sync-directory', code: 'EIO' });
    await expect(put('new')(env)).rejects.toSatisfy((error) => hasCode(error, 'io'));
  });

  it('removes what is gone already, and reports a missing directory', async () => {
    await removeDurably(env.files, '/d/none');
    await expect(put('x')({ ...env, files: env.files })).resolves.toBeUndefined();
    const elsewhere = writeFileDurably(env, '/none/f', new Uint8Array(1));
    await expect(elsewhere).rejects.toSatisfy((error) => hasCode(error, 'not-found'));
  });

  it('makes large files under a temporary name', async () => {
    const handle = createTemporary(env, '/d');
    expect(isTemporaryName(handle.path.slice('/d/'.length))).toBe(true);
    expect(listTemporary(env.files, '/d')).toHaveLength(1);
    handle.write(Buffer.from('large'), 0);
    await commitTemporary(env.files, handle, '/d/large');
    expect(text(readSmallFile(env.files, '/d/large'))).toBe('large');
    discardTemporary(env.files, createTemporary(env, '/d'));
    expect(env.files.list('/d')).toEqual(['large']);
  });

  it('tries another temporary name when one is taken, but not for ever', () => {
    const random = { u32: () => 0, bytes: () => new Uint8Array(0) };
    createTemporary({ files: env.files, random }, '/d').close();
    expect(env.files.list('/d')).toEqual(['tmpAAAAAA']);
    expect(() => createTemporary({ files: env.files, random }, '/d')).toThrow(/EEXIST/);
  });

  it('cleans leftovers only', async () => {
    for (const name of ['tmpAb3xY9', 'tmpAb3xY', 'tmpAb3xY99', 'tmp-b3xY9', 'atmpb3xY9']) {
      env.files.open(`/d/${name}`, 'create').close();
    }
    expect(cleanTemporary(env.files, '/d')).toEqual(['tmpAb3xY9']);
    expect(env.files.list('/d')).toEqual(['atmpb3xY9', 'tmp-b3xY9', 'tmpAb3xY', 'tmpAb3xY99']);
    expect(cleanTemporary(env.files, '/none')).toEqual([]);
  });

  it.each([
    ['/a/b', '/a'],
    ['/a/b/', '/a'],
    ['/a', '/'],
    ['/', '/'],
    ['a', '.'],
    ['a/b', 'a'],
  ])('knows the parent of %s', (path, parent) => expect(parentOf(path)).toBe(parent));
});
