/** What both transports know of one end of a call, and how its operations wait for a change of it. */
import { WalbError } from '../core/index.ts';

export class CallState {
  /** Why the call failed; what arrived before is still delivered, unless `abandoned`. */
  failure: WalbError | undefined;
  /** Cancelled from this end: nothing is delivered any more. */
  abandoned = false;
  /** No further message will arrive. */
  ended = false;
  /** The call is over and nothing can be sent any more. */
  closed = false;
  #waiting: (() => void)[] = [];

  /** Resolves at the next `wake`; the caller then looks again. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Throws when nothing can be sent. */
  checkOpen(): void {
    if (this.failure !== undefined) throw this.failure;
    if (this.closed) {
      throw new WalbError('unavailable', 'the other side has ended the call; nothing can be sent');
    }
  }

  /** The call is over with an error. False when it was over before. */
  fail(error: WalbError): boolean {
    if (this.closed) return false;
    this.failure = error;
    this.finish();
    return true;
  }

  /** As `fail`, from this end. */
  abandon(error: WalbError): boolean {
    const first = this.fail(error);
    this.abandoned ||= first;
    return first;
  }

  /** The call is over. */
  finish(): void {
    this.closed = true;
    this.wake();
  }

  /**
   * What a reader gets: the next message of `take`, the failure, undefined at the end, or, when there is
   * nothing yet, a wait.
   */
  async next(take: () => Uint8Array | undefined): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.abandoned) throw this.failure;
      const message = take();
      if (message !== undefined) return message;
      if (this.failure !== undefined) throw this.failure;
      if (this.ended) return undefined;
      await this.changed();
    }
  }
}

/** The error of an operation stopped by a signal or `cancel`. */
export function cancelled(reason: unknown): WalbError {
  if (reason instanceof WalbError) return reason;
  return new WalbError('cancelled', 'the call was cancelled', { cause: reason });
}

/** Cancels when the signal aborts; the result stops watching. */
export function watchSignal(
  stream: { cancel(reason?: Error): void },
  signal: AbortSignal | undefined,
): () => void {
  const onAbort = (): void => stream.cancel(cancelled(signal?.reason));
  signal?.addEventListener('abort', onAbort, { once: true });
  return () => signal?.removeEventListener('abort', onAbort);
}
