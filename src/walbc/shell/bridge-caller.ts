/**
 * The worker's end of the bridge: sends a call and blocks until its answer is there.
 *
 * `Atomics.wait` on the shared word, then a synchronous look into the port of replies. Ctrl-C ends the
 * wait with a KeyboardInterrupt that says what goes on at the servers.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { WalbError } from '../../core/index.ts';
import { checkInterrupt, interruptible, KeyboardInterrupt } from './interruptible.ts';
import { type FromWorker, type Reply, type Request, WAKE } from './protocol.ts';
import { decode, decodeError, type WireSide } from './wire.ts';

/** After Ctrl-C the main thread asks the server what goes on; a dead one must not hold the operator. */
const REST_MS = 3_000;

export interface CallOptions {
  /** Gives the call up after so many milliseconds, with `timeout`. For completion at the prompt. */
  readonly limitMs?: number;
}

export class BridgeCaller {
  readonly #post: (message: FromWorker) => void;
  readonly #replies: MessagePort;
  readonly #shared: Int32Array;
  #nextId = 1;

  constructor(post: (message: FromWorker) => void, replies: MessagePort, shared: Int32Array) {
    this.#post = post;
    this.#replies = replies;
    this.#shared = shared;
  }

  /** The result of the request. Throws what it threw, or KeyboardInterrupt. */
  call(request: Request, side: WireSide, options: CallOptions = {}): unknown {
    const id = this.#nextId;
    this.#nextId += 1;
    const reply = this.#exchange(id, request, options.limitMs);
    if ('goesOn' in reply) throw new WalbError('internal', 'a call was answered by another');
    if (!reply.ok) throw localStack(decodeError(reply.error));
    return decode(reply.value, side);
  }

  #exchange(id: number, request: Request, limitMs: number | undefined): Reply {
    let reply: Reply | undefined;
    try {
      // From the moment the call is on its way, Ctrl-C is an exception and not the end of the code.
      reply = interruptible(() => {
        this.#post({ type: 'call', id, request });
        return this.#await(id, limitMs);
      });
    } catch (thrown) {
      if (thrown instanceof KeyboardInterrupt) throw this.#abandoned(id);
      throw thrown;
    }
    if (reply !== undefined) return reply;
    this.#post({ type: 'abandon', id, quiet: true });
    throw new WalbError('timeout', `no answer within ${limitMs} ms`);
  }

  /** Asks what goes on. A second Ctrl-C, or a server that does not answer, ends this wait too. */
  #abandoned(id: number): KeyboardInterrupt {
    this.#post({ type: 'abandon', id, quiet: false });
    try {
      const reply = interruptible(() => this.#await(id, REST_MS));
      // The answer may have crossed the interrupt: then nothing goes on.
      if (reply !== undefined && 'goesOn' in reply) return new KeyboardInterrupt(reply.goesOn);
    } catch (thrown) {
      if (!(thrown instanceof KeyboardInterrupt)) throw thrown;
    }
    return new KeyboardInterrupt('');
  }

  /** The reply with this id; undefined after `limitMs`. Replies to abandoned calls are dropped. */
  #await(id: number, limitMs: number | undefined): Reply | undefined {
    const deadline = limitMs === undefined ? undefined : performance.now() + limitMs;
    for (;;) {
      const seen = Atomics.load(this.#shared, WAKE);
      checkInterrupt();
      const received = receiveMessageOnPort(this.#replies) as { message: Reply } | undefined;
      if (received?.message.id === id) return received.message;
      if (received !== undefined) continue;
      const left = deadline === undefined ? undefined : deadline - performance.now();
      if (left !== undefined && left <= 0) return undefined;
      Atomics.wait(this.#shared, WAKE, seen, left);
    }
  }
}

/** The line of the operator's code is what helps, not the inside of the other thread. */
function localStack(error: Error): Error {
  const isDefect = error instanceof WalbError ? error.code === 'internal' : true;
  if (!isDefect) Error.captureStackTrace(error, BridgeCaller.prototype.call);
  return error;
}
