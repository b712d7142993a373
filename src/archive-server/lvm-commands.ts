/**
 * LVM's programs as values: which argument list does what, and what a failure means. Nothing here runs
 * anything; `LvmCommands` does (lvm-runner.ts, or a model in tests).
 *
 * Sizes are bytes and must be multiples of 512 (LVM takes nothing finer).
 *
 * Source: lvcreate(8), lvremove(8), lvrename(8), lvresize(8), lvchange(8), vgs(8), blkdiscard(8).
 */
import { type Bytes, type ErrorCode, WalbError } from '../core/index.ts';
import { GROUP_FIELDS, REPORT_FIELDS } from './lvm-report.ts';

export type LvmProgram =
  | 'vgs'
  | 'lvcreate'
  | 'lvremove'
  | 'lvrename'
  | 'lvresize'
  | 'lvchange'
  | 'blkdiscard';

export interface LvmCommand {
  readonly program: LvmProgram;
  readonly args: readonly string[];
}

export interface LvmResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command to its end. Throws only when it could not be run at all. */
export interface LvmCommands {
  run(command: LvmCommand): Promise<LvmResult>;
}

const REPORT = ['--reportformat', 'json', '--units', 'b', '--nosuffix', '-o'] as const;

/** The group and its logical volumes at once: a command takes a tenth of a second. */
export function listVolumes(group: string): LvmCommand {
  return { program: 'vgs', args: [...REPORT, REPORT_FIELDS.join(','), group] };
}

/** For a group without logical volumes, of which `listVolumes` says nothing. */
export function describeGroup(group: string): LvmCommand {
  return { program: 'vgs', args: [...REPORT, GROUP_FIELDS.join(','), group] };
}

export function createThin(group: string, pool: string, name: string, size: Bytes): LvmCommand {
  const kind = ['--type', 'thin', '--thinpool', pool, '--virtualsize', `${size}b`];
  return { program: 'lvcreate', args: ['--yes', ...kind, '--name', name, group] };
}

export function createPlain(group: string, name: string, size: Bytes): LvmCommand {
  const kind = ['--type', 'linear', '--size', `${size}b`];
  return { program: 'lvcreate', args: ['--yes', ...kind, '--name', name, group] };
}

/** Without `--setactivationskip n` a thin snapshot would stay inactive after a restart of the host. */
export function snapshotThin(
  group: string,
  origin: string,
  name: string,
  permission: 'r' | 'rw',
): LvmCommand {
  const kind = ['--snapshot', '--setactivationskip', 'n', '--permission', permission];
  return { program: 'lvcreate', args: ['--yes', ...kind, '--name', name, `${group}/${origin}`] };
}

/** `extents` is the space for changes, those of the origin and those of the snapshot together. */
export function snapshotPlain(
  group: string,
  origin: string,
  name: string,
  extents: number,
): LvmCommand {
  const kind = ['--snapshot', '--extents', `${extents}`];
  return { program: 'lvcreate', args: ['--yes', ...kind, '--name', name, `${group}/${origin}`] };
}

/** Takes plain snapshots of the volume along without asking: see `requireNoSnapshots`. */
export function removeVolume(group: string, name: string): LvmCommand {
  return { program: 'lvremove', args: ['--force', `${group}/${name}`] };
}

export function renameVolume(group: string, from: string, to: string): LvmCommand {
  return { program: 'lvrename', args: [group, from, to] };
}

export function resizeVolume(group: string, name: string, size: Bytes): LvmCommand {
  return { program: 'lvresize', args: ['--yes', '--size', `${size}b`, `${group}/${name}`] };
}

export function setPermission(group: string, name: string, permission: 'r' | 'rw'): LvmCommand {
  return { program: 'lvchange', args: ['--permission', permission, `${group}/${name}`] };
}

export function changeTag(
  group: string,
  name: string,
  change: 'add' | 'delete',
  tag: string,
): LvmCommand {
  const option = change === 'add' ? '--addtag' : '--deltag';
  return { program: 'lvchange', args: [option, tag, `${group}/${name}`] };
}

export function activate(group: string, name: string): LvmCommand {
  const args = ['--yes', '--activate', 'y', '--ignoreactivationskip', `${group}/${name}`];
  return { program: 'lvchange', args };
}

export function zeroRange(device: string, offset: Bytes, length: Bytes): LvmCommand {
  const range = ['--offset', `${offset}`, '--length', `${length}`];
  return { program: 'blkdiscard', args: ['--zeroout', ...range, device] };
}

/** First match wins. The texts are those of lvm2 2.03 with LC_ALL=C. */
const FAILURES: readonly { readonly pattern: RegExp; code: ErrorCode; advice: string }[] = [
  {
    pattern: /contains a filesystem in use/,
    code: 'busy',
    advice: 'it is mounted: unmount it first',
  },
  {
    pattern: /can be resized only while inactive/,
    code: 'busy',
    advice: 'it has snapshots: remove restored snapshots (del-restored) first',
  },
  {
    pattern: /\bin use\b|is used by|has open|resource busy/i,
    code: 'busy',
    advice: 'somebody has the device open: find out who with `fuser -v` and end that first',
  },
  {
    pattern: /insufficient (free|suitable)|out of (data|metadata) space|reached threshold/i,
    code: 'no-space',
    advice: 'extend the volume group or thin pool, or remove images',
  },
  {
    pattern: /already exists/i,
    code: 'already-exists',
    advice: 'remove it, or find out who made it',
  },
  {
    pattern: /failed to find|not found/i,
    code: 'not-found',
    advice: 'compare with what `lvs` prints',
  },
  {
    pattern: /permission denied|not permitted|must be root/i,
    code: 'permission-denied',
    advice: 'LVM needs root',
  },
  {
    pattern: /too long|is invalid|invalid argument/i,
    code: 'invalid-argument',
    advice: 'see lvm(8) for names and sizes',
  },
];

export function lvmFailure({ program, args }: LvmCommand, result: LvmResult): WalbError {
  const lines = result.stderr.split('\n').map((line) => line.trim());
  const said = lines.filter((line) => line !== '' && !line.startsWith('WARNING:'));
  // Warnings may hold the cause ("out of data space"), the rest is what to show.
  const found = FAILURES.find(({ pattern }) => pattern.test(result.stderr));
  const why = (said.length === 0 ? lines.filter((line) => line !== '') : said).join('; ');
  const advice = found === undefined ? '' : ` (${found.advice})`;
  return new WalbError(
    found?.code ?? 'io',
    `\`${program} ${args.join(' ')}\` failed with ${result.exitCode}: ${why || 'it said nothing'}${advice}`,
    { details: { program, exit: result.exitCode } },
  );
}
