/** Child process of the kill test: `node serve-device.ts LOG DATA SOCKET` serves a device until it dies. */
import { silentLogger } from '../../../src/core/index.ts';
import { createRealEnv } from '../../../src/core/real-env.ts';
import { blockBackend, openDevice } from '../../../src/wdev/index.ts';
import { listenNbd, NbdServer } from '../../../src/wdev/nbd/index.ts';

const [log, data, socket] = process.argv.slice(2) as [string, string, string];
const env = createRealEnv({ network: undefined as never, log: silentLogger });
const device = await openDevice(env, { log, data, checkpointInterval: 50 });
const server = new NbdServer({ clock: env.clock, log: env.log });
server.addExport('vol', blockBackend(device));
const listener = await listenNbd(server, { kind: 'unix', path: socket });
process.on('SIGTERM', async () => {
  await server.removeExport('vol');
  await listener.close();
  await device.close();
  process.exit(0);
});
process.stdout.write('ready\n');
