/** `walb wdev serve`: one device in this process, until a signal or `delete` ends it. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { LB_SIZE, parseCount, parseSize, WalbError } from '../core/index.ts';
import { createRealEnv } from '../core/real-env.ts';
import { createRealLogger } from '../core/real-logger.ts';
import { grpcNetwork } from '../rpc/index.ts';
import { serveDevice } from '../wdev/daemon/index.ts';
import type { NbdAddress, NbdTls } from '../wdev/nbd/index.ts';

interface Options {
  readonly log: string;
  readonly data: string;
  readonly size?: string;
  readonly logSize?: string;
  readonly pbs?: string;
  readonly name?: string;
  readonly socket?: string;
  readonly port?: string;
  readonly host: string;
  readonly control?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
}

export function register(wdev: Command): void {
  wdev
    .command('serve')
    .description('serve one volume over NBD; new files are formatted first')
    .requiredOption('--log <file>', 'log device: a file or block device')
    .requiredOption('--data <file>', 'data image: a file or block device')
    .option('--size <size>', 'size of a new volume; the data image has it when omitted')
    .option('--log-size <size>', 'size of a new log file (256m)')
    .option('--pbs <size>', 'physical block size of a new log: 512 or 4096 (4096)')
    .option('--name <name>', 'device and export name; the data file has it when omitted')
    .option('--socket <path>', 'NBD on a unix socket')
    .option('--port <port>', 'NBD on TCP')
    .option(
      '--host <address>',
      'address for --port; beyond this machine only with TLS',
      '127.0.0.1',
    )
    .option('--control <path>', 'unix socket for walb wdev, wdevc and the storage server')
    .option('--tls-cert <file>', 'certificate of this server, PEM; clients must have one too')
    .option('--tls-key <file>', 'its key')
    .option('--tls-ca <file>', 'authority of the clients')
    .action(serve);
}

async function serve(options: Options): Promise<void> {
  const nbd = addresses(options);
  const tls = tlsOf(options);
  const name = options.name ?? basename(options.data).replace(/\.[^.]*$/, '');
  const log = createRealLogger({ fields: { device: name } });
  const env = createRealEnv({ network: grpcNetwork({ log }), log });
  const served = await serveDevice(env, {
    log: options.log,
    data: options.data,
    name,
    nbd,
    ...(tls === undefined ? {} : { nbdTls: tls }),
    ...(options.size === undefined ? {} : { sizeLb: wholeBlocks(options.size) }),
    ...(options.logSize === undefined ? {} : { logBytes: parseSize(options.logSize) }),
    ...(options.pbs === undefined ? {} : { pbs: parseSize(options.pbs) }),
    ...(options.control === undefined ? {} : { control: options.control }),
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void served.stop());
  }
  const { sizeLb } = await served.device.info();
  log.info({ sizeLb, isNew: served.isNew, nbd: served.uris }, 'device is served');
  process.stdout.write(`${served.uris.join('\n')}\n`);
  await served.stopped;
  log.info({}, 'device is closed');
}

function addresses({ socket, port, host }: Options): NbdAddress[] {
  const found: NbdAddress[] = [];
  if (socket !== undefined) found.push({ kind: 'unix', path: socket });
  if (port !== undefined) {
    found.push({ kind: 'tcp', host, port: parseCount(port, 'port', { min: 0, max: 65535 }) });
  }
  if (found.length > 0) return found;
  throw new WalbError(
    'invalid-argument',
    'say where NBD clients connect: --socket PATH or --port N',
  );
}

function tlsOf({ tlsCert, tlsKey, tlsCa }: Options): NbdTls | undefined {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined || tlsCa === undefined) {
    throw new WalbError(
      'invalid-argument',
      'TLS needs --tls-cert, --tls-key and --tls-ca together',
    );
  }
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw WalbError.from(error, `TLS file ${path}`);
    }
  };
  return { certificate: read(tlsCert), key: read(tlsKey), authority: read(tlsCa) };
}

/** A volume has whole logical blocks. */
export function wholeBlocks(size: string): number {
  const bytes = parseSize(size);
  if (bytes > 0 && bytes % LB_SIZE === 0) return bytes / LB_SIZE;
  throw new WalbError('invalid-argument', `size ${size} is not a multiple of ${LB_SIZE} bytes`);
}
