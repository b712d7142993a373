/** Small helpers of the wlog tests. */
import { expect } from 'vitest';
import type { ErrorCode } from '../../src/core/index.ts';

/** For `toThrow` and `rejects.toThrow`: the error must carry this code. */
export function withCode(code: ErrorCode): Error {
  return expect.objectContaining({ name: 'WalbError', code }) as Error;
}
