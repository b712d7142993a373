/**
 * What walbc remembers (history, audit log, runbooks) goes to a folder of this test run: nothing is
 * written where the person who runs the tests keeps theirs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let folder = '';

export function setup(): void {
  folder = mkdtempSync(join(tmpdir(), 'walb-test-state-'));
  process.env['XDG_STATE_HOME'] = folder;
  delete process.env['WALB_AUDIT_LOG'];
}

export function teardown(): void {
  rmSync(folder, { recursive: true, force: true });
}
