/** What the commands of wdevc share: the device directory, and a connection to one device. */
import { type Channel, type Env, WalbError } from '../core/index.ts';
import { type DeviceDirectory, deviceNameOf } from '../wdev/daemon/index.ts';

export interface WdevcContext {
  readonly env: Env;
  readonly directory: DeviceDirectory;
}

/** NAME of a WDEV argument: `/dev/walb/NAME`, or NAME itself. */
export function nameOf({ directory }: WdevcContext, wdev: string): string {
  const name = deviceNameOf(wdev);
  if (name === undefined) {
    throw new WalbError(
      'invalid-argument',
      `${wdev} is no walb device: /dev/walb/NAME is expected`,
    );
  }
  return directory.get(name).name;
}

/** Calls the device's process. Throws `unavailable`, saying what to do, when it does not run. */
export async function call<T>(
  context: WdevcContext,
  wdev: string,
  use: (channel: Channel) => Promise<T>,
): Promise<T> {
  const name = nameOf(context, wdev);
  const { controlSocket } = context.directory.paths(name);
  const channel = context.env.network.connect(`unix:${controlSocket}`, { clientId: 'wdevc' });
  try {
    return await use(channel);
  } catch (thrown) {
    const error = WalbError.from(thrown);
    if (error.code !== 'unavailable') throw error;
    const message = `${wdev} does not run: start it with 'walb wdev start ${name}'`;
    throw new WalbError('unavailable', message, { cause: error });
  } finally {
    channel.close();
  }
}
