/** `with`: entering and leaving what manages a resource. */
import { attributeOr, classOf } from './attributes.ts';
import { invoke } from './calling.ts';
import { raise } from './exceptions.ts';
import { isCallable } from './functions.ts';
import { isTrue } from './iteration.ts';
import { typeName } from './types.ts';

export interface Entered {
  readonly value: unknown;
  /** The block threw. True: the exception ends here. */
  readonly failed: (error: unknown) => boolean;
  /** The block ended, in whatever way. */
  readonly leave: () => void;
}

export function enter(manager: unknown): Entered {
  const [begin, end] = ['__enter__', '__exit__'].map((name) =>
    attributeOr(manager, name, undefined),
  );
  if (!isCallable(begin) || !isCallable(end)) {
    return raise(
      'TypeError',
      `'${typeName(manager)}' object does not support the context manager protocol`,
    );
  }
  let isLeft = false;
  return {
    value: invoke(begin, []),
    failed: (error) => {
      isLeft = true;
      return isTrue(invoke(end, [classOf(error), error, undefined]));
    },
    leave: () => {
      if (!isLeft) invoke(end, [undefined, undefined, undefined]);
      isLeft = true;
    },
  };
}
