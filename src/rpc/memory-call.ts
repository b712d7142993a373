/** One call of the in-memory network: two ends joined by a connection that carries in order. */
import type { WalbError } from '../core/index.ts';
import { CallState, cancelled } from './call-state.ts';
import type { RawStream } from './channel.ts';
import { SEND_WINDOW } from './limits.ts';

/** What an end needs of the connection; all of it arrives later, in order, or never. */
export interface Line {
  carry(length: number, deliver: () => void): void;
  /** Nothing runs in a crashed process: its operations never settle. */
  isDead(): boolean;
}

const NEVER = new Promise<never>(() => {});

export class CallEnd implements RawStream {
  readonly #line: Line;
  readonly #state = new CallState();
  readonly #inbox: Uint8Array[] = [];
  #peer: CallEnd | undefined;
  /** Bytes sent that the peer has not read. */
  #unread = 0;
  #onOver: (error: WalbError | undefined) => void = () => {};
  #onCancel: (error: WalbError) => void = () => {};

  constructor(line: Line) {
    this.#line = line;
  }

  join(peer: CallEnd, onCancel: (error: WalbError) => void): void {
    this.#peer = peer;
    this.#onCancel = onCancel;
  }

  /** `listener` hears of the end of the call, once; undefined = it ended well. */
  whenOver(listener: (error: WalbError | undefined) => void): void {
    this.#onOver = listener;
  }

  async send(message: Uint8Array): Promise<void> {
    if (this.#line.isDead()) return await NEVER;
    this.#state.checkOpen();
    this.#unread += message.length;
    this.#line.carry(message.length, () => this.#peer?.deliver(message));
    while (this.#unread > SEND_WINDOW) {
      await this.#state.changed();
      this.#state.checkOpen();
    }
  }

  async end(): Promise<void> {
    if (this.#line.isDead()) return await NEVER;
    this.#state.checkOpen();
    this.#line.carry(0, () => this.#peer?.deliverEnd());
  }

  async receive(): Promise<Uint8Array | undefined> {
    if (this.#line.isDead()) return await NEVER;
    return await this.#state.next(() => this.#take());
  }

  #take(): Uint8Array | undefined {
    const message = this.#inbox.shift();
    if (message !== undefined) this.#peer?.acknowledge(message.length);
    return message;
  }

  acknowledge(length: number): void {
    this.#unread -= length;
    if (!this.#line.isDead()) this.#state.wake();
  }

  deliver(message: Uint8Array): void {
    if (this.#line.isDead() || this.#state.closed) return;
    this.#inbox.push(message);
    this.#state.wake();
  }

  deliverEnd(): void {
    if (this.#line.isDead()) return;
    this.#state.ended = true;
    this.#state.wake();
  }

  cancel(reason?: Error): void {
    const error = cancelled(reason);
    if (this.#line.isDead() || !this.#state.abandon(error)) return;
    this.#onCancel(error);
    this.#onOver(error);
  }

  /** The call is over for this end. */
  fail(error: WalbError): void {
    if (!this.#line.isDead() && this.#state.fail(error)) this.#onOver(error);
  }

  finish(): void {
    if (this.#line.isDead() || this.#state.closed) return;
    this.#state.ended = true;
    this.#state.finish();
    this.#onOver(undefined);
  }
}
