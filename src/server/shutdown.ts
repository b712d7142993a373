/**
 * How a server process ends: what signals ask for, and in which order work, calls and connections end.
 *
 * Graceful takes no new calls and waits for those that run and for the work in hand. Force makes
 * everything give up; what is on disk then is what a crash would have left, so the next start resumes.
 *
 * Source: cli.md 2, semantics.md F.1.
 */
import type { Clock, Listener, Millis } from '../core/index.ts';
import type { ServerCore } from './server-core.ts';

/** By force, calls get this long to answer before their connections are broken. */
const ABORT_GRACE_MS: Millis = 500;

/**
 * A signal that comes this much after one that ended nothing yet is an impatient operator's, not the
 * echo of one Ctrl-C that the terminal sends to a whole process group and the parent passes on.
 */
const IMPATIENT_AFTER_MS: Millis = 2_000;

const SIGNALS = ['SIGINT', 'SIGQUIT', 'SIGABRT', 'SIGTERM'] as const;

/** What signals reach the process by; node's `process`. */
export interface SignalSource {
  readonly pid: number;
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  kill(pid: number, signal: NodeJS.Signals): unknown;
}

/**
 * SIGINT, SIGQUIT, SIGABRT, SIGTERM: shutdown by force. One more while that does not come to an end
 * kills the process, as the signal does by itself. Dispose it to listen no more.
 */
export function shutDownOnSignals(core: ServerCore, source: SignalSource = process): Disposable {
  const { clock, log } = core;
  let first: Millis | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    first ??= clock.monotonic();
    if (clock.monotonic() - first < IMPATIENT_AFTER_MS) {
      core.requestShutdown('force');
      return;
    }
    log.warn({ signal }, 'a second signal: ending at once');
    off();
    source.kill(source.pid, signal);
  };
  const off = (): void => {
    for (const signal of SIGNALS) source.off(signal, onSignal);
  };
  for (const signal of SIGNALS) source.on(signal, onSignal);
  return { [Symbol.dispose]: off };
}

/** Resolves when a shutdown was asked for and everything has ended; never before its grace is used up. */
export async function serveUntilShutdown(
  core: ServerCore,
  listener: Listener,
  stopWork: () => Promise<void>,
): Promise<void> {
  await core.untilShutdown();
  using _alive = keepAlive(core.clock);
  // The reply to `shutdown` itself is on its way: the listener closes after running calls ended.
  const closed = listener.close();
  using _abort = abortWhenForced(core, listener);
  await stopWork();
  await closed;
}

/** Breaks what has not ended some time after a shutdown by force, unless disposed before. */
function abortWhenForced({ clock, forced }: ServerCore, listener: Listener): Disposable {
  let cancel = (): void => {};
  const begin = (): void => {
    cancel = clock.after(ABORT_GRACE_MS, () => listener.abort());
  };
  if (forced.aborted) begin();
  else forced.addEventListener('abort', begin, { once: true });
  return {
    [Symbol.dispose]: () => {
      forced.removeEventListener('abort', begin);
      cancel();
    },
  };
}

/**
 * Work that only waits for a timer would not keep the process alive once the listener is closed, and
 * the process would end in the middle of it.
 */
function keepAlive(clock: Clock): Disposable {
  const over = new AbortController();
  clock.sleep(Number.MAX_SAFE_INTEGER, over.signal).catch(() => {});
  return { [Symbol.dispose]: () => over.abort() };
}
