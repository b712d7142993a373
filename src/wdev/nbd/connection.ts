/**
 * One client of the NBD server: negotiation, perhaps TLS, then transmission. It owns the received
 * bytes and knows nothing of sockets or timers.
 */
import { type Bytes, type Logger, MIB, type Millis } from '../../core/index.ts';
import {
  type Agreement,
  type ExportCatalogue,
  type NbdExport,
  ServerHandshake,
  type TlsState,
} from './handshake.ts';
import { Intake } from './intake.ts';
import { encodeGreeting } from './options.ts';
import { SlabPool, type SlabStore } from './slabs.ts';
import { Transmission } from './transmission.ts';
import type { ByteConsumer, Transport } from './transport.ts';

/** Answers of the negotiation that wait for a slow client before no more options are read. */
const MAX_UNSENT_ANSWERS: Bytes = MIB;

export interface ConnectionOptions {
  readonly catalogue: ExportCatalogue;
  readonly tls: TlsState;
  readonly store: SlabStore;
  readonly log: Logger;
  readonly monotonic: () => Millis;
  /** The negotiation succeeded. */
  readonly onServing: (served: NbdExport) => void;
  /** The connection is gone. Called once. */
  readonly onClosed: () => void;
}

export class ServerConnection implements ByteConsumer {
  readonly #options: ConnectionOptions;
  readonly #transport: Transport;
  readonly #pool: SlabPool;
  readonly #intake: Intake;
  #handshake: ServerHandshake;
  #transmission: Transmission | undefined;
  #unsent: Bytes = 0;
  #paused = false;
  #ending = false;
  #closed = false;
  #log: Logger;

  constructor(transport: Transport, options: ConnectionOptions) {
    this.#options = options;
    this.#transport = transport;
    this.#log = options.log;
    this.#pool = new SlabPool(options.store);
    this.#intake = new Intake(this.#pool);
    this.#handshake = this.#newHandshake(options.tls);
    this.#answer(encodeGreeting());
  }

  /** Bytes of buffers this connection holds now. */
  get memory(): Bytes {
    return this.#pool.inUse;
  }

  space(): Uint8Array {
    return this.#intake.space();
  }

  received(count: Bytes): void {
    if (this.#closed || this.#ending) return;
    this.#intake.received(count);
    if (this.#transmission === undefined) this.#negotiate();
    else this.#transmission.pump();
  }

  secured(identity: string): void {
    this.#log = this.#log.child({ identity });
    this.#handshake = this.#newHandshake('active');
  }

  closed(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    if (error !== undefined) this.#logLoss(error);
    this.#transmission?.closed();
    this.#intake.release();
    this.#options.onClosed();
  }

  /** Finishes what is under way, refuses what is new, then closes. */
  shutDown(): void {
    if (this.#transmission !== undefined) this.#transmission.shutDown();
    else this.#end(undefined);
  }

  destroy(): void {
    this.#transport.destroy();
  }

  /** Clients that only look around hang up without waiting for the last answer. */
  #logLoss(error: Error): void {
    const served = this.#transmission !== undefined;
    const write = (served ? this.#log.info : this.#log.debug).bind(this.#log);
    write({ err: error }, 'NBD connection lost');
  }

  #newHandshake(tls: TlsState): ServerHandshake {
    const { catalogue } = this.#options;
    return new ServerHandshake({ catalogue, tls, send: (bytes) => this.#answer(bytes) });
  }

  #negotiate(): void {
    const handshake = this.#handshake;
    while (handshake.outcome.kind === 'negotiating') {
      if (this.#unsent > MAX_UNSENT_ANSWERS) {
        this.#pause();
        return;
      }
      const used = handshake.consume(this.#intake.unused());
      this.#intake.consume(used);
      if (used === 0) break;
    }
    const { outcome } = handshake;
    if (outcome.kind === 'agreed') this.#serve(outcome.agreement);
    else if (outcome.kind === 'start-tls') this.#startTls();
    else if (outcome.kind === 'end') this.#end(outcome.fault);
  }

  #serve(agreement: Agreement): void {
    this.#transmission = new Transmission({
      agreement,
      transport: this.#transport,
      intake: this.#intake,
      pool: this.#pool,
      log: this.#log.child({ export: agreement.export.name }),
      monotonic: this.#options.monotonic,
    });
    this.#options.onServing(agreement.export);
    this.#transmission.pump();
  }

  /** Whatever came in the clear behind STARTTLS may be injected; it is never read as if secured. */
  #startTls(): void {
    if (this.#intake.available > 0) this.#end('bytes in the clear behind STARTTLS');
    else this.#transport.startTls();
  }

  #end(fault: string | undefined): void {
    if (fault !== undefined) this.#log.warn({}, `NBD negotiation failed: ${fault}`);
    this.#ending = true;
    this.#transport.end();
  }

  #answer(bytes: Uint8Array): void {
    this.#unsent += bytes.length;
    this.#transport.write(bytes, () => {
      this.#unsent -= bytes.length;
      if (this.#paused && this.#unsent <= MAX_UNSENT_ANSWERS && !this.#closed) this.#resume();
    });
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#transport.pauseReading();
  }

  #resume(): void {
    this.#paused = false;
    this.#transport.resumeReading();
    this.#negotiate();
  }
}
