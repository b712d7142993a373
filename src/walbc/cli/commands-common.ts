/** Commands that several kinds of servers have (cli.md 1.4). */
import { bytesToLb, WalbError } from '../../core/index.ts';
import {
  ArchiveRpc,
  ControlRpc,
  HostType,
  ProxyRpc,
  ShutdownMode,
  StartRole,
  StopMode,
  StorageRpc,
} from '../../rpc/index.ts';
import { type CommandContext, type CommandSpec, quietly } from './context.ts';
import { ltsv } from './ltsv.ts';
import { type Args, OPTIONAL_VOL, VOL } from './parameters.ts';

const MAX_SLEEP_SEC = 0xffff_ffff;

export const COMMON_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'status',
    kinds: 'SPA',
    about: 'status of the server, or of a volume',
    parameters: [OPTIONAL_VOL],
    async run(context, args) {
      const { statusText } = await import('./status-text.ts');
      const reply = await context.query(ControlRpc.status, { volume: args.optionalVolume() });
      return statusText(reply, context.human).join('\n');
    },
  },
  {
    name: 'init-vol',
    kinds: 'SA',
    about: 'make a volume known; a storage needs its walb device',
    parameters: [VOL, { name: 'WDEV_PATH', type: 'text', optional: true }],
    run: (context, args) =>
      quietly(
        context.command(ControlRpc.initVolume, {
          volume: args.volume(),
          devicePath: args.text('WDEV_PATH'),
        }),
      ),
  },
  {
    name: 'clear-vol',
    kinds: 'SPA',
    about: 'forget a volume and delete what the server holds of it',
    parameters: [VOL],
    run: (context, args) =>
      quietly(context.command(ControlRpc.clearVolume, { volume: args.volume() })),
  },
  {
    name: 'reset-vol',
    kinds: 'SA',
    about: 'drop the log (storage), or base image and diffs (archive)',
    parameters: [VOL, { name: 'GID', type: 'u64', optional: true, default: '0' }],
    run: (context, args) =>
      quietly(context.command(ControlRpc.resetVolume, { volume: args.volume(), gid: args.gid() })),
  },
  {
    name: 'start',
    kinds: 'SPA',
    about: 'start a volume; a storage needs the role target or standby',
    parameters: [VOL, { name: 'ROLE', type: 'text', optional: true }],
    run: (context, args) => {
      const role = args.has('ROLE')
        ? args.choice('ROLE', [StartRole.TARGET, StartRole.STANDBY])
        : StartRole.UNSPECIFIED;
      return quietly(context.command(ControlRpc.start, { volume: args.volume(), role }));
    },
  },
  {
    name: 'stop',
    kinds: 'SPA',
    about: 'stop a volume: graceful, force, or (proxies) empty',
    parameters: [VOL, { name: 'MODE', type: 'text', optional: true, default: 'graceful' }],
    run: (context, args) =>
      quietly(context.command(ControlRpc.stop, { volume: args.volume(), mode: stopMode(args) })),
  },
  {
    name: 'resize',
    kinds: 'SPA',
    about: 'grow a volume',
    parameters: [
      VOL,
      { name: 'SIZE', type: 'size' },
      { name: 'ZEROCLEAR', type: 'text', optional: true },
    ],
    run: resize,
  },
  {
    name: 'kick',
    kinds: 'SP',
    about: 'do now what waits for its time',
    parameters: [OPTIONAL_VOL, { name: 'ARCHIVE', type: 'text', optional: true }],
    run: (context, args) =>
      quietly(
        context.command(ControlRpc.kick, {
          volume: args.optionalVolume(),
          archive: args.text('ARCHIVE'),
        }),
      ),
  },
  {
    name: 'exec',
    kinds: 'SPA',
    about: 'run a program on the server, where it allows that',
    parameters: [{ name: 'CMD', type: 'words', repeated: true }],
    run: exec,
  },
  {
    name: 'shutdown',
    kinds: 'SPA',
    about: 'shut the server down',
    parameters: [{ name: 'MODE', type: 'text', optional: true, default: 'graceful' }],
    run: (context, args) => {
      const mode = args.choice('MODE', [ShutdownMode.GRACEFUL, ShutdownMode.FORCE]);
      return quietly(context.command(ControlRpc.shutdown, { mode }));
    },
  },
  {
    name: 'sleep',
    kinds: 'SPA',
    about: 'debug: keep the server busy with a call',
    parameters: [{ name: 'SEC', type: 'u64', optional: true, default: '1' }],
    run: (context, args) => {
      const seconds = args.count('SEC', MAX_SLEEP_SEC);
      return quietly(context.command(ControlRpc.sleep, { seconds }, seconds));
    },
  },
  {
    name: 'version',
    kinds: 'SPA',
    about: 'version of the server',
    parameters: [],
    async run(context) {
      const reply = await context.query(ControlRpc.getVersion, {});
      return ltsv([
        ['version', reply.version],
        ['build_date', reply.buildDate],
        ['log_version', reply.logVersion],
        ...(reply.commit === '' ? [] : [['commit', reply.commit] as const]),
      ]);
    },
  },
];

/** Only the first letter counts: anything but f... and e... is graceful, the mildest. */
function stopMode(args: Args): StopMode {
  switch (args.text('MODE').charAt(0)) {
    case 'f':
      return StopMode.FORCE;
    case 'e':
      return StopMode.EMPTY;
    default:
      return StopMode.GRACEFUL;
  }
}

async function resize(context: CommandContext, args: Args): Promise<undefined> {
  const volume = args.volume();
  const sizeLb = bytesToLb(args.size());
  if (sizeLb === 0) {
    throw new WalbError('invalid-argument', `bad SIZE ${args.text('SIZE')}: at least 512 bytes`);
  }
  const zeroClear = args.has('ZEROCLEAR') && args.choice('ZEROCLEAR', ['zeroclear']) !== undefined;
  const kind = await context.kind();
  if (kind === HostType.ARCHIVE) {
    return quietly(context.command(ArchiveRpc.resize, { volume, sizeLb, zeroClear }));
  }
  if (zeroClear) {
    throw new WalbError('invalid-argument', `zeroclear is for archives; this is a ${kind} server`);
  }
  const method = kind === HostType.PROXY ? ProxyRpc.resize : StorageRpc.resize;
  return quietly(context.command(method, { volume, sizeLb }));
}

/** stderr of a failed program that goes into the error. */
const MAX_STDERR = 2000;
/** The output is one value; a program that prints more is not for this. */
const MAX_STDOUT = 16 * 1024 * 1024;

async function exec(context: CommandContext, args: Args): Promise<string | undefined> {
  const [program = '', ...rest] = args.all('CMD');
  const out: Uint8Array[] = [];
  let size = 0;
  let err = '';
  const request = { program, arguments: rest };
  for await (const { output } of context.connection.stream(ControlRpc.exec, request)) {
    if (output?.$case === 'stderr') err += Buffer.from(output.value).toString();
    if (output?.$case === 'stdout') {
      size += output.value.length;
      if (size > MAX_STDOUT) {
        throw new WalbError('limit-exceeded', `${program} printed more than ${MAX_STDOUT} bytes`);
      }
      out.push(output.value);
    }
    if (output?.$case !== 'exit') continue;
    const { code, signal } = output.value;
    if (code === 0) return nonEmptyLines(Buffer.concat(out).toString());
    const how = signal === '' ? `exit code ${code}` : `signal ${signal}`;
    throw new WalbError(
      'io',
      `command failed: ${program}: ${how}: ${err.slice(-MAX_STDERR).trim()}`,
      {
        details: { program, exitCode: code, signal },
      },
    );
  }
  throw new WalbError('unavailable', `the output of ${program} was cut off`);
}

function nonEmptyLines(text: string): string | undefined {
  const kept = text.split('\n').filter((line) => line !== '');
  return kept.length === 0 ? undefined : kept.join('\n');
}
