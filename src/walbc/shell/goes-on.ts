/**
 * What to tell an operator who stopped waiting: whether the servers go on with it. Asked from the
 * server that was waited for, after our side has been cancelled.
 */
import type { Controller } from '../controller/controller.ts';
import type { WaitReport } from '../environment.ts';
import type { RunningCall } from './bridge-host.ts';

/** A server that is asked must answer within this; the operator has just shown to be in a hurry. */
const ASK_MS = 2_000;

/** What the work behind a call is called. */
const NOUNS: Readonly<Record<string, string>> = {
  apply: 'apply',
  full_backup: 'full backup',
  hash_backup: 'hash backup',
  merge: 'merge',
  replicate: 'replication',
  replicate_once: 'replication',
  resize: 'resize',
  resize_archive: 'resize',
  restore: 'restore',
  snapshot: 'snapshot',
  stop: 'stop',
  synchronize: 'synchronizing',
  wait_for_restorable: 'delivery',
  wait_for_restored: 'restore',
  wait_for_replicated: 'replication',
  wait_for_stopped: 'stop',
};

/** States that last by themselves; in any other one a server is at work. */
const STEADY = new Set([
  'Clear',
  'SyncReady',
  'Stopped',
  'Target',
  'Standby',
  'Started',
  'Archived',
  // Deliveries of every day, not what a call started.
  'WlogRecv',
  'WdiffRecv',
]);

export interface ServerFacts {
  readonly server: string;
  readonly volume: string;
  /** What was waited for, for example `gid 5 to be restorable`. */
  readonly what: string;
  /** As answered after the interrupt; undefined when the server did not answer. */
  readonly state: string | undefined;
  /** Running actions as last seen, such as `Restore`. */
  readonly actions: readonly string[];
}

/** For example `the full backup of vol goes on at s0 (FullSync)`. */
export function describeGoesOn(member: string, facts: ServerFacts): string {
  const { server, volume, what, state, actions } = facts;
  const noun = NOUNS[member] || member;
  if (state === undefined) {
    return `${server} did not answer, so the ${noun} of ${volume} may go on there`;
  }
  const work = [...(STEADY.has(state) ? [] : [state]), ...actions];
  return work.length > 0
    ? `the ${noun} of ${volume} goes on at ${server} (${work.join(', ')})`
    : `stopped waiting for ${what} at ${server}; ${volume} is ${state} there, and nothing of it is running`;
}

/** Asks the server that was waited for. '' when the call was not waiting for a volume. */
export async function goesOn(call: RunningCall, report: WaitReport | undefined): Promise<string> {
  if (report === undefined) return '';
  const controller = call.target as Controller;
  const { server, volume, what, view } = report;
  // A wait for the group has started nothing.
  if (server === '') return `stopped waiting for ${what}`;
  const known = controller.sLayout.get_all().find(({ name }) => name === server);
  let state: string | undefined;
  try {
    state = known && (await withinLimit(controller.get_state(known, volume)));
  } catch {
    state = undefined; // Not reachable: that is the answer.
  }
  const running = view?.actions.filter(({ running: count }) => count > 0) ?? [];
  return describeGoesOn(call.member, {
    server,
    volume,
    what,
    state,
    actions: running.map(({ action }) => String(action)),
  });
}

/** Undefined when it takes too long. */
async function withinLimit(answer: Promise<string>): Promise<string | undefined> {
  const limit = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => limit.resolve(undefined), ASK_MS);
  try {
    return await Promise.race([answer, limit.promise]);
  } finally {
    clearTimeout(timer);
  }
}
