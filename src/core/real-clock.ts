/** The operating system's clock and Node's timers. */
import type { CancelTimer, Clock } from './env.ts';
import { WalbError } from './errors.ts';
import type { Millis } from './units.ts';

/** Longest delay a Node timer takes; a longer one would fire at once. */
const MAX_TIMER: Millis = 2 ** 31 - 1;

export class RealClock implements Clock {
  now(): Millis {
    return Date.now();
  }

  monotonic(): Millis {
    return performance.now();
  }

  after(delay: Millis, fn: () => void): CancelTimer {
    return startTimer(delay, fn, (timer) => timer.unref());
  }

  /** Unlike `after` this keeps the process alive: somebody waits for it to go on. */
  sleep(delay: Millis, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(interrupted(signal));
      const stop = () => {
        cancel();
        reject(interrupted(signal));
      };
      const cancel = startTimer(delay, () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      });
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}

/** `setup` sees every Node timer a long delay is made of. */
function startTimer(
  delay: Millis,
  fn: () => void,
  setup: (timer: NodeJS.Timeout) => void = () => {},
): CancelTimer {
  let timer: NodeJS.Timeout;
  const start = (left: Millis) => {
    const step = Math.min(left, MAX_TIMER);
    timer = setTimeout(() => (left > step ? start(left - step) : fn()), step);
    setup(timer);
  };
  start(Math.max(0, delay));
  return () => clearTimeout(timer);
}

function interrupted(signal: AbortSignal | undefined): WalbError {
  return new WalbError('cancelled', 'stopped on request while waiting', { cause: signal?.reason });
}
