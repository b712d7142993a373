/**
 * The logger interface of server logic; pino implements it (real-env.ts). Field names are fixed, so
 * that one search over all logs of a group follows one volume, snapshot or connection.
 */

export interface LogFields {
  /** Volume id. */
  readonly volume?: string;
  readonly gid?: bigint | string;
  readonly lsid?: bigint | string;
  /** Name or address of the other end. */
  readonly peer?: string;
  readonly err?: unknown;
  readonly [key: string]: unknown;
}

export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}

/** Drops every line; for library use without a logger. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
