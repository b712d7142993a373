/** Reading the messages of a stream in the order a protocol prescribes. */
import { WalbError } from '../core/index.ts';

interface Case {
  readonly $case: string;
  readonly value: unknown;
}

type MessageOf<In> = In extends { message?: infer M | undefined } ? NonNullable<M> : never;
type ValueOf<M, Name> = M extends { $case: Name; value: infer V } ? V : never;

/** The next message, which must be of this kind. Throws `unavailable` at the end of the stream. */
export async function expectMessage<In extends { message?: unknown }, Name extends string>(
  stream: { receive(): Promise<In | undefined> },
  wanted: Name,
): Promise<ValueOf<MessageOf<In>, Name>> {
  const message = (await stream.receive())?.message as Case | undefined;
  if (message?.$case === wanted) return message.value as ValueOf<MessageOf<In>, Name>;
  if (message === undefined) {
    throw new WalbError('unavailable', `the sender went away before ${wanted}`);
  }
  throw unexpectedMessage(message.$case, wanted);
}

/** After the last acknowledgement: the other side may have ended the call already, which is no failure. */
export async function endAfterAck(stream: { end(): Promise<void> }): Promise<void> {
  await stream.end().catch(() => {});
}

export function unexpectedMessage(found: string, wanted: string): WalbError {
  return new WalbError('invalid-argument', `${found} came where ${wanted} was expected`, {
    details: { found, wanted },
  });
}
