export * from './backend.ts';
export { NbdServer, type NbdServerOptions } from './server.ts';
export {
  type ListenOptions,
  listenNbd,
  type NbdAddress,
  type NbdListener,
  uriOf,
} from './server-socket.ts';
export type { NbdTls } from './socket-transport.ts';
