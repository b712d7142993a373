/**
 * Mistakes a careful engineer makes once, made on purpose around a server: its Env or its device lies.
 * The group scenario has to catch each of them.
 */
import type { Env, Files } from '../../src/core/index.ts';
import type { VolumeDevice } from '../../src/wdev/volume-device.ts';
import { decodeMetaState } from '../../src/wdiff/index.ts';
import { onWlogTransfer } from './group-spy.ts';

export type GroupFlaw =
  /** The proxy acknowledges log before its diff is synced. */
  | 'proxy-no-sync'
  /** The archive acknowledges diffs before they are synced. */
  | 'archive-no-sync'
  /** The archive syncs diffs, but not their names. */
  | 'archive-no-directory-sync'
  /** The storage frees log when it has sent it, before it is acknowledged. */
  | 'storage-believes-early'
  /** The storage takes snapshots of log that is not on stable storage. */
  | 'storage-no-flush'
  /** The archive applies diffs to its base image without having said so before. */
  | 'archive-forgets-applying'
  /** The storage forgets where it cut a part that it has to send again. */
  | 'storage-forgets-part';

export const GROUP_FLAWS: readonly GroupFlaw[] = [
  'proxy-no-sync',
  'archive-no-sync',
  'archive-no-directory-sync',
  'storage-believes-early',
  'storage-no-flush',
  'storage-forgets-part',
];

/** Those that only show where archives are worked at. */
export const UPKEEP_FLAWS: readonly GroupFlaw[] = ['archive-forgets-applying'];

type Role = 'storage' | 'proxy' | 'archive';

export function flawedEnv(env: Env, flaw: GroupFlaw | undefined, role: Role): Env {
  if (flaw === undefined || !flaw.startsWith(role)) return env;
  if (flaw === 'storage-believes-early') return withoutAcknowledgement(env);
  const { files } = env;
  if (flaw === 'archive-no-directory-sync') {
    return { ...env, files: changed(files, { syncDirectory: async () => {} }) };
  }
  if (flaw === 'archive-forgets-applying') {
    const rename: Files['rename'] = (from, to) => {
      const isApplying = (): boolean =>
        decodeMetaState(bytesOf(files, from), from).applyingTo !== undefined;
      if (to.endsWith('/base') && isApplying()) files.remove(from);
      else files.rename(from, to);
    };
    return { ...env, files: changed(files, { rename }) };
  }
  if (flaw === 'storage-forgets-part') {
    const info: Files['info'] = (path) => (path.endsWith('/part') ? undefined : files.info(path));
    return { ...env, files: changed(files, { info }) };
  }
  if (flaw === 'storage-no-flush') return env;
  const open: Files['open'] = (path, mode) =>
    changed(files.open(path, mode), { sync: async () => {} });
  return { ...env, files: changed(files, { open, syncDirectory: async () => {} }) };
}

function bytesOf(files: Files, path: string): Uint8Array {
  const handle = files.open(path, 'read');
  const bytes = new Uint8Array(handle.size());
  handle.read(bytes, 0);
  handle.close();
  return bytes;
}

export function flawedDevice(device: VolumeDevice, flaw: GroupFlaw | undefined): VolumeDevice {
  if (flaw !== 'storage-no-flush') return device;
  return changed(device, { flush: async () => {} });
}

/** The object with some methods replaced; the others, and private fields, are those of the real one. */
export function changed<T extends object>(real: T, methods: Partial<T>): T {
  return new Proxy(real, {
    get: (target, name) => {
      if (Object.hasOwn(methods, name)) return Reflect.get(methods, name) as unknown;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Once everything is sent, the storage takes it for acknowledged. */
function withoutAcknowledgement(env: Env): Env {
  return onWlogTransfer(env, (stream) => {
    let isSent = false;
    return {
      ...stream,
      send: (message) => {
        isSent = message.message?.$case === 'end';
        return stream.send(message);
      },
      receive: async () =>
        isSent ? { message: { $case: 'ack', value: {} } } : await stream.receive(),
    };
  });
}
