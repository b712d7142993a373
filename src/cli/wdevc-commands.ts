/** The commands of wdevc as a table: parameters, options, what they do. Source: cli.md 3. */
import { resolve } from 'node:path';
import { type Channel, hasCode, WalbError } from '../core/index.ts';
import { type OptionSpec, parseOriginalInteger } from '../core/original-options.ts';
import { DeviceRpc, type Lsids } from '../rpc/index.ts';
import { checkDeviceName, startDevice, stopDevice } from '../wdev/daemon/index.ts';
import { readSuperSector } from '../wlog/index.ts';
import { call, nameOf, type WdevcContext } from './wdevc-device.ts';
import { formatLdev } from './wdevc-format.ts';

export interface WdevcArguments {
  readonly parameters: readonly string[];
  /** Option name to value; a flag that was given has the empty string. */
  readonly options: ReadonlyMap<string, string>;
}

export interface WdevcCommand {
  readonly about: string;
  /** Names of the parameters; those in brackets may be left out. */
  readonly parameters: readonly string[];
  readonly options?: readonly OptionSpec[];
  /** Lines for stdout. */
  readonly run: (context: WdevcContext, args: WdevcArguments) => Promise<readonly string[]>;
}

/** Names of parameters that must be integers. */
export const INTEGER_PARAMETERS: ReadonlySet<string> = new Set([
  ...['MS', 'LSID', '[SEC]', '[TIMEOUT_SEC]', '[SIZE_LB]'],
]);

/** Block device numbers belong to the kernel; a device in user space has none. */
const NO_MAJOR = 0;

const NAME: OptionSpec = { name: 'n', type: 'string', help: 'device name' };

/** Limits of the driver's queues: taken for its sake, the engine bounds its memory by itself. */
const DRIVER_OPTIONS: readonly OptionSpec[] = [
  { name: 'maxl', type: 'integer', help: 'largest pack [KiB]', default: '32' },
  { name: 'maxp', type: 'integer', help: 'pending data to stop at [MiB]', default: '32' },
  { name: 'minp', type: 'integer', help: 'pending data to go on at [MiB]', default: '16' },
  { name: 'qp', type: 'integer', help: 'longest stop [ms]', default: '100' },
  { name: 'fs', type: 'integer', help: 'flush after so much [MiB]', default: '16' },
  { name: 'fp', type: 'integer', help: 'flush after so long [ms]', default: '100' },
  { name: 'bp', type: 'integer', help: 'packs in bulk', default: '128' },
  { name: 'bi', type: 'integer', help: 'IOs in bulk', default: '1024' },
];

export const COMMANDS: Readonly<Record<string, WdevcCommand>> = {
  'format-ldev': {
    about: 'make an empty log',
    parameters: ['LDEV', 'DDEV'],
    options: [NAME, { name: 'nd', type: 'flag', help: 'do not discard the log device first' }],
    run: ({ env }, { parameters, options }) => {
      const [ldev = '', ddev = ''] = parameters;
      const name = options.get('n') ?? '';
      return formatLdev(env, { ldev, ddev, name, discard: !options.has('nd') });
    },
  },
  'create-wdev': {
    about: 'create and start a device',
    parameters: ['LDEV', 'DDEV'],
    options: [NAME, ...DRIVER_OPTIONS],
    run: createDevice,
  },
  'delete-wdev': {
    about: 'stop a device and forget it; log and data stay',
    parameters: ['WDEV'],
    options: [{ name: 'f', type: 'flag', help: 'even while it is in use' }],
    run: deleteDevice,
  },
  list: {
    about: 'devices: major, minor, name',
    parameters: [],
    run: async ({ directory }) => directory.names().map((name, i) => `${NO_MAJOR} ${i} ${name}`),
  },
  'set-checkpoint-interval': action(
    'set the checkpoint interval',
    ['MS'],
    async (channel, [ms]) => {
      const intervalMs = integer(ms, 'MS');
      await channel.unary(DeviceRpc.setCheckpointInterval, { intervalMs });
    },
  ),
  'get-checkpoint-interval': query('checkpoint interval [ms]', async (channel) => {
    return (await channel.unary(DeviceRpc.getCheckpointInterval, {})).intervalMs;
  }),
  'force-checkpoint': action('take a checkpoint now', [], async (channel) => {
    await channel.unary(DeviceRpc.takeCheckpoint, {});
  }),
  'set-oldest-lsid': action('give log up', ['LSID'], async (channel, [lsid]) => {
    const oldest = parseOriginalInteger(lsid as string, 'LSID');
    await channel.unary(DeviceRpc.setOldestLsid, { lsid: oldest });
  }),
  'get-oldest-lsid': lsidQuery('oldest'),
  'get-written-lsid': lsidQuery('written'),
  'get-permanent-lsid': lsidQuery('permanent'),
  'get-completed-lsid': lsidQuery('completed'),
  'get-log-usage': query('log in use [physical blocks]', async (channel) => {
    return (await channel.unary(DeviceRpc.getDeviceLogUsage, {})).usagePb;
  }),
  'get-log-capacity': query('size of the ring [physical blocks]', async (channel) => {
    return (await channel.unary(DeviceRpc.getDeviceLogUsage, {})).capacityPb;
  }),
  'is-flush-capable': query('whether flushes reach stable storage', async (channel) => {
    return flag(await channel.unary(DeviceRpc.isFlushCapable, {}));
  }),
  'is-log-overflow': query('whether log was lost', async (channel) => {
    return flag(await channel.unary(DeviceRpc.isOverflow, {}));
  }),
  // The name is the original's.
  'is-flozen': query('whether writes are held back', async (channel) => {
    return flag(await channel.unary(DeviceRpc.isFrozen, {}));
  }),
  'reset-wal': action('drop all log, begin a new history', [], async (channel) => {
    await channel.unary(DeviceRpc.resetLog, {});
  }),
  'clear-wal': action(
    'give all log up once it is in the data',
    ['[TIMEOUT_SEC]'],
    async (channel, [sec]) => {
      await channel.unary(DeviceRpc.clearLog, { timeoutSec: integer(sec ?? '0', 'TIMEOUT_SEC') });
    },
  ),
  freeze: action('hold writes back', ['[SEC]'], async (channel, [sec]) => {
    await channel.unary(DeviceRpc.freeze, { timeoutSec: integer(sec ?? '0', 'SEC') });
  }),
  melt: action('let writes go on', [], async (channel) => {
    await channel.unary(DeviceRpc.melt, {});
  }),
  resize: action('grow; 0 = size of the data device', ['[SIZE_LB]'], async (channel, [size]) => {
    await channel.unary(DeviceRpc.resizeDevice, { sizeLb: integer(size ?? '0', 'SIZE_LB') });
  }),
  'get-version': {
    about: 'version of the device',
    parameters: ['[WDEV]'],
    run: async (context, { parameters }) => {
      const wdev = parameters[0] ?? context.directory.names()[0];
      if (wdev === undefined) throw new WalbError('not-found', 'no device to ask');
      return call(context, wdev, async (channel) => [
        (await channel.unary(DeviceRpc.getDeviceVersion, {})).version,
      ]);
    },
  },
  // Beyond the original, whose callers read sysfs: a device in user space is not there.
  'get-size-lb': query('size [logical blocks]', async (channel) => {
    return (await channel.unary(DeviceRpc.getInfo, {})).sizeLb;
  }),
  'get-lsids': {
    about: 'all positions, as the driver shows them in sysfs',
    parameters: ['WDEV'],
    run: (context, { parameters }) =>
      call(context, parameters[0] as string, async (channel) =>
        lsidLines(await channel.unary(DeviceRpc.getLsids, {})),
      ),
  },
};

function action(
  about: string,
  parameters: readonly string[],
  act: (channel: Channel, args: readonly string[]) => Promise<void>,
): WdevcCommand {
  return {
    about,
    parameters: ['WDEV', ...parameters],
    run: async (context, args) => {
      const [wdev = '', ...rest] = args.parameters;
      await call(context, wdev, (channel) => act(channel, rest));
      return [];
    },
  };
}

function query(about: string, ask: (channel: Channel) => Promise<number | bigint>): WdevcCommand {
  return {
    about,
    parameters: ['WDEV'],
    run: async (context, { parameters }) =>
      call(context, parameters[0] as string, async (channel) => [String(await ask(channel))]),
  };
}

function lsidQuery(position: keyof Lsids): WdevcCommand {
  return query(`${position} lsid`, async (channel) => {
    return (await channel.unary(DeviceRpc.getLsids, {}))[position];
  });
}

function lsidLines(lsids: Lsids): string[] {
  const { prevWritten, oldest, ...rest } = lsids;
  const all = { ...rest, prev_written: prevWritten, oldest };
  return Object.entries(all).map(([name, value]) => `${name} ${value}`);
}

function flag({ value }: { readonly value: boolean }): number {
  return value ? 1 : 0;
}

function integer(text: string | undefined, what: string): number {
  const value = Number(parseOriginalInteger(text ?? '', what));
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new WalbError('invalid-argument', `${what} ${text} is out of range`);
}

/** As in the driver, the log device must have been formatted before. */
async function createDevice(
  { env, directory }: WdevcContext,
  { parameters, options }: WdevcArguments,
): Promise<string[]> {
  const [ldev, ddev] = parameters.map((path) => resolve(path)) as [string, string];
  const file = env.files.open(ldev, 'read');
  let formatted: string | undefined;
  try {
    formatted = readSuperSector(file).name;
  } catch (error) {
    if (!hasCode(error, 'corrupt')) throw error;
    throw new WalbError('corrupt', `${ldev} is no log device: run 'wdevc format-ldev' first`, {
      cause: error,
    });
  } finally {
    file.close();
  }
  const names = directory.names();
  const name = options.get('n') ?? (formatted || firstFree(names));
  const definition = { name: checkDeviceName(name), log: ldev, data: ddev, port: undefined };
  await directory.add(definition);
  try {
    await startDevice(env, definition, directory.paths(name));
  } catch (error) {
    await directory.remove(name, { withData: false });
    throw error;
  }
  return [`name ${name}`, `major ${NO_MAJOR}`, `minor ${directory.names().indexOf(name)}`];
}

/** Devices without a name are numbered. */
function firstFree(names: readonly string[]): string {
  let number = 0;
  while (names.includes(String(number))) number++;
  return String(number);
}

async function deleteDevice(
  context: WdevcContext,
  { parameters, options }: WdevcArguments,
): Promise<string[]> {
  const { env, directory } = context;
  const name = nameOf(context, parameters[0] as string);
  await stopDevice(env, directory.paths(name), options.has('f'));
  await directory.remove(name, { withData: false });
  return [];
}
