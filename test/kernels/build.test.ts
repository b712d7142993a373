import { expect, test } from 'vitest';
import { buildKernels, committedKernels } from '../../tools/build-kernels.ts';

test('the committed kernels are what their sources compile to', async () => {
  expect(Buffer.compare(await buildKernels(), committedKernels())).toBe(0);
});
