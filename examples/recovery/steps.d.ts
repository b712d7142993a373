/** Types of steps.js. */

export class Steps {
  /** Words of the command line that are no options. */
  readonly words: readonly string[];

  /** Ends the runbook with the usage text for --help, unknown options and wrong numbers of words. */
  constructor(usage: string, limits: { min: number; max: number }, options?: readonly string[]);

  /** Whether this option was given. */
  has(option: string): boolean;

  /** The server of the layout with that name; of the first letter's kind. */
  server(name: string, kind: 'storage' | 'proxy' | 'archive'): Server;

  /** Ends the runbook with the problem and the usage, exit code 2. */
  misused(problem: string): never;

  /** Something a person has to look at; the runbook goes on, and ends with exit code 1. */
  trouble(text: string): void;

  /** The archives that follow a volume. */
  followers(vol: string): Server[];

  /** A snapshot taken now reaches every archive that follows: the volume is backed up again. */
  prove(sx: Server, vol: string): void;

  /** Last call of a runbook: says how it went. */
  end(): never;
}
