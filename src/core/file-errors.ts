/**
 * Errors of file operations: one WalbError that names the operation and the path, with the system's
 * code in the details. RealFiles and the simulated disks throw the same ones.
 */
import { type ErrorCode, type ErrorDetail, WalbError } from './errors.ts';

/** Codes that mean something particular for a file; all others are mapped by `WalbError.from`. */
const FILE_CODES: Readonly<Record<string, ErrorCode>> = {
  EISDIR: 'invalid-argument',
  EINVAL: 'invalid-argument',
  ENAMETOOLONG: 'invalid-argument',
  ELOOP: 'invalid-argument',
  EFBIG: 'limit-exceeded',
  EMLINK: 'limit-exceeded',
  EOPNOTSUPP: 'unsupported',
  ENOTSUP: 'unsupported',
  EXDEV: 'unsupported',
  ENOTTY: 'unsupported',
  ETXTBSY: 'busy',
  EREMOTEIO: 'io',
  ESTALE: 'io',
  ENXIO: 'io',
  ENODEV: 'io',
};

const HINTS: Partial<Record<ErrorCode, string>> = {
  'no-space': 'free space on that file system or enlarge it, then retry',
  io: 'check the disk and the kernel log before trusting it again',
  'permission-denied': 'check owner and mode of the path and the user this program runs as',
  'limit-exceeded': 'raise the limit (for open files: ulimit -n) or use a larger file system',
};

export function systemCode(thrown: unknown): string | undefined {
  const code = thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** What an operation on `path` threw, as a WalbError: `cannot <operation> <path>: <why>; <hint>`. */
export function fileError(
  operation: string,
  path: string,
  thrown: unknown,
  details: Readonly<Record<string, ErrorDetail>> = {},
): WalbError {
  if (thrown instanceof WalbError) return thrown;
  const system = systemCode(thrown);
  const mapped = WalbError.from(thrown);
  const code = (system === undefined ? undefined : FILE_CODES[system]) ?? mapped.code;
  const hint = HINTS[code];
  const message = `cannot ${operation} ${path}: ${mapped.message}`;
  return new WalbError(code, hint === undefined ? message : `${message}; ${hint}`, {
    details: { path, operation, ...(system === undefined ? {} : { system }), ...details },
    cause: thrown,
  });
}

/** Runs one system call on `path`; what it throws becomes a `fileError`. */
export function attempt<T>(operation: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw fileError(operation, path, error);
  }
}

/** Refuses positions and lengths that are no count of bytes; a defect of the caller. */
export function assertRange(operation: string, path: string, position: number, length: number) {
  const fine =
    Number.isSafeInteger(position) &&
    position >= 0 &&
    Number.isSafeInteger(length) &&
    length >= 0 &&
    Number.isSafeInteger(position + length);
  if (fine) return;
  throw new WalbError(
    'invalid-argument',
    `cannot ${operation} ${path}: position ${position}, length ${length} is not a range of bytes`,
    { details: { path, operation, position, length } },
  );
}
