/**
 * Runs code so that SIGINT ends it, in whichever thread it is.
 *
 * Node's watchdog terminates the innermost script that asked for it. The operator's code runs in one,
 * and each wait for a call in another inside it: Ctrl-C during a wait therefore ends the wait only and
 * comes back as an ordinary exception that `try` and `finally` of the operator's code see, while a loop
 * that computes is terminated as a whole.
 *
 * Python's code asks by itself, at every round of a loop and at every wait (checkInterrupt): there Ctrl-C is
 * an exception anywhere. Scripts of it run without Node's watchdog, which would be faster than the question.
 */
import vm from 'node:vm';
import { INTERRUPT, SCRIPT, ScriptState, SHARED_WORDS, WAKE } from './protocol.ts';

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
let shared = new Int32Array(new SharedArrayBuffer(4 * SHARED_WORDS));
let depth = 0;

export function shareScriptState(words: Int32Array<SharedArrayBuffer>): void {
  shared = words;
}

let isPolling = false;

/** Runs `work`, which asks by itself whether there was a Ctrl-C. */
export function polling<T>(work: () => T): T {
  isPolling = true;
  try {
    return work();
  } finally {
    isPolling = false;
  }
}

/** Throws KeyboardInterrupt when there was a Ctrl-C that nothing has noticed yet. */
export function checkInterrupt(): void {
  if (Atomics.load(shared, INTERRUPT) === 0) return;
  Atomics.store(shared, INTERRUPT, 0);
  throw new KeyboardInterrupt('');
}

/** Waits for so many milliseconds; Ctrl-C ends it with KeyboardInterrupt. */
export function pause(milliseconds: number): void {
  const deadline = performance.now() + milliseconds;
  interruptible(() => {
    for (;;) {
      const seen = Atomics.load(shared, WAKE);
      checkInterrupt();
      const left = deadline - performance.now();
      if (left <= 0) return;
      Atomics.wait(shared, WAKE, seen, left);
    }
  });
}

/** Runs `work`; throws KeyboardInterrupt when SIGINT arrives meanwhile. */
export function interruptible<T>(work: () => T): T {
  if (isPolling) return work();
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
