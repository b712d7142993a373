import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ControlRpc, grpcNetwork, handle, type TlsOptions } from '../../src/rpc/index.ts';
import { describeWith } from '../support/tools.ts';
import { networkSuite } from './network-suite.ts';

describeWith(['openssl'], 'mutual TLS', () => {
  let folder: string;
  let storage: TlsOptions;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'walb-tls-'));
    makeAuthority('ca');
    storage = certificate('ca', 's0', '/OU=storage/CN=s0');
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  function openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  }

  const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

  function makeAuthority(name: string): void {
    const out = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
    openssl('req', '-x509', ...NEW_KEY, ...out, '-days', '2', '-subj', `/CN=${name}`);
  }

  function certificate(authority: string, name: string, subject: string): TlsOptions {
    const request = ['-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject];
    openssl('req', ...NEW_KEY, ...request);
    writeFileSync(join(folder, 'ext'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    const signer = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial'];
    const files = ['-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', 'ext'];
    openssl('x509', '-req', ...files, ...signer, '-days', '2');
    const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
    return {
      ca: read('ca.pem'),
      certificate: read(`${name}.pem`),
      privateKey: read(`${name}.key`),
    };
  }

  /** Who the server takes the caller for. */
  async function whoIs(client: TlsOptions | undefined): Promise<unknown> {
    const server = grpcNetwork({ tls: storage });
    const listener = await server.listen('127.0.0.1:0', [
      handle(ControlRpc.getHostType, async (_, { identity }) => ({
        hostType: 'storage',
        nodeId: String(identity),
        instance: '',
      })),
    ]);
    const channel = grpcNetwork(client === undefined ? {} : { tls: client }).connect(
      listener.address,
      { clientId: 'x' },
    );
    try {
      return (await channel.unary(ControlRpc.getHostType, {})).nodeId;
    } catch (error) {
      return error;
    } finally {
      channel.close();
      listener.abort();
    }
  }

  test('names the caller by role and name of its certificate', async () => {
    expect(await whoIs(certificate('ca', 'p0', '/OU=proxy/CN=p0'))).toBe('proxy/p0');
    expect(await whoIs(certificate('ca', 'op', '/OU=controller/CN=ann@example'))).toBe(
      'controller/ann@example',
    );
  });

  test('refuses certificates without a role', async () => {
    for (const subject of ['/CN=p0', '/OU=guest/CN=p0', '/OU=proxy']) {
      const error = await whoIs(certificate('ca', 'bad', subject));
      expect(error).toMatchObject({ code: 'unauthenticated' });
    }
  });

  test('refuses certificates of another authority, and callers without one', async () => {
    makeAuthority('other');
    const foreign = certificate('other', 'evil', '/OU=storage/CN=s0');
    expect(await whoIs(foreign)).toMatchObject({ code: 'unavailable' });
    expect(await whoIs(undefined)).toMatchObject({ code: 'unavailable' });
  });

  test('refuses a server whose certificate is for another address', async () => {
    const listener = await grpcNetwork({ tls: storage }).listen('127.0.0.2:0', []);
    const channel = grpcNetwork({ tls: storage }).connect(listener.address, { clientId: 'x' });
    await expect(channel.unary(ControlRpc.getHostType, {})).rejects.toMatchObject({
      code: 'unavailable',
      message: /does not match certificate's altnames/,
    });
    channel.close();
    listener.abort();
  });

  networkSuite('gRPC over TLS', async () => {
    const server = grpcNetwork({ tls: storage });
    const client = grpcNetwork({ tls: certificate('ca', 'p0', '/OU=proxy/CN=p0') });
    return { server, client, address: 'localhost:0' };
  });
});
