/**
 * One server as the controller calls it. Errors name the server; there is one channel per server.
 */
import {
  type CallOptions,
  type Channel,
  type Method,
  type Millis,
  type Network,
  WalbError,
} from '../core/index.ts';

export interface ConnectionTarget {
  /** Shown in errors; the address when the server has no other name here. */
  readonly name: string;
  readonly address: string;
}

export interface ConnectOptions {
  readonly network: Network;
  readonly clientId: string;
  /** Ends every call; asked at each call, because an interrupt replaces it. */
  readonly signal: () => AbortSignal | undefined;
}

/** An error of a call to `target`, which says so. */
export function atServer({ name, address }: ConnectionTarget, thrown: unknown): WalbError {
  const error = WalbError.from(thrown);
  if (error.details['server'] !== undefined) return error;
  const where = name === address ? address : `${name} (${address})`;
  return new WalbError(error.code, `${where}: ${error.message}`, {
    details: { ...error.details, server: name },
    cause: error,
  });
}

export class ServerConnection implements ConnectionTarget {
  readonly name: string;
  readonly address: string;
  readonly #channel: Channel;
  readonly #signal: () => AbortSignal | undefined;

  constructor({ name, address }: ConnectionTarget, options: ConnectOptions) {
    this.name = name;
    this.address = address;
    this.#channel = options.network.connect(address, { clientId: options.clientId });
    this.#signal = options.signal;
  }

  /** One call and its reply; `timeout` bounds it as a whole. */
  async call<Req, Res>(
    method: Method<Req, Res, 'unary'>,
    request: Req,
    timeout?: Millis,
    signal?: AbortSignal,
  ): Promise<Res> {
    try {
      return await this.#channel.unary(method, request, this.#options(timeout, signal));
    } catch (error) {
      throw atServer(this, error);
    }
  }

  async *stream<Req, Res>(
    method: Method<Req, Res, 'server-stream'>,
    request: Req,
    signal?: AbortSignal,
  ): AsyncGenerator<Res, void, undefined> {
    try {
      yield* this.#channel.serverStream(method, request, this.#options(undefined, signal));
    } catch (error) {
      throw atServer(this, error);
    }
  }

  close(): void {
    this.#channel.close();
  }

  #options(timeout: Millis | undefined, own: AbortSignal | undefined): CallOptions {
    const signals = [this.#signal(), own].filter((signal) => signal !== undefined);
    const [first] = signals;
    return {
      ...(timeout === undefined ? {} : { timeout }),
      ...(first === undefined
        ? {}
        : { signal: signals.length > 1 ? AbortSignal.any(signals) : first }),
    };
  }
}
