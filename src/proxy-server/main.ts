/** `walb-proxy`: the proxy server program. */
import { HostType } from '../rpc/index.ts';
import { serverMain } from '../server/program.ts';
import { PROXY_OPTIONS, proxyConfig } from './config.ts';
import { ProxyServer } from './server.ts';

process.exitCode = await serverMain(
  {
    program: 'walb-proxy',
    about: 'Turns log from storage servers into diffs and delivers them to archive servers.',
    hostType: HostType.PROXY,
    options: PROXY_OPTIONS,
    create: (core, options, settings) =>
      new ProxyServer(core, proxyConfig(options, core.log), settings),
  },
  process.argv.slice(2),
);
