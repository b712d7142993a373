/** A retention plan as an operator reads it before anything is dropped: one line per snapshot. Pure. */
import { formatSizeForHumans, formatTimestamp, type UnixSeconds } from '../../core/index.ts';
import { type Fate, isSettled, type PlannedSnapshot, type RetentionPlan } from './plan.ts';

const ACTIONS: Readonly<Record<Fate, string>> = {
  keep: 'keep',
  pin: 'keep, make explicit',
  apply: 'DROP',
  merge: 'DROP',
  later: 'drop later',
};

const HEADINGS = ['GID', 'UTC', 'LOCAL', 'DIFF', 'ACTION', 'WHY'];
const RIGHT = new Set(['GID', 'DIFF']);

/** `localTime` writes a unix time in the reader's zone. */
export function planText(
  volume: string,
  plan: RetentionPlan,
  localTime: (time: UnixSeconds) => string,
): string[] {
  const rows = plan.snapshots.map((one) => [
    String(one.gid),
    formatTimestamp(one.timestamp),
    localTime(one.timestamp),
    formatSizeForHumans(one.bytes),
    ACTIONS[one.fate],
    one.why,
  ]);
  return [
    ...(plan.hold === undefined ? [] : [`${volume}: nothing is dropped: ${plan.hold}`]),
    ...(rows.length === 0 ? [] : table([HEADINGS, ...rows])),
    ...[...steps(plan), ...plan.notes.map((note) => `note: ${note}`), afterwards(plan)].map(
      (line) => `${volume}: ${line}`,
    ),
  ];
}

function steps(plan: RetentionPlan): string[] {
  const { pin, apply, applyBytes, disable, merge } = plan;
  if (isSettled(plan)) return ['nothing to do'];
  return [
    ...(pin.length === 0 ? [] : [`make ${counted(pin.length, 'snapshot')} explicit`]),
    ...(apply === undefined
      ? []
      : [`move the base image to gid ${apply}: frees ${formatSizeForHumans(applyBytes)} of diffs`]),
    ...(disable.length === 0 ? [] : [`make ${counted(disable.length, 'snapshot')} implicit`]),
    ...merge.map(
      ({ gidB, gidE, bytes, count }) =>
        `merge ${count} diffs ${gidB}-->${gidE} of ${formatSizeForHumans(bytes)}: frees what they overwrite of each other`,
    ),
  ];
}

function afterwards({ snapshots }: RetentionPlan): string {
  const left = snapshots.filter(({ fate }) => fate !== 'apply' && fate !== 'merge');
  const [first, last] = [left[0], left.at(-1)];
  if (first === undefined || last === undefined) return 'afterwards no snapshot can be restored';
  const dropped = snapshots.length - left.length;
  return `afterwards ${counted(left.length, 'snapshot')} can be restored, ${described(first)} to ${described(last)}; ${dropped} dropped`;
}

function described({ gid, timestamp }: PlannedSnapshot): string {
  return `${gid} (${formatTimestamp(timestamp)})`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADINGS.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const width = widths[i] ?? 0;
        return RIGHT.has(HEADINGS[i] ?? '') ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

/** In the zone of this process (TZ). */
export function localTime(time: UnixSeconds): string {
  const options = { dateStyle: 'short', timeStyle: 'long' } as const;
  return new Date(time * 1000).toLocaleString('sv-SE', options);
}
