/** Types of steps.js. */

type Method = {
  [K in keyof Walbc]: Walbc[K] extends (...args: never[]) => unknown ? K : never;
}[keyof Walbc];
type Arguments<K extends Method> = Walbc[K] extends (...args: infer A) => unknown ? A : never;
type Result<K extends Method> = Walbc[K] extends (...args: never[]) => infer R ? R : never;

export class Steps {
  /** `--dry-run` was given: nothing is changed. */
  readonly isDryRun: boolean;
  /** Words of the command line that are no options. */
  readonly words: readonly string[];

  /** Ends the runbook with the usage text for --help, unknown options and wrong numbers of words. */
  constructor(usage: string, limits: { min: number; max: number }, options?: readonly string[]);

  /** Whether this option was given. */
  has(option: string): boolean;

  /** The server of the layout with that name; of the first letter's kind. */
  server(name: string, kind: 'storage' | 'proxy' | 'archive'): Server;

  /** Calls a method of walbc that changes something, having said it. Only says it in a dry run. */
  act<K extends Method>(name: K, ...args: Arguments<K>): Result<K> | undefined;

  /** Runs a program of this machine in the same way. */
  run(program: string, ...args: string[]): void;

  say(text: string): void;

  /** Something a person has to look at; the runbook goes on, and ends with exit code 1. */
  trouble(text: string): void;

  /** The archives that follow a volume. */
  followers(vol: string): Server[];

  /** A snapshot taken now reaches every archive that follows: the volume is backed up again. */
  prove(sx: Server, vol: string): void;

  /** Last call of a runbook: says how it went. */
  end(): void;
}
