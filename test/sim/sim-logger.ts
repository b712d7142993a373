/** Logs of a simulated process go into the trace, where they stand between the calls they explain. */
import { WalbError } from '../../src/core/errors.ts';
import type { LogFields, Logger } from '../../src/core/logger.ts';

export function simLogger(add: (line: string) => void, fields: LogFields = {}): Logger {
  const line = (level: string) => (more: LogFields, message: string) =>
    add(`log ${level} "${message}" ${text({ ...fields, ...more })}`);
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: (more) => simLogger(add, { ...fields, ...more }),
  };
}

/** Without stacks: they hold paths of this machine, and a trace is the same on every one. */
function text(fields: LogFields): string {
  return JSON.stringify(fields, (_name, value: unknown) => {
    if (typeof value === 'bigint') return value.toString();
    if (value instanceof WalbError) return `${value.code}: ${value.message}`;
    return value instanceof Error ? `${value.name}: ${value.message}` : value;
  });
}
