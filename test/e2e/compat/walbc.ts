/** The command line `walbc` at real servers, as scripts use it. */
import { expect } from 'vitest';
import type { ServerParam } from '../../../src/walbc/index.ts';
import { type Outcome, walbc } from '../../support/walbc.ts';
import { type Cluster, SOON, VOLUME } from '../scenarios/support/cluster.ts';
import { until } from '../support.ts';

/** As the Python library calls it; `-retry 0` where it is allowed keeps refusals short. */
export function at({ address, port }: ServerParam, ...words: string[]): Promise<Outcome> {
  const retry = words[0] === 'get' || words[0] === 'status' ? ['-retry', '0'] : [];
  return walbc('-id', 'ctl', '-a', address, '-p', String(port), ...retry, ...words);
}

/** stdout of a command that succeeds, and says nothing on stderr. */
export async function answer(server: ServerParam, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await at(server, ...words);
  expect({ words, code, stderr }).toEqual({ words, code: 0, stderr: '' });
  return stdout;
}

/** `2026-01-02 03:04:05.678 ERROR walbc error: `, UTC. */
const FAILURE = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ERROR walbc error: (.*)\n$/;

/** The message of a command that fails: exit code 1, one line on stderr, nothing on stdout. */
export async function refusal(server: ServerParam, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await at(server, ...words);
  expect({ words, code, stdout }).toEqual({ words, code: 1, stdout: '' });
  expect(stderr).toMatch(FAILURE);
  return FAILURE.exec(stderr)?.[1] as string;
}

const HOLES: Readonly<Record<string, string>> = {
  time: '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d',
  digits: '\\d{14}',
  hex: '[0-9a-f]{32}',
  salt: '[0-9a-f]{8}',
  n: '\\d+',
  int: '-?\\d+',
  sec: '\\d+\\.\\d{6}',
};

/** Lines with holes such as `{time}` as a pattern for the whole of a text. */
export function pattern(...lines: string[]): RegExp {
  const source = lines
    .map((line) => {
      const escaped = line.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&');
      return `${escaped.replaceAll(/\{(\w+)\}/g, (_, name: string) => HOLES[name] as string)}\n`;
    })
    .join('');
  return new RegExp(`^${source}$`);
}

/** The reason of a command line that does not parse: exit code 1, reason and usage on stdout. */
export async function misuse(server: ServerParam, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await at(server, ...words);
  expect({ words, code, stderr }).toEqual({ words, code: 1, stderr: '' });
  const [reason = '', usage] = stdout.split('\n');
  expect(usage).toBe('usage: walbc [OPTION...] COMMAND [ARGS...]');
  return reason;
}

/**
 * Writes, and takes a snapshot that nothing comes before: the storage finds both when it is let go on,
 * and it takes implicit snapshots a moment after log has come. Returns the gid once a0 has it.
 */
export async function writeAndSnapshot(cluster: Cluster): Promise<bigint> {
  const { walbc: controller, s0, a0 } = cluster;
  await answer(s0, 'kick');
  await until('the storage has nothing to do', async () =>
    (await answer(s0, 'status')).includes('-----TaskQueue-----\n-----Volume-----'),
  );
  const pid = Number(await answer(s0, 'get', 'pid'));
  await controller.get_state(s0, VOLUME);
  process.kill(pid, 'SIGSTOP');
  let taken: Promise<bigint>;
  try {
    await cluster.disk().write(4096, 0);
    taken = controller.snapshot_nbk(s0, VOLUME);
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const gid = await taken;
  await controller.wait_for_restorable(a0, VOLUME, gid, SOON);
  return gid;
}
