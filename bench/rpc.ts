/**
 * Moving bulk messages and calling: both ends in this process, over loopback TCP. The argument is how
 * many MiB each transfer moves (default 256). Run with the flags of bin/launch.sh for the figures
 * that programs get.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type Bytes, KIB, type Method, MIB, type Network } from '../src/core/index.ts';
import { bulkCodec } from '../src/rpc/bulk-codec.ts';
import { messageCodec } from '../src/rpc/codec.ts';
import {
  ControlRpc,
  grpcNetwork,
  handle,
  MemoryNetwork,
  ProxyRpc,
  WlogDown,
  WlogUp,
} from '../src/rpc/index.ts';
import {
  halfRandom,
  measure,
  measureAsync,
  peakMemoryMiB,
  printRows,
  printTable,
  type Sample,
  startStopwatch,
} from './support.ts';

type Transfer = Method<WlogUp, WlogDown, 'bidi'>;

const TOTAL: Bytes = Number(process.argv[2] ?? 256) * MIB;

/** The same call with the generated codec: what the bulk codec is compared with. */
const generated: Transfer = {
  path: '/walb.bench.Transfer/Generated',
  kind: 'bidi',
  request: messageCodec(WlogUp),
  response: messageCodec(WlogDown),
};

function packs(size: Bytes): WlogUp {
  // A storage sends header and data as they lie in its buffers.
  const data = halfRandom(size);
  const pieces = [data.subarray(0, 4 * KIB), data.subarray(4 * KIB)];
  return { message: { $case: 'packs', value: { pieces } } };
}

/** Sends TOTAL bytes through one call and waits for its acknowledgement. */
async function transfer(network: Network, method: Transfer, size: Bytes): Promise<void> {
  const listener = await network.listen('localhost:0', [
    handle(method, async (stream) => {
      while ((await stream.receive()) !== undefined);
      await stream.send({ message: { $case: 'ack', value: {} } });
    }),
  ]);
  const channel = network.connect(listener.address, { clientId: 'bench' });
  const call = channel.bidi(method);
  const message = packs(size);
  for (let sent = 0; sent < TOTAL; sent += size) await call.send(message);
  await call.end();
  await call.receive();
  channel.close();
  await listener.close();
}

/** The baseline: the same bytes over a bare socket. */
async function bareSocket(size: Bytes): Promise<void> {
  const server = createServer((socket: Socket) => {
    socket.resume().on('end', () => socket.end('ack'));
  }).listen(0, 'localhost');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, 'localhost');
  const data = halfRandom(size);
  for (let sent = 0; sent < TOTAL; sent += size) {
    if (!socket.write(data)) await once(socket, 'drain');
  }
  socket.end();
  await once(socket, 'data');
  server.close();
}

async function timed(name: string, work: () => Promise<void>): Promise<Sample> {
  const stop = startStopwatch();
  await work();
  return { name, amount: TOTAL, unit: 'MB', ...stop.times() };
}

const grpc = grpcNetwork();
const memory = new MemoryNetwork().host('here');

const codecs = [messageCodec(WlogUp), bulkCodec(WlogUp)] as const;
for (const size of [64 * KIB, MIB, 4 * MIB]) {
  const message = packs(size);
  const [plain, bulk] = codecs.map((codec, i) =>
    measure(i === 0 ? 'generated' : 'bulk', size, () => codec.encode(message)),
  );
  printTable(`encode ${size / KIB} KiB`, [plain!, bulk!], plain);
}

for (const size of [64 * KIB, MIB, 4 * MIB]) {
  const socket = await timed('bare socket', () => bareSocket(size));
  const samples = [
    socket,
    await timed('gRPC, generated codec', () => transfer(grpc, generated, size)),
    await timed('gRPC, bulk codec', () => transfer(grpc, ProxyRpc.transferWlog, size)),
    await timed('in memory', () => transfer(memory, ProxyRpc.transferWlog, size)),
  ];
  printTable(`transfer, ${size / KIB} KiB messages`, samples, socket);
}

const unary: Sample[] = [];
for (const [name, network] of [
  ['gRPC', grpc],
  ['in memory', memory],
] as const) {
  const listener = await network.listen('localhost:0', [
    handle(ControlRpc.getState, async () => ({ state: 'Target' })),
  ]);
  const channel = network.connect(listener.address, { clientId: 'bench' });
  const call = (): Promise<unknown> => channel.unary(ControlRpc.getState, { volume: 'vol' });
  unary.push(await measureAsync(name, 1, call, { unit: 'op', seconds: 1 }));
  channel.close();
  await listener.close();
}
printTable('unary calls, one after another', unary, unary[0]);
printRows([['peak memory', `${peakMemoryMiB().toFixed(0)} MiB`]]);
