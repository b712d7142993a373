/** The server's end of a call: finds the handler and runs it over a raw stream. */
import type {
  BidiHandler,
  BidiStream,
  Binding,
  CallContext,
  ServerStreamHandler,
  UnaryHandler,
} from '../core/index.ts';
import { WalbError } from '../core/index.ts';
import { codedStream, type RawStream } from './channel.ts';

export type BindingTable = ReadonlyMap<string, Binding>;

/** Throws `internal` when two handlers claim one method. */
export function bindingTable(bindings: readonly Binding[]): BindingTable {
  const table = new Map<string, Binding>();
  for (const binding of bindings) {
    const { path } = binding.method;
    if (table.has(path)) throw new WalbError('internal', `${path} is bound twice`);
    table.set(path, binding);
  }
  return table;
}

export function unknownMethod(path: string, address: string): WalbError {
  const message = `the server at ${address} does not offer ${path}; is it of the right kind and version?`;
  return new WalbError('unsupported', message, { details: { path, address } });
}

/**
 * Runs the handler to its end. Resolves when the call succeeded and rejects with the WalbError the
 * caller is to see; the transport then ends the call.
 */
export async function runHandler(
  binding: Binding,
  raw: RawStream,
  context: CallContext,
): Promise<void> {
  const { method } = binding;
  const stream = codedStream(raw, method.path, method.response, method.request);
  try {
    switch (method.kind) {
      case 'unary':
        return await runUnary(binding.handler as UnaryHandler<unknown, unknown>, stream, context);
      case 'server-stream':
        return await runServerStream(
          binding.handler as ServerStreamHandler<unknown, unknown>,
          stream,
          context,
        );
      case 'bidi':
        return await (binding.handler as BidiHandler<unknown, unknown>)(stream, context);
    }
  } catch (error) {
    throw WalbError.from(error);
  }
}

type AnyStream = BidiStream<unknown, unknown>;

async function runUnary(
  handler: UnaryHandler<unknown, unknown>,
  stream: AnyStream,
  context: CallContext,
): Promise<void> {
  await stream.send(await handler(await onlyRequest(stream), context));
}

async function runServerStream(
  handler: ServerStreamHandler<unknown, unknown>,
  stream: AnyStream,
  context: CallContext,
): Promise<void> {
  const request = await onlyRequest(stream);
  for await (const response of handler(request, context)) await stream.send(response);
}

async function onlyRequest(stream: AnyStream): Promise<unknown> {
  const request = await stream.receive();
  if (request === undefined) throw new WalbError('corrupt', 'the call carries no request');
  return request;
}
