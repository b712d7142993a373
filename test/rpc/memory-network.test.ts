import { MemoryNetwork } from '../../src/rpc/index.ts';
import { networkSuite } from './network-suite.ts';

networkSuite('memory network, two hosts', async () => {
  const net = new MemoryNetwork();
  return { server: net.host('s0'), client: net.host('ctl'), address: 's0:0' };
});
