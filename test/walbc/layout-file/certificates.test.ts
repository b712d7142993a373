/** Certificates of a layout, made by the openssl of the machine. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkCertificates } from '../../../src/walbc/layout-file/certificates.ts';
import type { TlsFiles } from '../../../src/walbc/layout-file/loaded.ts';
import { describeWith } from '../../support/tools.ts';

describeWith(['openssl'], 'certificates of a layout', () => {
  let folder: string;
  const openssl = (...words: string[]): void =>
    void execFileSync('openssl', words, { cwd: folder, stdio: 'ignore' });
  const authority = (name: string): void =>
    openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`, '-days', '365'],
    );
  const signed = (name: string, role: string, days: string): void => {
    openssl(
      ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=ctl/OU=${role}`],
    );
    openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key'],
      ...['-CAcreateserial', '-out', `${name}.pem`, '-days', days],
    );
    chmodSync(join(folder, `${name}.key`), 0o600);
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'walbc-certificates-'));
    authority('ca');
    authority('other');
    signed('good', 'controller', '300');
    signed('short', 'controller', '10');
    signed('server', 'archive', '300');
    signed('nobody', 'guest', '300');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function check(files: Partial<TlsFiles>, now = new Date()): string[] {
    const names = { ca: 'ca.pem', certificate: 'good.pem', privateKey: 'good.key', ...files };
    const paths = Object.fromEntries(
      Object.entries(names).map(([key, name]) => [key, join(folder, name)]),
    ) as unknown as TlsFiles;
    const tls = Object.fromEntries(
      Object.entries(paths).map(([key, path]) => [key, readFileSync(path, 'utf8')]),
    ) as unknown as TlsFiles;
    return checkCertificates(tls, paths, now).map(
      ({ level, text }) => `${level}: ${text.replaceAll(`${folder}/`, '')}`,
    );
  }

  const later = (days: number): Date => new Date(Date.now() + days * 86_400_000);

  test('good ones have no findings', () => expect(check({})).toEqual([]));

  test('the wrong authority, the wrong key', () => {
    expect(check({ ca: 'other.pem' })).toEqual([
      'error: good.pem was not signed by other.pem: use the authority of the group',
    ]);
    expect(check({ privateKey: 'short.key' })).toEqual([
      'error: short.key is not the key of good.pem',
    ]);
  });

  test('dates: soon over, over, not yet', () => {
    const short = { certificate: 'short.pem', privateKey: 'short.key' };
    expect(check(short)).toEqual([
      expect.stringMatching(/^warning: short.pem expires in \d+ days/),
    ]);
    expect(check(short, later(20))).toEqual([
      expect.stringMatching(/^error: short.pem has expired/),
    ]);
    expect(check({}, later(-2))).toHaveLength(2);
  });

  test('what it is for', () => {
    expect(check({ certificate: 'server.pem', privateKey: 'server.key' })).toEqual([
      expect.stringMatching(/^warning: server.pem has OU=archive, that of a server/),
    ]);
    expect(check({ certificate: 'nobody.pem', privateKey: 'nobody.key' })).toEqual([
      expect.stringMatching(/^error: nobody.pem has OU=guest/),
    ]);
  });

  test('a key that others may read', () => {
    const open = join(folder, 'open.key');
    writeFileSync(open, readFileSync(join(folder, 'good.key')));
    chmodSync(open, 0o640);
    expect(check({ privateKey: 'open.key' })).toEqual([
      expect.stringMatching(/^warning: privateKey open.key can be read by others: chmod 600/),
    ]);
  });
});
