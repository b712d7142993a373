/**
 * `walbc audit`: what was changed, by whom, and how it ended.
 *
 *     walbc audit --since 1d
 */
import { parseArgs } from 'node:util';
import { WalbError } from '../../core/index.ts';
import { auditFileOf, readAudit } from './audit-log.ts';
import { entriesOf, jsonOf, reportOf } from './audit-report.ts';

const USAGE = `usage: walbc audit [--since TIME] [--user NAME] [--json] [--file FILE]

Shows the calls that changed something, from the audit log of this user.

  --since TIME   only those begun since: 30m, 12h, 1d, or 2026-01-31T23:59:59 (UTC)
  --user NAME    only those of this user, or of who became it by sudo
  --json         one JSON object per call
  --file FILE    another audit log; WALB_AUDIT_LOG names it too

Exit codes: 0, 2 for wrong arguments, 10 when the log may not be read.
`;

/** Everything the command touches. */
export interface AuditTerminal {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. */
  readonly now: number;
  stdout(text: string): unknown;
  stderr(text: string): unknown;
}

/** `words`: those after `audit`. Returns the exit code. */
export function auditMain(words: readonly string[], terminal: AuditTerminal): number {
  try {
    const { values } = parseWords(words);
    if (values.help === true) {
      terminal.stdout(USAGE);
      return 0;
    }
    const records = readAudit(values.file ?? auditFileOf(terminal.environment));
    const entries = entriesOf(records, {
      ...(values.since === undefined ? {} : { since: sinceTime(values.since, terminal.now) }),
      ...(values.user === undefined ? {} : { user: values.user }),
    });
    const text = values.json === true ? jsonOf(entries) : reportOf(entries);
    if (text !== '') terminal.stdout(`${text}\n`);
    return 0;
  } catch (thrown) {
    const error = WalbError.from(thrown);
    terminal.stderr(`walbc audit: ${error.message}\n`);
    return error.exitCode;
  }
}

function parseWords(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      options: {
        since: { type: 'string' },
        user: { type: 'string' },
        json: { type: 'boolean' },
        file: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new WalbError('invalid-argument', `${message}\n${USAGE}`);
  }
}

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `1d` or a time, as the records write it. */
export function sinceTime(text: string, now: number): string {
  const match = /^(\d{1,6})([smhdw])$/.exec(text);
  const millis =
    match === null
      ? Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`)
      : now - Number(match[1]) * (UNIT_MS[match[2]!] as number);
  if (Number.isFinite(millis)) return new Date(millis).toISOString();
  throw new WalbError(
    'invalid-argument',
    `bad --since '${text}': expected 30m, 12h, 1d or a time such as 2026-01-31T23:59:59`,
  );
}
