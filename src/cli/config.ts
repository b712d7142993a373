/** `walb config`: configuration files of servers, checked before a server is restarted with one. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { WalbError } from '../core/index.ts';
import { OptionError, type OptionSpec, type ProgramSpec } from '../core/original-options.ts';
import { COMMON_OPTIONS, checkCommonOptions, OptionValues } from '../server/common-options.ts';
import { parseWithConfig } from '../server/config-file.ts';

interface Kind {
  readonly options: readonly OptionSpec[];
  /** Throws `invalid-argument` for settings that the server would refuse. */
  readonly check: (values: OptionValues) => unknown;
}

const KINDS: Readonly<Record<string, () => Promise<Kind>>> = {
  storage: async () => {
    const { STORAGE_OPTIONS, storageConfig } = await import('../storage-server/config.ts');
    return { options: STORAGE_OPTIONS, check: storageConfig };
  },
  proxy: async () => {
    const { PROXY_OPTIONS, proxyConfig } = await import('../proxy-server/config.ts');
    return { options: PROXY_OPTIONS, check: proxyConfig };
  },
  archive: async () => {
    const { ARCHIVE_OPTIONS, archiveConfig } = await import('../archive-server/config.ts');
    return { options: ARCHIVE_OPTIONS, check: archiveConfig };
  },
};

export function register(program: Command): void {
  const config = program.command('config').description('configuration files of servers');
  config
    .command('check')
    .description('says whether a server would start with this file, and with which settings')
    .argument('<kind>', 'storage, proxy or archive')
    .argument('<file>', 'YAML or TOML file')
    .action(check);
}

async function check(kindName: string, file: string): Promise<void> {
  const kind = await kindOf(kindName);
  const spec: ProgramSpec = {
    program: `walb-${kindName}`,
    about: '',
    options: [...COMMON_OPTIONS, ...kind.options],
  };
  const values = await valuesOf(spec, file);
  checkCommonOptions(values);
  kind.check(values);
  for (const { name, type } of spec.options) {
    if (name === 'config') continue;
    const value = type === 'flag' ? String(values.has(name)) : values.text(name);
    if (value !== undefined) process.stdout.write(`${name}: ${value}\n`);
  }
  process.stdout.write(`${file}: good for walb-${kindName}\n`);
}

async function kindOf(name: string): Promise<Kind> {
  const load = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  if (load !== undefined) return await load();
  throw new WalbError(
    'invalid-argument',
    `'${name}' is no server kind; there are: ${Object.keys(KINDS).join(', ')}`,
  );
}

async function valuesOf(spec: ProgramSpec, file: string): Promise<OptionValues> {
  try {
    const parsed = await parseWithConfig(spec, ['-config', file], (path) =>
      readFileSync(path, 'utf8'),
    );
    return new OptionValues(spec.options, parsed);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new WalbError('invalid-argument', `${file}: ${error.message}`, { details: { file } });
  }
}
