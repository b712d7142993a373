/**
 * Binding of handlers to methods, and what a server does around every call:
 *
 *     const statistics = new HandlerStatistics(env.clock);
 *     await env.network.listen(address, intercept(
 *       [handle(ControlRpc.getState, async ({ volume }) => ...), ...],
 *       [logCalls(env), statistics.interceptor, new CallLimit(10).interceptor],
 *     ));
 */
import {
  type BidiHandler,
  type Binding,
  type CallContext,
  type Clock,
  type Logger,
  type Method,
  Semaphore,
  type ServerStreamHandler,
  type UnaryHandler,
  WalbError,
} from '../core/index.ts';

/** The handler type that fits a method. */
export type HandlerOf<M> =
  M extends Method<infer Req, infer Res, infer Kind>
    ? Kind extends 'unary'
      ? UnaryHandler<Req, Res>
      : Kind extends 'server-stream'
        ? ServerStreamHandler<Req, Res>
        : BidiHandler<Req, Res>
    : never;

/** Binds a method to its handler. */
export function handle<M extends Method<unknown, unknown>>(
  method: M,
  handler: HandlerOf<M>,
): Binding {
  return { method, handler: handler as Binding['handler'] };
}

export interface CallInfo {
  readonly method: Method<unknown, unknown>;
  readonly context: CallContext;
}

/** Called once when the call is over; `error` when it failed. Must not throw. */
export type CallEnd = (error: WalbError | undefined) => void;

/** Called before the handler; throws, or rejects, to refuse the call. */
export type Interceptor = (call: CallInfo) => CallEnd | Promise<CallEnd>;

/** The bindings with the interceptors around each handler, the first one outermost. */
export function intercept(
  bindings: readonly Binding[],
  interceptors: readonly Interceptor[],
): Binding[] {
  return bindings.map((binding) =>
    interceptors.reduceRight<Binding>((inner, interceptor) => wrap(inner, interceptor), binding),
  );
}

function wrap({ method, handler }: Binding, interceptor: Interceptor): Binding {
  const around = async <T>(context: CallContext, run: () => Promise<T>): Promise<T> => {
    const end = await interceptor({ method, context });
    try {
      const result = await run();
      end(undefined);
      return result;
    } catch (error) {
      end(WalbError.from(error));
      throw error;
    }
  };
  switch (method.kind) {
    case 'unary': {
      const inner = handler as UnaryHandler<unknown, unknown>;
      const outer: typeof inner = (request, context) =>
        around(context, () => inner(request, context));
      return { method, handler: outer };
    }
    case 'bidi': {
      const inner = handler as BidiHandler<unknown, unknown>;
      const outer: typeof inner = (stream, context) =>
        around(context, () => inner(stream, context));
      return { method, handler: outer };
    }
    case 'server-stream': {
      const inner = handler as ServerStreamHandler<unknown, unknown>;
      return { method, handler: wrapStream(inner, method, interceptor) };
    }
  }
}

function wrapStream(
  inner: ServerStreamHandler<unknown, unknown>,
  method: Method<unknown, unknown>,
  interceptor: Interceptor,
): ServerStreamHandler<unknown, unknown> {
  return async function* (request, context) {
    const end = await interceptor({ method, context });
    let failure: WalbError | undefined;
    try {
      yield* inner(request, context);
    } catch (error) {
      failure = WalbError.from(error);
      throw error;
    } finally {
      // Also when the reader has left.
      end(failure);
    }
  };
}

/** Failures a server's operator should see; the others are the caller's doing and are shown to it. */
const SERVER_FAULTS: ReadonlySet<string> = new Set(['internal', 'io', 'no-space', 'corrupt']);

/** A watch ends when its reader leaves or the server stops: nothing went wrong. */
function isEndOfReading({ method, context }: CallInfo, { code }: WalbError): boolean {
  return method.kind === 'server-stream' && (context.signal.aborted || code === 'cancelled');
}

/**
 * One line per call: debug when it went well, or its reader left; info when refused; error for the
 * server's own faults.
 */
export function logCalls({ log, clock }: { log: Logger; clock: Clock }): Interceptor {
  return (call) => {
    const began = clock.monotonic();
    const { method, context } = call;
    const { clientId, peer } = context;
    return (error) => {
      const fields = { method: method.path, clientId, peer, ms: clock.monotonic() - began };
      if (error === undefined || isEndOfReading(call, error)) log.debug(fields, 'call done');
      else if (SERVER_FAULTS.has(error.code)) log.error({ ...fields, err: error }, 'call failed');
      else log.info({ ...fields, code: error.code, reason: error.message }, 'call refused');
    };
  };
}

/**
 * At most `limit` calls are handled at once (`-maxconn`); others wait their turn in order. Calls for
 * which `exempt` holds do not count: a `Watch` lasts as long as its reader likes.
 */
export class CallLimit {
  readonly #places: Semaphore;
  readonly #exempt: (method: Method<unknown, unknown>) => boolean;

  /** Throws `invalid-argument` unless `limit` is a positive number. */
  constructor(
    limit: number,
    exempt: (method: Method<unknown, unknown>) => boolean = (method) =>
      method.kind === 'server-stream',
  ) {
    this.#places = new Semaphore(limit, 'calls (-maxconn)');
    this.#exempt = exempt;
  }

  /** Calls being handled now. */
  get running(): number {
    return this.#places.held;
  }

  readonly interceptor: Interceptor = async ({ method, context }) => {
    if (this.#exempt(method)) return () => {};
    const place = await this.#places.acquire(context.signal);
    return () => place.release();
  };
}
