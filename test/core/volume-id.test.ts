// cli.md 1.3: VOL.
import { describe, expect, it } from 'vitest';
import { checkVolumeId, isVolumeId } from '../../src/core/index.ts';

describe('volume id', () => {
  it.each(['0', 'vol-1', 'A'.repeat(64), '-'])('accepts %s', (text) => {
    expect(checkVolumeId(text)).toBe(text);
  });

  it.each(['', 'a_b', 'a/b', '..', 'a b', 'a\n', 'ä', 'A'.repeat(65)])('refuses %j', (text) => {
    expect(isVolumeId(text)).toBe(false);
    expect(() => checkVolumeId(text)).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });
});
