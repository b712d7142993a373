/**
 * Runs code so that SIGINT ends it, in whichever thread it is.
 *
 * Node's watchdog terminates the innermost script that asked for it. The operator's code runs in one,
 * and each wait for a call in another inside it: Ctrl-C during a wait therefore ends the wait only and
 * comes back as an ordinary exception that `try` and `finally` of the operator's code see, while a loop
 * that computes is terminated as a whole.
 */
import vm from 'node:vm';

const SLOT = '__walbcInterruptibleTask';

const runSlot = new vm.Script(`globalThis.${SLOT}()`, { filename: 'walbc-shell' });

/** Ctrl-C. What it stopped waiting for may go on; the message says so where that is known. */
export class KeyboardInterrupt extends Error {
  override readonly name = 'KeyboardInterrupt';
}

let task: (() => unknown) | undefined;

Object.defineProperty(globalThis, SLOT, {
  enumerable: false,
  value: () => task?.(),
});

/** Runs `work`; throws KeyboardInterrupt when SIGINT arrives meanwhile. */
export function interruptible<T>(work: () => T): T {
  const outer = task;
  task = work;
  try {
    return runSlot.runInThisContext({ breakOnSigint: true, displayErrors: false }) as T;
  } catch (thrown) {
    throw asKeyboardInterrupt(thrown);
  } finally {
    task = outer;
  }
}

/** Node's error for a script ended by SIGINT as ours; any other value as it is. */
export function asKeyboardInterrupt(thrown: unknown): unknown {
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  return code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED' ? new KeyboardInterrupt('') : thrown;
}
