/** Small helpers of the wlog tests. */
import { expect } from 'vitest';
import type { ErrorCode } from '../../src/core/index.ts';
import { type GenerateOptions, generateWlog } from '../../src/wlog/index.ts';

/** For `toThrow` and `rejects.toThrow`: the error must carry this code. */
export function withCode(code: ErrorCode): Error {
  return expect.objectContaining({ name: 'WalbError', code }) as Error;
}

/** A whole generated wlog. */
export function generated(
  options: Partial<GenerateOptions> & { readonly seed: number },
): Uint8Array {
  const parts: Buffer[] = [];
  for (const piece of generateWlog(options)) parts.push(Buffer.from(piece));
  return new Uint8Array(Buffer.concat(parts));
}
