import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { describeGolden, golden } from './golden.ts';

describeGolden('golden folder', () => {
  test('reads plain and compressed files by the same kind of name', () => {
    const image = golden.read('image/base-16M.img');
    expect(image.length).toBe(golden.expected.base.size);
    expect(createHash('sha256').update(image).digest('hex')).toBe(golden.expected.base.sha256);
    expect(golden.read('bad/bad-header.wdiff').length).toBeGreaterThan(32);
  });

  test('lists names without the compression suffix', () => {
    expect(golden.list('image')).toContain('base-16M.img');
  });

  test('says which file is missing', () => {
    expect(() => golden.path('wdiff/none-such.wdiff')).toThrow('none-such');
  });
});
