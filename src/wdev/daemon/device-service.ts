/**
 * The `Device` control service over one engine: what the storage server needs of a device in another
 * process, and the commands of wdevc (cli.md 3).
 */
import {
  abortError,
  type Binding,
  type Clock,
  type Files,
  LB_SIZE,
  MIB,
  Notifier,
  type Pb,
  WalbError,
} from '../../core/index.ts';
import {
  type DeviceInfoReply,
  DeviceRpc,
  type DeviceState,
  type Empty,
  handle,
} from '../../rpc/index.ts';
import type { WalbDevice } from '../engine/index.ts';
import type { Lsids } from '../volume-device.ts';

/** Largest answer of ReadBlocks; device.proto. */
export const MAX_READ_LB = (4 * MIB) / LB_SIZE;

export interface DeviceServiceOptions {
  readonly device: WalbDevice;
  /** Of the device and its NBD export; the super sector may hold another one, or none. */
  readonly name: string;
  readonly files: Files;
  readonly clock: Clock;
  /** Absolute. */
  readonly logPath: string;
  readonly dataPath: string;
  readonly ringOffsetPb: Pb;
  readonly nbdAddresses: readonly string[];
  readonly pid: number;
  readonly version: string;
  /** Peers that use the device now. */
  readonly clients: () => readonly string[];
  /** Aborts when the process ends: watchers are let go. */
  readonly closing: AbortSignal;
  /** Ends the process in order; called after the reply to DeleteDevice was made. */
  readonly stop: () => void;
}

export function deviceBindings(options: DeviceServiceOptions): Binding[] {
  const { device } = options;
  return [
    handle(DeviceRpc.getInfo, () => infoReply(options)),
    handle(DeviceRpc.getLsids, () => device.lsids()),
    handle(DeviceRpc.isOverflow, async () => ({ value: await device.isOverflow() })),
    handle(DeviceRpc.watchDevice, (_request, context) => watchDevice(options, context.signal)),
    handle(DeviceRpc.flush, async () => {
      await device.flush();
      return device.lsids();
    }),
    handle(DeviceRpc.takeCheckpoint, async () => {
      await device.takeCheckpoint();
      return device.lsids();
    }),
    handle(DeviceRpc.setOldestLsid, ({ lsid }) => done(device.setOldestLsid(lsid))),
    handle(DeviceRpc.resetLog, async () => {
      await device.resetLog();
      return infoReply(options);
    }),
    handle(DeviceRpc.resizeDevice, async ({ sizeLb }) => {
      await device.resize(sizeLb === 0 ? dataSizeLb(options) : sizeLb);
      return infoReply(options);
    }),
    ...freezeBindings(device),
    ...checkpointBindings(device),
    handle(DeviceRpc.getDeviceLogUsage, () => logUsage(device)),
    handle(DeviceRpc.clearLog, ({ timeoutSec }) => done(clearLog(options, timeoutSec))),
    handle(DeviceRpc.readBlocks, async ({ offsetLb, blocks }) =>
      readBlocks(device, offsetLb, blocks),
    ),
    handle(DeviceRpc.deleteDevice, async ({ force }) => deleteDevice(options, force)),
    handle(DeviceRpc.getDeviceVersion, async () => ({ version: options.version })),
  ];
}

function freezeBindings(device: WalbDevice): Binding[] {
  return [
    handle(DeviceRpc.freeze, ({ timeoutSec }) => done(device.freeze(timeoutSec))),
    handle(DeviceRpc.melt, async () => {
      device.melt();
      return {};
    }),
    handle(DeviceRpc.isFrozen, async () => ({ value: device.status.isFrozen })),
    handle(DeviceRpc.isFlushCapable, async () => ({ value: true })),
  ];
}

function checkpointBindings(device: WalbDevice): Binding[] {
  return [
    handle(DeviceRpc.getCheckpointInterval, async () => ({
      intervalMs: device.checkpointInterval,
    })),
    handle(DeviceRpc.setCheckpointInterval, async ({ intervalMs }) => {
      device.setCheckpointInterval(intervalMs);
      return {};
    }),
  ];
}

async function done(work: Promise<unknown>): Promise<Empty> {
  await work;
  return {};
}

async function infoReply(options: DeviceServiceOptions): Promise<DeviceInfoReply> {
  const { name, logPath, dataPath, ringOffsetPb, nbdAddresses, pid } = options;
  const info = await options.device.info();
  return { ...info, name, logPath, dataPath, ringOffsetPb, nbdAddresses: [...nbdAddresses], pid };
}

function dataSizeLb({ files, dataPath }: DeviceServiceOptions): number {
  const info = files.info(dataPath);
  if (info === undefined) throw new WalbError('not-found', `${dataPath} does not exist`);
  return Math.floor(info.size / LB_SIZE);
}

async function logUsage(device: WalbDevice) {
  const { latest, oldest } = await device.lsids();
  const { ringPb } = await device.info();
  return { usagePb: Number(latest - oldest), capacityPb: ringPb };
}

/** The present state, then again after every change, coalesced while the reader is slow. */
async function* watchDevice(
  { device, closing }: DeviceServiceOptions,
  caller: AbortSignal,
): AsyncGenerator<DeviceState, void, undefined> {
  const signal = AbortSignal.any([caller, closing]);
  const changes = new Notifier();
  let isStale = true;
  const cancel = device.watch(() => {
    isStale = true;
    changes.notify();
  });
  try {
    while (!signal.aborted) {
      await changes.until(() => isStale, signal);
      isStale = false;
      yield await deviceState(device);
    }
  } catch (error) {
    // An orderly end, not a failure of the watcher's call.
    if (!closing.aborted) throw error;
  } finally {
    cancel();
  }
}

async function deviceState(device: WalbDevice): Promise<DeviceState> {
  const [lsids, isOverflow, info] = await Promise.all([
    device.lsids(),
    device.isOverflow(),
    device.info(),
  ]);
  const { isFrozen } = device.status;
  return { lsids, isOverflow, isFrozen, sizeLb: info.sizeLb, uuid: info.uuid };
}

/** `clear-wal`: everything logged so far reaches the image, and its log is given up. */
async function clearLog(
  { device, clock }: DeviceServiceOptions,
  timeoutSec: number,
): Promise<void> {
  const timeout = new AbortController();
  const late = new WalbError(
    'timeout',
    `the log was not cleared within ${timeoutSec} s; try again`,
  );
  const cancel =
    timeoutSec > 0 ? clock.after(timeoutSec * 1000, () => timeout.abort(late)) : () => {};
  try {
    await device.flush();
    const { permanent } = await device.lsids();
    let lsids: Lsids = await device.lsids();
    do {
      if (timeout.signal.aborted) throw abortError(timeout.signal);
      await device.takeCheckpoint();
      lsids = await device.lsids();
    } while (lsids.prevWritten < permanent);
    if (lsids.oldest < permanent) await device.setOldestLsid(permanent);
  } finally {
    cancel();
  }
}

function readBlocks(device: WalbDevice, offsetLb: number, blocks: number) {
  if (blocks < 1 || blocks > MAX_READ_LB) {
    throw new WalbError('invalid-argument', `${blocks} blocks asked; 1 to ${MAX_READ_LB} at once`);
  }
  const data = new Uint8Array(blocks * LB_SIZE);
  device.read(offsetLb, data);
  return { data };
}

function deleteDevice(options: DeviceServiceOptions, force: boolean): Empty {
  const clients = options.clients();
  if (clients.length > 0 && !force) {
    throw new WalbError(
      'busy',
      `the device is in use by ${clients.length} NBD client(s): disconnect them or use force`,
      { details: { clients: clients.length } },
    );
  }
  options.clock.after(0, options.stop);
  return {};
}
