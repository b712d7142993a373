/**
 * What `walb worker` and `walb prune` are given: configuration files (`-f`, `-` is stdin), or the
 * address of an archive from a layout file, and TLS from that layout or the environment.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { WalbError } from '../core/index.ts';
import { grpcNetwork, type TlsOptions } from '../rpc/index.ts';
import { tlsFrom } from '../walbc/cli/tls.ts';
import type { ControllerEnvironment } from '../walbc/environment.ts';
import { AuditLog, auditFileOf, originOf } from '../walbc/safety/audit-log.ts';
import { loadLayout } from '../walbc/shell/layout-file.ts';
import { get_server } from '../walbc/utilities.ts';
import { type WorkerConfig, workerConfig } from '../walbc/worker/config.ts';
import type { ConfigTree } from '../walbc/worker/config-values.ts';

export interface WorkerInput {
  readonly config: WorkerConfig;
  readonly environment: ControllerEnvironment;
}

export interface InputOptions {
  readonly file?: readonly string[];
  readonly layout?: string;
  readonly archive?: string;
}

/** Collects the values of an option that is given several times. */
export function collect(word: string, before: readonly string[] = []): string[] {
  return [...before, word];
}

/** Where what is done is recorded, as walbc does. */
export function openAudit(name: 'worker' | 'prune', { layout = '' }: InputOptions): AuditLog {
  const origin = originOf(process.env, hostname(), { interface: name, layout });
  const warn = (text: string): void => void process.stderr.write(`${text}\n`);
  return new AuditLog({ file: auditFileOf(process.env), origin, warn });
}

/** Throws `invalid-argument`, or what reading a file fails with. */
export async function readInput(options: InputOptions): Promise<WorkerInput> {
  const fromLayout = await archiveOfLayout(options);
  const trees = await Promise.all((options.file ?? []).map(readTree));
  const config = workerConfig([...(fromLayout === undefined ? [] : [fromLayout.tree]), ...trees]);
  const tls = fromLayout?.tls ?? tlsFrom(new Map(), process.env);
  return { config, environment: tls === undefined ? {} : { network: grpcNetwork({ tls }) } };
}

/** `general` of the configuration, taken from the layout. */
async function archiveOfLayout({
  layout: file,
  archive,
}: InputOptions): Promise<{ tree: ConfigTree; tls: TlsOptions | undefined } | undefined> {
  if (file === undefined && archive === undefined) return undefined;
  if (file === undefined || archive === undefined) {
    throw new WalbError('invalid-argument', '--layout and --archive go together');
  }
  const { layout, tls } = await loadLayout(file);
  const { address, port } = get_server(archive, layout.archiveL);
  return { tree: { general: { addr: address, port } }, tls };
}

async function readTree(file: string): Promise<ConfigTree> {
  const { parse } = await import('yaml');
  try {
    const tree: unknown = parse(readFileSync(file === '-' ? 0 : file, 'utf8'));
    if (typeof tree === 'object' && tree !== null && !Array.isArray(tree))
      return tree as ConfigTree;
  } catch (error) {
    const { code, message } = WalbError.from(error);
    throw new WalbError(code === 'internal' ? 'invalid-argument' : code, `${file}: ${message}`);
  }
  throw new WalbError(
    'invalid-argument',
    `${file}: must hold sections: general, apply, merge, retention, repl`,
  );
}
