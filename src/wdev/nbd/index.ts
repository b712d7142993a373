export * from './backend.ts';
export { type ChangeOptions, NbdClient, type ZeroOptions } from './client.ts';
export { type ConnectOptions, connectNbd, listNbd } from './client-socket.ts';
export { Allocation, TransmissionFlag } from './protocol.ts';
export type { Extent } from './replies.ts';
export { NbdServer, type NbdServerOptions } from './server.ts';
export {
  checkListenAllowed,
  type ListenOptions,
  listenNbd,
  type NbdAddress,
  type NbdListener,
  uriOf,
} from './server-socket.ts';
export type { NbdTls } from './socket-transport.ts';
