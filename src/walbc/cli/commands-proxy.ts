/** Commands of proxy servers (cli.md 1.4, kinds P): archive-info. */
import { WalbError } from '../../core/index.ts';
import { type ArchiveInfo, ProxyRpc } from '../../rpc/index.ts';
import { type CommandContext, type CommandSpec, lines, quietly } from './context.ts';
import { type Args, type ParameterSpec, parseParameters, VOL } from './parameters.ts';
import { compressionText } from './text.ts';

const NAME: ParameterSpec = { name: 'NAME', type: 'text' };
const SETTING: readonly ParameterSpec[] = [
  VOL,
  NAME,
  { name: 'HOSTPORT', type: 'text' },
  { name: 'CMPR', type: 'text', optional: true, default: 'snappy:0:1' },
  { name: 'DELAY_SEC', type: 'u64', optional: true, default: '0' },
];

const MAX_DELAY_SEC = 0xffff_ffff;

/** What follows `archive-info`. */
const ACTIONS: Readonly<Record<string, Pick<CommandSpec, 'parameters' | 'run'>>> = {
  list: {
    parameters: [VOL],
    async run(context, args) {
      return lines(
        (await context.query(ProxyRpc.listArchiveInfo, { volume: args.volume() })).names,
      );
    },
  },
  get: {
    parameters: [VOL, NAME],
    async run(context, args) {
      const request = { volume: args.volume(), archive: args.text('NAME') };
      const info = await context.query(ProxyRpc.getArchiveInfo, request);
      return `${info.address} ${compressionText(info.compression)} ${info.wdiffSendDelaySec}`;
    },
  },
  add: {
    parameters: SETTING,
    run: (context, args) => quietly(context.command(ProxyRpc.addArchiveInfo, setting(args))),
  },
  update: {
    parameters: SETTING,
    run: (context, args) => quietly(context.command(ProxyRpc.updateArchiveInfo, setting(args))),
  },
  delete: {
    parameters: [VOL, NAME],
    run: (context, args) =>
      quietly(
        context.command(ProxyRpc.deleteArchiveInfo, {
          volume: args.volume(),
          archive: args.text('NAME'),
        }),
      ),
  },
};

function setting(args: Args): { volume: string; info: ArchiveInfo } {
  return {
    volume: args.volume(),
    info: {
      name: args.text('NAME'),
      address: args.hostPort(),
      compression: args.compression(),
      wdiffSendDelaySec: args.count('DELAY_SEC', MAX_DELAY_SEC),
    },
  };
}

export const PROXY_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'archive-info',
    kinds: 'P',
    about: 'archives a proxy delivers to: list, get, add, update, delete',
    parameters: [
      { name: 'list|get|add|update|delete', type: 'text' },
      { name: 'VOL ARGS', type: 'words', repeated: true },
    ],
    run: archiveInfo,
  },
];

async function archiveInfo(context: CommandContext, args: Args): Promise<string | undefined> {
  const action = args.text('list|get|add|update|delete');
  if (!Object.hasOwn(ACTIONS, action)) {
    const known = Object.keys(ACTIONS).join(', ');
    throw new WalbError(
      'invalid-argument',
      `bad archive-info command ${action}: expected ${known}`,
    );
  }
  const { parameters, run } = ACTIONS[action] as Pick<CommandSpec, 'parameters' | 'run'>;
  return await run(context, parseParameters(parameters, args.all('VOL ARGS')));
}
