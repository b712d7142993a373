/**
 * Runs code so that SIGINT ends it, in whichever thread it is.
 *
 * Node's watchdog terminates the innermost script that asked for it. The operator's code runs in one,
 * and each wait for a call in another inside it: Ctrl-C during a wait therefore ends the wait only and
 * comes back as an ordinary exception that `try` and `finally` of the operator's code see, while a loop
 * that computes is terminated as a whole.
 */
import vm from 'node:vm';
import { SCRIPT, ScriptState } from './protocol.ts';

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

/** Where the main thread sees whether it may send a signal (protocol.ts). */
let shared = new Int32Array(new SharedArrayBuffer(4 * (SCRIPT + 1)));
let depth = 0;

export function shareScriptState(words: Int32Array<SharedArrayBuffer>): void {
  shared = words;
}

/** Runs `work`; throws KeyboardInterrupt when SIGINT arrives meanwhile. */
export function interruptible<T>(work: () => T): T {
  const [outerTask, outerDepth] = [task, depth];
  depth += 1;
  task = outerDepth === 0 ? () => insideScript(work) : work;
  try {
    return runSlot.runInThisContext({ breakOnSigint: true, displayErrors: false }) as T;
  } catch (thrown) {
    // Terminated code runs no `finally`; what it leaves behind is put right here.
    if (isInterrupt(thrown)) settle(outerDepth);
    throw asKeyboardInterrupt(thrown);
  } finally {
    task = outerTask;
    depth = outerDepth;
  }
}

function insideScript<T>(work: () => T): T {
  Atomics.store(shared, SCRIPT, ScriptState.inside);
  try {
    return work();
  } finally {
    settle(0);
  }
}

/** The signal, if there was one, has had its effect at this depth. */
function settle(atDepth: number): void {
  while (Atomics.load(shared, SCRIPT) === ScriptState.signalling) {
    Atomics.wait(shared, SCRIPT, ScriptState.signalling);
  }
  Atomics.store(shared, SCRIPT, atDepth === 0 ? ScriptState.outside : ScriptState.inside);
}

function isInterrupt(thrown: unknown): boolean {
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  return code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED';
}

/** Node's error for a script ended by SIGINT as ours; any other value as it is. */
function asKeyboardInterrupt(thrown: unknown): unknown {
  return isInterrupt(thrown) ? new KeyboardInterrupt('') : thrown;
}
