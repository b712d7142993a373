/**
 * Lines of the audit log: JSON, one before a call that changes something begins and one after it. Each
 * stands for itself; the second repeats the first, so that `grep` finds all there is to a call.
 */
import { WalbError } from '../../core/index.ts';

/** How the call came about. */
export type Interface =
  /** Typed at the prompt. */
  | 'shell'
  /** `walbc -c`. */
  | 'command'
  /** `walbc < script`. */
  | 'script'
  /** `walbc run`. */
  | 'run'
  /** `walbc -a ADDR -p PORT COMMAND`. */
  | 'one-shot'
  /** `walb worker`, `walb prune`. */
  | 'worker'
  | 'prune';

/** Who and where. */
export interface Origin {
  readonly user: string;
  /** Who became root by sudo. */
  readonly sudoUser?: string;
  readonly host: string;
  readonly pid: number;
  readonly interface: Interface;
  /** The layout file, the runbook; '' without one. */
  readonly layout: string;
  readonly book?: string;
}

/** How a call ended. */
export interface Ending {
  readonly durationMs: number;
  readonly result?: string;
  readonly error?: { readonly code: string; readonly message: string };
  /** Ctrl-C ended the wait; a server may go on with it. */
  readonly interrupted?: true;
  /** The operator said no: nothing was done. */
  readonly declined?: true;
}

export interface AuditRecord extends Origin, Partial<Ending> {
  readonly version: 1;
  /** Same in both lines of a call. */
  readonly id: string;
  readonly event: 'begin' | 'end';
  /** UTC, ISO 8601. */
  readonly time: string;
  readonly call: string;
  readonly dryRun?: true;
}

export function formatRecord(record: AuditRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** The record of a line; undefined for a line that was cut off. */
export function parseRecord(line: string): AuditRecord | undefined {
  try {
    const value = JSON.parse(line) as Partial<AuditRecord> | null;
    const isRecord =
      typeof value === 'object' &&
      value !== null &&
      value.version === 1 &&
      typeof value.id === 'string' &&
      typeof value.time === 'string' &&
      typeof value.call === 'string' &&
      (value.event === 'begin' || value.event === 'end');
    return isRecord ? (value as AuditRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** What a call that threw leaves in the log. */
export function errorEnding(thrown: unknown): NonNullable<Ending['error']> {
  const { code, message } = WalbError.from(thrown);
  return { code, message: message.slice(0, MAX_MESSAGE) };
}

/** Messages name what was wrong in their beginning. */
const MAX_MESSAGE = 500;
