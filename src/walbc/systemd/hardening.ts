/**
 * What a unit may do. Everything a program does not need is taken away; what is left out is left out
 * for a reason:
 *
 * - MemoryDenyWriteExecute: the JavaScript engine writes code and runs it
 * - PrivateDevices, ProtectKernelModules, ProtectClock (which closes all devices but clocks): storages
 *   open devices of the walb driver; an archive on LVM makes device nodes and loads device-mapper targets
 * - ProtectSystem=strict: LVM writes below /etc/lvm and /run
 */
import { quoted, type Section } from './unit-text.ts';

export interface Needs {
  /** Folders that are written to. */
  readonly writes: readonly string[];
  /** Files that are read, programs too. */
  readonly reads?: readonly string[];
  /** Block devices, as a storage does. */
  readonly devices?: boolean;
  /** Runs the LVM tools. */
  readonly lvm?: boolean;
}

const ALWAYS: Section = [
  ['NoNewPrivileges', 'yes'],
  ['ProtectControlGroups', 'yes'],
  ['ProtectHostname', 'yes'],
  ['ProtectKernelLogs', 'yes'],
  ['ProtectKernelTunables', 'yes'],
  ['ProtectProc', 'invisible'],
  // NETLINK: names are resolved with it.
  ['RestrictAddressFamilies', 'AF_UNIX AF_INET AF_INET6 AF_NETLINK'],
  ['RestrictNamespaces', 'yes'],
  ['RestrictRealtime', 'yes'],
  ['RestrictSUIDSGID', 'yes'],
  ['LockPersonality', 'yes'],
  ['SystemCallArchitectures', 'native'],
  ['UMask', '0077'],
];

const PRIVATE_TMP: Section = [['PrivateTmp', 'yes']];

const NO_DEVICES: Section = [
  ['PrivateDevices', 'yes'],
  ['ProtectClock', 'yes'],
  ['ProtectKernelModules', 'yes'],
];

const LVM_FOLDERS = ['-/etc/lvm', '-/run/lvm', '-/run/lock/lvm'];

export function hardening({ writes, reads = [], devices = false, lvm = false }: Needs): Section {
  const folders = lvm ? [...writes, ...LVM_FOLDERS] : writes;
  // What is below /tmp must be that of everybody; what is below /home must be seen at all.
  const usesTmp = [...writes, ...reads].some(isBelow(TEMPORARY));
  const usesHome = [...writes, ...reads].some(isBelow(HOMES));
  return [
    ...ALWAYS,
    ...(usesTmp ? [] : PRIVATE_TMP),
    ...(devices || lvm ? [] : NO_DEVICES),
    ['ProtectHome', usesHome ? 'read-only' : 'yes'],
    ['ProtectSystem', lvm ? 'full' : 'strict'],
    ['ReadWritePaths', folders.map(quoted)],
  ];
}

const TEMPORARY = /^-?\/(var\/)?tmp(\/|$)/;
const HOMES = /^-?\/(home|root|run\/user)(\/|$)/;

function isBelow(folders: RegExp): (path: string) => boolean {
  return (path) => folders.test(path);
}
