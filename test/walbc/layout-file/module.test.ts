/** Layout modules, read by the program itself: its module hooks are those of a real Node. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const WALBC = fileURLToPath(new URL('../../../bin/walbc', import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walbc-layout-module-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function show(
  name: string,
  text: string,
): { status: number | null; stdout: string; stderr: string } {
  writeFileSync(join(folder, name), text);
  const words = ['layout', 'show', '--layout', name];
  return spawnSync(WALBC, words, { cwd: folder, encoding: 'utf8' });
}

describe('a layout module', () => {
  test('exports sLayout, made with the package that reads it', () => {
    const { stdout, stderr } = show(
      'walb.ts',
      `import { K_ARCHIVE, ServerConnectionParam, ServerLayout } from 'walb-ts';
      const port: number = 10200;
      export const sLayout = new ServerLayout([], [], [new ServerConnectionParam('a0', 'a', port, K_ARCHIVE)]);`,
    );
    expect(stderr).toBe('');
    expect(stdout).toMatch(/walb.ts \(no TLS\)\n.*\na0 +archive +a:10200\n$/);
  });

  test('or a default; and tls with paths relative to it', () => {
    for (const name of ['ca', 'certificate', 'privateKey']) {
      writeFileSync(join(folder, `${name}.pem`), name);
    }
    const { stdout } = show(
      'other.mjs',
      `import { ServerLayout } from 'walb-ts';
      export default new ServerLayout([], [], []);
      export const tls = { ca: 'ca.pem', certificate: 'certificate.pem', privateKey: 'privateKey.pem' };`,
    );
    expect(stdout).toContain('other.mjs (mutual TLS)');
  });

  test.each([
    ['something.ts', 'export const sLayout = 5;', /must export sLayout.*it exports sLayout/],
    ['nothing.ts', 'export {};', /it exports nothing/],
    ['throws.ts', '\n\nthrow new Error("no");', /throws\.ts:3: Error: no/],
    ['broken.ts', 'const = 5;', /layout file .*broken\.ts.*: SyntaxError/],
    [
      'tls.ts',
      `import { ServerLayout } from 'walb-ts';\nexport const sLayout = new ServerLayout([], [], []);\nexport const tls = {};`,
      /tls: ca must be/,
    ],
  ])('%s is refused, and says why', (name, text, message) => {
    const { status, stderr } = show(name, text);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});
