/** A connection in memory: what the server writes is collected, what a client sends is fed to it. */
import { silentLogger } from '../../../src/core/index.ts';
import { encodeOption, viewOf } from '../../../src/wdev/nbd/options.ts';
import { Option, OptionReply } from '../../../src/wdev/nbd/protocol.ts';
import { encodeRequest, type Request } from '../../../src/wdev/nbd/requests.ts';
import { NbdServer, type NbdServerOptions } from '../../../src/wdev/nbd/server.ts';
import { copyInto } from '../../../src/wdev/nbd/socket-transport.ts';
import type { ByteConsumer, Transport } from '../../../src/wdev/nbd/transport.ts';
import { ManualClock } from './manual-clock.ts';

export class MemoryTransport implements Transport {
  readonly peer = 'memory';
  readonly written: Uint8Array[] = [];
  readonly #pending: (() => void)[] = [];
  isPaused = false;
  isEnded = false;
  isDestroyed = false;
  tlsStarted = false;
  /** While true, nothing written is taken by the other end. */
  isStuck = false;
  consumer: ByteConsumer | undefined;

  write(bytes: Uint8Array, done: () => void): void {
    // Copied when the other end takes it, so that a buffer reused too early shows.
    const take = (): void => {
      if (!this.isDestroyed) this.written.push(Uint8Array.from(bytes));
      done();
    };
    this.#pending.push(take);
    if (!this.isStuck) queueMicrotask(() => this.drain());
  }

  /** The other end takes everything written so far. */
  drain(): void {
    for (const take of this.#pending.splice(0)) take();
  }

  pauseReading(): void {
    this.isPaused = true;
  }

  resumeReading(): void {
    this.isPaused = false;
  }

  startTls(): void {
    this.tlsStarted = true;
  }

  end(): void {
    this.isEnded = true;
    this.#close();
  }

  destroy(): void {
    this.isDestroyed = true;
    this.#close();
  }

  /** Delivers `bytes` in pieces of at most `piece`. */
  feed(bytes: Uint8Array, piece = bytes.length): void {
    for (let at = 0; at < bytes.length; at += piece) {
      copyInto(this.consumer, bytes.subarray(at, at + piece));
    }
  }

  /** Everything the server wrote, as one. */
  output(): Buffer {
    return Buffer.concat(this.written);
  }

  forget(): void {
    this.written.length = 0;
  }

  #close(): void {
    queueMicrotask(() => {
      this.drain();
      this.consumer?.closed(undefined);
    });
  }
}

export function memoryServer(options: Partial<NbdServerOptions> = {}): NbdServer {
  return new NbdServer({ clock: new ManualClock(), log: silentLogger, ...options });
}

export function connect(server: NbdServer, tls = false): MemoryTransport {
  const transport = new MemoryTransport();
  transport.consumer = server.accept(transport, tls ? 'required' : 'unavailable');
  return transport;
}

/** Lets pending microtasks and immediates run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}

export const CLIENT_FLAGS = Uint8Array.of(0, 0, 0, 3);

export interface OptionAnswer {
  readonly option: number;
  readonly type: number;
  readonly payload: Buffer;
}

/** The option replies in `output`, which starts behind the greeting. */
export function optionAnswers(output: Buffer): OptionAnswer[] {
  const answers: OptionAnswer[] = [];
  for (let at = 0; at + 20 <= output.length; ) {
    const length = output.readUInt32BE(at + 16);
    const payload = output.subarray(at + 20, at + 20 + length);
    answers.push({
      option: output.readUInt32BE(at + 8),
      type: output.readUInt32BE(at + 12),
      payload,
    });
    at += 20 + length;
  }
  return answers;
}

/** Negotiates by GO and leaves the connection in the transmission phase with an empty output. */
export async function startTransmission(
  transport: MemoryTransport,
  name: string,
  options: { readonly structured?: boolean; readonly go: Uint8Array; readonly meta?: Uint8Array },
): Promise<void> {
  transport.feed(CLIENT_FLAGS);
  if (options.structured === true) {
    transport.feed(encodeOption(Option.STRUCTURED_REPLY, new Uint8Array(0)));
  }
  if (options.meta !== undefined)
    transport.feed(encodeOption(Option.SET_META_CONTEXT, options.meta));
  transport.feed(encodeOption(Option.GO, options.go));
  await settle();
  const last = optionAnswers(transport.output().subarray(18)).at(-1);
  if (last?.type !== OptionReply.ACK) throw new Error(`export '${name}' was not agreed on`);
  transport.forget();
}

export function requestBytes(request: Partial<Request>, data?: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(28 + (data?.length ?? 0));
  const whole = {
    flags: 0,
    type: 0,
    cookieHigh: 0,
    cookieLow: 0,
    offset: 0,
    length: 0,
    ...request,
  };
  encodeRequest(viewOf(bytes), 0, whole);
  if (data !== undefined) bytes.set(data, 28);
  return bytes;
}

export interface SimpleAnswer {
  readonly errno: number;
  readonly cookie: number;
}

/** Simple replies without data, one after another. */
export function simpleAnswers(output: Buffer): SimpleAnswer[] {
  const answers: SimpleAnswer[] = [];
  for (let at = 0; at < output.length; at += 16) {
    if (output.readUInt32BE(at) !== 0x67446698) throw new Error(`no simple reply at ${at}`);
    answers.push({ errno: output.readUInt32BE(at + 4), cookie: output.readUInt32BE(at + 12) });
  }
  return answers;
}
