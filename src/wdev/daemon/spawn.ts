/** Starting, finding and stopping the process of a defined device. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Env, hasCode, type Millis, WalbError } from '../../core/index.ts';
import { type DeviceInfoReply, DeviceRpc } from '../../rpc/index.ts';
import type { DeviceDefinition, DevicePaths } from './definition.ts';

/** A device that was killed redoes its log first, which may take a while. */
const START_TIMEOUT: Millis = 120_000;
const POLL: Millis = 25;
const QUERY_TIMEOUT: Millis = 5_000;
/** Last words of a process that failed, shown to the operator. */
const MAX_LAST_WORDS = 2_000;

/** How a device of the directory is served, after its definition. */
export interface StartOptions {
  readonly sizeLb?: number;
  readonly logBytes?: number;
  readonly pbs?: number;
}

/** What runs for the device now, or undefined. */
export async function runningDevice(
  env: Env,
  paths: DevicePaths,
): Promise<DeviceInfoReply | undefined> {
  const channel = env.network.connect(`unix:${paths.controlSocket}`, { clientId: 'wdev' });
  try {
    return await channel.unary(DeviceRpc.getInfo, {}, { timeout: QUERY_TIMEOUT });
  } catch (error) {
    if (hasCode(error, 'unavailable', 'not-found')) return undefined;
    throw error;
  } finally {
    channel.close();
  }
}

/**
 * Starts the process, detached from this one, and waits until it answers. Throws what it died of, or
 * `timeout` (the process is left to go on: it may have much log to redo).
 */
export async function startDevice(
  env: Env,
  definition: DeviceDefinition,
  paths: DevicePaths,
  options: StartOptions = {},
): Promise<DeviceInfoReply> {
  const log = openSync(paths.serveLog, 'a');
  const logStart = readFileSync(paths.serveLog).length;
  const child = spawn(launcher(), serveArguments(definition, paths, options), {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(`it ended with ${code ?? signal}`));
  });
  let end: string | undefined;
  void ended.then((how) => (end = how));
  const deadline = env.clock.monotonic() + START_TIMEOUT;
  try {
    for (;;) {
      const info = await runningDevice(env, paths);
      if (info !== undefined) return info;
      if (end !== undefined) throw startFailed(definition, paths, end, logStart);
      if (env.clock.monotonic() > deadline) throw startLate(definition, paths);
      await env.clock.sleep(POLL);
    }
  } finally {
    child.unref();
  }
}

/** Asks the process to end and waits until it has. Throws `busy` when it is in use and not forced. */
export async function stopDevice(env: Env, paths: DevicePaths, force: boolean): Promise<boolean> {
  const channel = env.network.connect(`unix:${paths.controlSocket}`, { clientId: 'wdev' });
  try {
    const { pid } = await channel.unary(DeviceRpc.getInfo, {}, { timeout: QUERY_TIMEOUT });
    await channel.unary(DeviceRpc.deleteDevice, { force });
    while (isAlive(pid)) await env.clock.sleep(POLL);
    return true;
  } catch (error) {
    if (hasCode(error, 'unavailable', 'not-found')) return false;
    throw error;
  } finally {
    channel.close();
  }
}

function launcher(): string {
  return fileURLToPath(new URL('../../../bin/walb', import.meta.url));
}

function serveArguments(
  { name, log, data, port }: DeviceDefinition,
  paths: DevicePaths,
  { sizeLb, logBytes, pbs }: StartOptions,
): string[] {
  return [
    ...['wdev', 'serve', '--name', name, '--log', log, '--data', data],
    ...['--socket', paths.nbdSocket, '--control', paths.controlSocket],
    ...(port === undefined ? [] : ['--port', String(port)]),
    ...(sizeLb === undefined ? [] : ['--size', String(sizeLb * 512)]),
    ...(logBytes === undefined ? [] : ['--log-size', String(logBytes)]),
    ...(pbs === undefined ? [] : ['--pbs', String(pbs)]),
  ];
}

function startFailed(
  { name }: DeviceDefinition,
  { serveLog }: DevicePaths,
  end: string,
  logStart: number,
): WalbError {
  const said = readFileSync(serveLog).subarray(logStart).toString('utf8').trim();
  return new WalbError(
    'unavailable',
    `the process of device '${name}' did not start (${end}); ${serveLog} says:\n` +
      said.slice(-MAX_LAST_WORDS),
    { details: { device: name } },
  );
}

function startLate({ name }: DeviceDefinition, { serveLog }: DevicePaths): WalbError {
  return new WalbError(
    'timeout',
    `device '${name}' does not answer yet; it may still be redoing its log, see ${serveLog}`,
    { details: { device: name } },
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
