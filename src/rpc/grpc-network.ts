/**
 * `Network` over gRPC (@grpc/grpc-js): what real servers and clients use.
 *
 * Addresses are `host:port`, `[v6]:port` or `unix:/path`. Without TLS only this machine can be listened
 * at or connected to. A channel connects at its first call and again at each call after a loss; a
 * connection that stops answering is lost after the keepalive time.
 */
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { type Logger, type Millis, type Network, silentLogger } from '../core/index.ts';
import { channelOver } from './channel.ts';
import { checkClientId } from './client-id.ts';
import { GrpcTransport, type KeepAliveOptions } from './grpc-client.ts';
import { listenGrpc } from './grpc-server.ts';
import type { TlsOptions } from './tls.ts';

/** A dead host must not hold up the choice of another for longer. */
const DEFAULT_CONNECT_TIMEOUT: Millis = 5_000;

/** A lost connection is noticed within half a minute; a busy event loop is not taken for one. */
const DEFAULT_KEEP_ALIVE: KeepAliveOptions = { idle: 15_000, timeout: 15_000 };

export interface GrpcNetworkOptions {
  /** Mutual TLS for every connection; without it nothing leaves this machine. */
  readonly tls?: TlsOptions;
  readonly connectTimeout?: Millis;
  readonly keepAlive?: KeepAliveOptions;
  readonly log?: Logger;
}

export function grpcNetwork(options: GrpcNetworkOptions = {}): Network {
  // grpc-js prints failed connections on stderr by itself; every failure reaches its caller anyway.
  setLogVerbosity(logVerbosity.NONE);
  const { connectTimeout = DEFAULT_CONNECT_TIMEOUT, keepAlive = DEFAULT_KEEP_ALIVE } = options;
  const tls = options.tls === undefined ? {} : { tls: options.tls };
  return {
    connect: (address, { clientId }) => {
      checkClientId(clientId);
      return channelOver(
        new GrpcTransport(address, { ...tls, clientId, connectTimeout, keepAlive }),
      );
    },
    listen: async (address, bindings) => {
      return await listenGrpc(address, bindings, {
        ...tls,
        keepAlive,
        log: options.log ?? silentLogger,
      });
    },
  };
}
