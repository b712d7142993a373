/** A host that is off answers nothing: whoever has given it up must be able to end. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { blackHole } from '../support/black-hole.ts';

const CALL = `
  const { grpcNetwork } = await import(process.argv[1]);
  const { ControlRpc } = await import(process.argv[2]);
  const network = grpcNetwork({ connectTimeout: 300 });
  const channel = network.connect(process.argv[3], { clientId: 'test' });
  const outcomes = [];
  for (let i = 0; i < 2; i++) {
    await channel.unary(ControlRpc.status, { volume: '' }, { timeout: 5000 }).catch(({ code }) => outcomes.push(code));
  }
  channel.close();
  process.stdout.write(outcomes.join(' '));
`;

test('a program ends although its connection attempts would go on', async () => {
  using hole = await blackHole();
  // Otherwise it is no black hole, and the test shows nothing.
  const probe = connect(hole.port, '127.0.0.1').on('error', () => {});
  await sleep(200);
  expect(probe.connecting).toBe(true);
  probe.destroy();

  const modules = ['grpc-network', 'methods'].map(
    (name) => new URL(`../../src/rpc/${name}.ts`, import.meta.url).href,
  );
  const words = ['--input-type=module', '-e', CALL, ...modules, `127.0.0.1:${hole.port}`];
  const { stdout, exitCode } = await execa(process.execPath, words, { timeout: 30_000 });
  expect([exitCode, stdout]).toEqual([0, 'unavailable unavailable']);
}, 60_000);
