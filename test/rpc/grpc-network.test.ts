import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { grpcNetwork } from '../../src/rpc/index.ts';
import { networkSuite } from './network-suite.ts';

networkSuite('gRPC over TCP', async () => {
  const net = grpcNetwork();
  return { server: net, client: net, address: 'localhost:0' };
});

networkSuite('gRPC over a unix socket', async () => {
  const net = grpcNetwork();
  const folder = mkdtempSync(join(tmpdir(), 'walb-rpc-'));
  return {
    server: net,
    client: net,
    address: `unix:${join(folder, 'socket')}`,
    dispose: async () => rmSync(folder, { recursive: true }),
  };
});
