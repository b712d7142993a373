/** Programs run for remote `exec` (cli.md 1.4). */
import { describe, expect, it } from 'vitest';
import { spawnProgram } from '../../src/server/program-exec.ts';

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: unknown;
}

async function run(program: string, ...args: string[]): Promise<Ended> {
  const texts = { stdout: '', stderr: '' };
  let exit: unknown;
  for await (const { output } of spawnProgram({ program, arguments: args })) {
    if (output?.$case === 'exit') exit = output.value;
    else if (output !== undefined) texts[output.$case] += Buffer.from(output.value).toString();
  }
  return { ...texts, exit };
}

const sh = (script: string): Promise<Ended> => run('/bin/sh', '-c', script);

describe('spawnProgram', () => {
  it('gives both outputs and how it ended', async () => {
    // Often: what is read late must not be lost when the program ends at once.
    for (let i = 0; i < 20; i += 1) {
      expect(await sh('echo out; echo err >&2; exit 3')).toEqual({
        stdout: 'out\n',
        stderr: 'err\n',
        exit: { code: 3, signal: '' },
      });
    }
    expect(await sh(':')).toEqual({ stdout: '', stderr: '', exit: { code: 0, signal: '' } });
    expect(await sh('kill -9 $$')).toMatchObject({ exit: { code: -1, signal: 'SIGKILL' } });
  });

  it('reads both at once: neither can block the other', async () => {
    const many = 'head -c 300000 /dev/zero | tr "\\0"';
    const { stdout, stderr } = await sh(`${many} e >&2; ${many} o; ${many} E >&2`);
    expect([stdout.length, stderr.length]).toEqual([300_000, 600_000]);
  });

  it('keeps a bound on what nobody reads yet', async () => {
    const output = spawnProgram({ program: '/bin/cat', arguments: ['/dev/zero'] });
    const first = await output.next();
    expect(first.value.output?.$case).toBe('stdout');
    // `cat` meets a closed pipe.
    await output.return(undefined);
    expect(await output.next()).toEqual({ done: true, value: undefined });
  });

  it('throws when the program can not be started', async () => {
    await expect(run('/no/such/program')).rejects.toThrow('cannot run /no/such/program');
  });
});
