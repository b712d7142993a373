/** Commands of the command line that change nothing (cli.md 1.4). */

export const QUERY_COMMANDS: ReadonlySet<string> = new Set([
  'bhash',
  'get',
  'sleep',
  'status',
  'version',
]);

const ARCHIVE_INFO_QUERIES: ReadonlySet<string | undefined> = new Set(['get', 'list']);

/** Whether a command with these words only asks. */
export function isQuery([name = '', action]: readonly string[]): boolean {
  return QUERY_COMMANDS.has(name) || (name === 'archive-info' && ARCHIVE_INFO_QUERIES.has(action));
}
