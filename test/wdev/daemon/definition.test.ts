import { describe, expect, test } from 'vitest';
import {
  decodeDefinition,
  deviceNameOf,
  devicePaths,
  encodeDefinition,
} from '../../../src/wdev/daemon/definition.ts';

const DEFINITION = { name: 'v0', log: '/dev/vg/log', data: '/x/data', port: 10809 };
const bytes = (text: string) => new TextEncoder().encode(text);

describe('definition of a device', () => {
  test('comes back as it was written', () => {
    expect(decodeDefinition(encodeDefinition(DEFINITION), 'v0', 'f')).toEqual(DEFINITION);
    const portless = { ...DEFINITION, port: undefined };
    expect(decodeDefinition(encodeDefinition(portless), 'v0', 'f')).toEqual(portless);
  });

  test.each([
    ['empty', ''],
    ['not JSON', '{'],
    ['not an object', '7'],
    ['null', 'null'],
    ['another version', '{"version":2,"name":"v0","log":"a","data":"b"}'],
    ['another device', '{"version":1,"name":"v1","log":"a","data":"b"}'],
    ['no log', '{"version":1,"name":"v0","data":"b"}'],
    ['a log that is a number', '{"version":1,"name":"v0","log":1,"data":"b"}'],
    ['a port of text', '{"version":1,"name":"v0","log":"a","data":"b","port":"1"}'],
    ['a port beyond TCP', '{"version":1,"name":"v0","log":"a","data":"b","port":65536}'],
    ['bytes that are no UTF-8', '\u0000'],
  ])('%s is corrupt and names the file', (_what, text) => {
    expect(() => decodeDefinition(bytes(text), 'v0', '/d/v0/device.json')).toThrow(
      expect.objectContaining({
        code: 'corrupt',
        message: expect.stringContaining('/d/v0/device.json'),
      }),
    );
  });

  test('names: /dev/walb/NAME and NAME, never a path out of the directory', () => {
    expect(deviceNameOf('/dev/walb/7')).toBe('7');
    expect(deviceNameOf('vol-1.a_b')).toBe('vol-1.a_b');
    for (const path of ['/dev/vg/lv', './v0', 'a/b', '..', '.x', '-x', 'n'.repeat(32), '']) {
      expect(deviceNameOf(path)).toBeUndefined();
    }
    for (const path of ['/dev/walb/', '/dev/walb/../x', '/dev/walb/a/b']) {
      expect(() => deviceNameOf(path)).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    }
  });

  test('a directory too deep for unix sockets is refused before anything is made', () => {
    expect(() => devicePaths(`/${'d'.repeat(91)}`, 'v0')).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringContaining('shorter'),
      }),
    );
  });
});
