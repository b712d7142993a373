/**
 * What the kernel driver says of a device in `/sys/block/walb!NAME/`, decoded from text (pure).
 *
 * Source: cli.md 3 (`lsids`: lines `name value`), semantics.md B.3.
 */
import { type Lb, WalbError } from '../../core/index.ts';
import type { Lsids } from '../volume-device.ts';

/** Paths of the kernel device called `name`. */
export interface KernelPaths {
  readonly name: string;
  readonly device: string;
  readonly logDevice: string;
  readonly sysfs: string;
}

const PREFIX = '/dev/walb/';

/** Throws `invalid-argument` unless `path` is `/dev/walb/NAME` (semantics.md B.1). */
export function kernelPaths(path: string): KernelPaths {
  const name = path.startsWith(PREFIX) ? path.slice(PREFIX.length) : '';
  if (!/^[^/\0]{1,31}$/.test(name) || name === '.' || name === '..') {
    throw new WalbError(
      'invalid-argument',
      `${path} is not the path of a walb device: ${PREFIX}NAME`,
      {
        details: { path },
      },
    );
  }
  return { name, device: path, logDevice: `${PREFIX}L${name}`, sysfs: `/sys/block/walb!${name}` };
}

/** Lines `name value` as a map; other lines are left out. */
function parseLines(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^(\S+)\s+(\S+)$/.exec(line.trim());
    if (match !== null) found.set(match[1]!, match[2]!);
  }
  return found;
}

function numberIn(values: Map<string, string>, name: string, file: string): bigint {
  const value = values.get(name);
  if (value !== undefined && /^[0-9]{1,20}$/.test(value)) return BigInt(value);
  throw new WalbError('corrupt', `${file}: ${name} is ${value ?? 'missing'}`, {
    details: { file, field: name },
  });
}

/** Decodes `walb/lsids`. The driver of 1.5.1 has no line `submitted`; `completed` bounds it from below. */
export function parseLsids(text: string, file: string): Lsids {
  const values = parseLines(text);
  const get = (name: string) => numberIn(values, name, file);
  const latest = get('latest');
  return {
    latest,
    submitted: values.has('submitted') ? get('submitted') : latest,
    flush: get('flush'),
    completed: get('completed'),
    permanent: get('permanent'),
    written: get('written'),
    prevWritten: get('prev_written'),
    oldest: get('oldest'),
  };
}

/** `log_overflow` of `walb/status`. */
export function parseOverflow(text: string, file: string): boolean {
  return numberIn(parseLines(text), 'log_overflow', file) !== 0n;
}

/** `size`: the device in logical blocks. */
export function parseSize(text: string, file: string): Lb {
  return Number(numberIn(new Map([['size', text.trim()]]), 'size', file));
}
