/** `step` and `ask`: what a runbook says of itself. They run in the worker and ask the main thread. */
import { WalbError } from '../../core/index.ts';
import { type Kept, keep, recall } from '../runbook/journal.ts';
import type { StepAnswer } from '../runbook/steps.ts';
import type { BookEvent } from './protocol.ts';
import { repr } from './show.ts';
import type { ValueClasses } from './wire.ts';

export interface BookNames {
  /**
   * Begins a step: a heading with number and time. Returns whether it is to be done, which is false for
   * a step that an earlier run has finished. With a function, does it and returns its value, or the one
   * of the earlier run.
   */
  readonly step: (title: unknown, body?: unknown) => unknown;
  /** Asks the operator; only yes is True. */
  readonly ask: (text: unknown) => unknown;
}

/** What a language does with values that are kept between runs: Python's 2.0 is not its 2. */
export interface BookCodec {
  pack: (value: unknown) => unknown;
  unpack: (kept: unknown) => unknown;
}

export function bookNames(
  send: (event: BookEvent) => unknown,
  classes: ValueClasses,
  codec: BookCodec = { pack: (value) => value, unpack: (kept) => kept },
): BookNames {
  return {
    step: function step(title: unknown, body?: unknown): unknown {
      if (typeof title !== 'string' || title.trim() === '') {
        throw new WalbError('invalid-argument', `step() takes a title, not ${repr(title)}`);
      }
      const hasBody = typeof body === 'function';
      const { isSkipped, value } = send({ type: 'begin', title, hasBody }) as StepAnswer;
      if (!hasBody) return !isSkipped;
      if (isSkipped) return codec.unpack(recall(value ?? '', classes));
      const kept = (result: unknown): Kept => keep(codec.pack(result), classes);
      return runBody(body as () => unknown, send, kept);
    },
    ask: function ask(text: unknown): unknown {
      return send({ type: 'ask', text: String(text) });
    },
  };
}

function runBody(
  body: () => unknown,
  send: (event: BookEvent) => unknown,
  kept: (value: unknown) => Kept,
): unknown {
  const end = (value: unknown): unknown => {
    send({ type: 'end', value: kept(value) });
    return value;
  };
  const fail = (thrown: unknown): never => {
    send({ type: 'fail' });
    throw thrown;
  };
  let value: unknown;
  try {
    value = body();
  } catch (thrown) {
    return fail(thrown);
  }
  return value instanceof Promise ? value.then(end, fail) : end(value);
}
