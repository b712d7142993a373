/**
 * The two directions of a connection as the protocol logic sees them. Implemented over sockets in
 * `*-socket.ts`, and in memory by the tests.
 */

/** What a connection does to its socket. */
export interface Transport {
  /** Address of the other end, for logs. */
  readonly peer: string;
  /** `bytes` stay untouched until `done`, which is called once and never before `write` returned. */
  write(bytes: Uint8Array, done: () => void): void;
  pauseReading(): void;
  resumeReading(): void;
  /** Starts TLS as the server; the consumer's `secured` follows when the client is proven. */
  startTls(): void;
  /** Closes after everything written has gone out. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

/** Where received bytes go. */
export interface ByteSink {
  /** Where the next received bytes go; never empty. */
  space(): Uint8Array;
  /** `count` bytes were put where `space` said. */
  received(count: number): void;
}

/** What a socket tells its connection. */
export interface ByteConsumer extends ByteSink {
  /** TLS is on; `identity` is the name in the client's certificate. */
  secured(identity: string): void;
  /** No more bytes will come and none can be sent. Called once. */
  closed(error: Error | undefined): void;
}
