/**
 * Binding of handlers to methods, as a server does it:
 *
 *     network.listen(address, [handle(ControlRpc.getState, async ({ volume }) => ...), ...])
 */
import type {
  BidiHandler,
  Binding,
  Method,
  ServerStreamHandler,
  UnaryHandler,
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
