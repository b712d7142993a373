/**
 * Between the terminal and the prompt. While the operator's code runs, Ctrl-C becomes a SIGINT of this
 * process alone (in raw mode the terminal sends none, so servers started by this process live on) and
 * other keys wait for the next prompt. Lines that are pasted go in one by one, each when the one before
 * has been worked off: a block of several lines arrives whole.
 */
import { PassThrough } from 'node:stream';
import { LineReader } from './line-reader.ts';

/** Keys typed ahead; a file dropped on the terminal by mistake is not kept whole. */
const MAX_TYPED_AHEAD = 1024 * 1024;
const CTRL_C = 3;

export interface KeySource extends NodeJS.ReadableStream {
  readonly isTTY?: boolean;
  setRawMode?(mode: boolean): unknown;
}

export class KeyGate extends PassThrough {
  readonly isTTY: boolean;
  readonly #source: KeySource;
  readonly #interrupt: () => void;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isBusy = false;
  #isFeeding = false;
  #isEnded = false;
  #isDetached = false;
  /** Of the question that is being asked. */
  #reader: LineReader | undefined;

  constructor(source: KeySource, interrupt: () => void) {
    super();
    this.#source = source;
    this.#interrupt = interrupt;
    this.isTTY = source.isTTY === true;
    source.on('data', this.#onData);
    source.on('end', this.#onEnd);
  }

  /** Node's line editor asks for this. */
  setRawMode(mode: boolean): this {
    this.#source.setRawMode?.(mode);
    return this;
  }

  /** More was typed, or pasted, than the prompt has taken. */
  get isWaiting(): boolean {
    return this.#waitingBytes > 0;
  }

  /** Code runs from now on. */
  hold(): void {
    this.#isBusy = true;
  }

  /** The prompt is back. */
  release(): void {
    this.#isBusy = false;
    void this.#feed();
  }

  /**
   * One line from the keyboard while code runs, for a question. Shown as it is typed; Ctrl-C, Ctrl-D and
   * the end of the input give undefined. Lines that were pasted together with this one wait for the
   * prompt: they are no answer.
   */
  async question(show: (text: string) => void, signal: AbortSignal): Promise<string | undefined> {
    const reader = new LineReader(show);
    const left = (): void => reader.leave();
    signal.addEventListener('abort', left, { once: true });
    if (signal.aborted || this.#isEnded) reader.leave();
    this.#reader = reader;
    this.#source.resume();
    try {
      return await reader.line;
    } finally {
      this.#reader = undefined;
      signal.removeEventListener('abort', left);
    }
  }

  detach(): void {
    this.#isDetached = true;
    this.#source.off('data', this.#onData);
    this.#source.off('end', this.#onEnd);
    this.#source.pause();
  }

  readonly #onData = (chunk: Buffer | string): void => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (this.#reader !== undefined) {
      this.#reader.take(bytes.toString());
      return;
    }
    const isFull = this.#waitingBytes + bytes.length > MAX_TYPED_AHEAD;
    // Keys are dropped, a pipe waits. Ctrl-C gets through in any case.
    if (isFull && this.isTTY && !bytes.includes(CTRL_C)) return;
    if (isFull && !this.isTTY) this.#source.pause();
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    void this.#feed();
    this.#lookForInterrupt();
  };

  readonly #onEnd = (): void => {
    this.#isEnded = true;
    this.#reader?.leave();
    void this.#feed();
  };

  /** Ctrl-C while code runs; as a terminal does, it drops what was typed ahead. */
  #lookForInterrupt(): void {
    const isInterrupt = this.#waiting.some((bytes) => bytes.includes(CTRL_C));
    if (!this.#isBusy || !this.isTTY || !isInterrupt) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#interrupt();
  }

  /** Passes on line by line; a line that starts a computation stops the flow until `release`. */
  async #feed(): Promise<void> {
    if (this.#isFeeding) return;
    this.#isFeeding = true;
    while (!this.#isBusy && this.#waiting.length > 0) {
      const all = Buffer.concat(this.#waiting);
      const end = endOfLine(all);
      this.#waiting = end < all.length ? [all.subarray(end)] : [];
      this.#waitingBytes = all.length - end;
      this.write(all.subarray(0, end));
      // The line editor reads it in a later turn, and starts the computation in that one.
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isFeeding = false;
    if (this.#waiting.length === 0 && !this.#isDetached) this.#source.resume();
    this.#lookForInterrupt();
    if (this.#isEnded && !this.#isBusy && this.#waiting.length === 0) this.end();
  }
}

/** Index after the first line end; a CR LF counts as one. */
function endOfLine(bytes: Buffer): number {
  const at = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  if (at < 0) return bytes.length;
  return bytes[at] === 0x0d && bytes[at + 1] === 0x0a ? at + 2 : at + 1;
}
