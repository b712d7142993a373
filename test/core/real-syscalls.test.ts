import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RealFiles } from '../../src/core/real-files.ts';
import { discardBlocks } from '../../src/core/real-syscalls.ts';

let directory: string;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'walb-syscalls-'));
});

afterEach(() => fs.rmSync(directory, { recursive: true }));

/** What discards do to a device is tested on one (test/rig). */
describe('discards', () => {
  it('are refused by a file, which keeps what it holds', () => {
    const file = path.join(directory, 'file');
    fs.writeFileSync(file, 'content');
    const fd = fs.openSync(file, 'r+');
    try {
      expect(() => discardBlocks(fd, 0, 4096)).toThrow(/^ENOTTY: .*, ioctl$/);
    } finally {
      fs.closeSync(fd);
    }
    expect(fs.readFileSync(file, 'utf8')).toBe('content');
  });

  it('are not tried on a file that is opened as a thin volume: it is punched', () => {
    const handle = new RealFiles().open(path.join(directory, 'file'), 'create', {
      isThinVolume: true,
    });
    handle.write(Buffer.alloc(300 * 1024, 7), 0);
    handle.punch(1000, 200 * 1024);
    const expected = Buffer.alloc(300 * 1024, 7).fill(0, 1000, 1000 + 200 * 1024);
    const found = Buffer.alloc(expected.length);
    expect(handle.read(found, 0)).toBe(expected.length);
    expect(found.equals(expected)).toBe(true);
    handle.close();
  });
});
