/** What a command of walbc runs with: one server, time limits, and where output goes. */
import { type Method, WalbError } from '../../core/index.ts';
import { ControlRpc, type HostType } from '../../rpc/index.ts';
import type { ServerConnection } from '../connection.ts';
import { SHORT_TIMEOUT_SEC } from '../constants.ts';
import type { Args, ParameterSpec } from './parameters.ts';

/** `-to` when it is not given: limit of queries; commands that work before they answer get more. */
export const DEFAULT_TIMEOUT_SEC = 10;

export interface ContextOptions {
  readonly connection: ServerConnection;
  readonly clientId: string;
  /** Lines for people after those of the original. */
  readonly human?: boolean;
  /** `-to`, when it was given. */
  readonly timeoutS?: number;
  /** For commands that stream bytes to stdout; without it they refuse. */
  readonly write?: (bytes: Uint8Array) => Promise<void>;
}

export class CommandContext {
  readonly connection: ServerConnection;
  readonly clientId: string;
  readonly human: boolean;
  readonly #options: ContextOptions;
  #kind: Promise<HostType> | undefined;

  constructor(options: ContextOptions) {
    this.#options = options;
    this.connection = options.connection;
    this.clientId = options.clientId;
    this.human = options.human ?? false;
  }

  /** A call that only asks. */
  query<Req, Res>(method: Method<Req, Res, 'unary'>, request: Req): Promise<Res> {
    const limit = this.#options.timeoutS ?? DEFAULT_TIMEOUT_SEC;
    return this.connection.call(method, request, limit * 1000);
  }

  /** A call that does something. `extraS`: how long the server was asked to take. */
  command<Req, Res>(method: Method<Req, Res, 'unary'>, request: Req, extraS = 0): Promise<Res> {
    const limit = this.#options.timeoutS ?? SHORT_TIMEOUT_SEC;
    return this.connection.call(method, request, (limit + extraS) * 1000);
  }

  /** Kind of the server; asked once. */
  kind(): Promise<HostType> {
    this.#kind ??= this.query(ControlRpc.getHostType, {}).then(({ hostType }) => hostType);
    return this.#kind;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#options.write === undefined) {
      throw new WalbError('unsupported', 'bytes can be written to stdout on the command line only');
    }
    await this.#options.write(bytes);
  }
}

/** S, P and A: which servers have it. */
export type Kinds = string;

export interface CommandSpec {
  readonly name: string;
  readonly kinds: Kinds;
  readonly about: string;
  readonly parameters: readonly ParameterSpec[];
  /** The text to print, without its last newline; undefined prints nothing. */
  run(context: CommandContext, args: Args): Promise<string | undefined>;
}

/** One line per item; undefined for none, so that nothing is printed. */
export function lines(items: readonly unknown[]): string | undefined {
  return items.length === 0 ? undefined : items.map(String).join('\n');
}

/** For commands that print nothing. */
export async function quietly(work: Promise<unknown>): Promise<undefined> {
  await work;
  return undefined;
}
