/**
 * Wait primitives (controller-api.md 5.9). They follow the volume at the server and look again at
 * each change; a server that restarts meanwhile is followed again. `timeout` errors say what was
 * waited for and what was seen last. A limit of 0 looks once.
 */
import { type Gid, WalbError } from '../../core/index.ts';
import { fromErrorInfo, type TaskKind, type VolumeView } from '../../rpc/index.ts';
import { SHORT_TIMEOUT_SEC } from '../constants.ts';
import { describeView } from '../describe.ts';
import type { ServerParam } from '../servers.ts';
import { type GidLike, show, toGid } from '../verify.ts';
import { InfoMethods } from './info.ts';
import type { LookExtras } from './looking.ts';

/** Limit of the waits for what takes a moment. */
const MOMENT_SEC = 10;

export class WaitMethods extends InfoMethods {
  /** Waits until `pred` is true for the state. */
  async _wait_for_state_cond(
    s: ServerParam,
    vol: string,
    pred: (state: string) => boolean | Promise<boolean>,
    msg: string,
    timeoutS = MOMENT_SEC,
  ): Promise<void> {
    await this.lookFor(s, vol, msg, timeoutS, async ({ view }) =>
      (await pred(view.state)) ? true : undefined,
    );
  }

  /** Waits until the state is one of `stateL`. */
  async _wait_for_state(
    s: ServerParam,
    vol: string,
    stateL: readonly string[],
    timeoutS = MOMENT_SEC,
  ): Promise<void> {
    const msg = `state ${stateL.join(' or ')}`;
    await this._wait_for_state_cond(s, vol, (state) => stateL.includes(state), msg, timeoutS);
  }

  /** Waits until the state is none of `stateL`. */
  async _wait_for_not_state(
    s: ServerParam,
    vol: string,
    stateL: readonly string[],
    timeoutS = MOMENT_SEC,
  ): Promise<void> {
    const msg = `a state other than ${stateL.join(', ')}`;
    await this._wait_for_state_cond(s, vol, (state) => !stateL.includes(state), msg, timeoutS);
  }

  /** Waits while the state is one of `tmpStateL`; then it must be one of `goalStateL`. */
  async _wait_for_state_change(
    s: ServerParam,
    vol: string,
    tmpStateL: readonly string[],
    goalStateL: readonly string[] | string,
    timeoutS = MOMENT_SEC,
  ): Promise<void> {
    const goals = typeof goalStateL === 'string' ? [goalStateL] : goalStateL;
    const what = `state ${goals.join(' or ')}`;
    await this.lookFor(s, vol, what, timeoutS, ({ view }) => {
      if (goals.includes(view.state)) return true;
      if (tmpStateL.includes(view.state)) return undefined;
      throw badGoal(s, what, view);
    });
  }

  /** Waits until a snapshot is in the list 'restorable' or 'restored'. */
  async _wait_for_gid(
    ax: ServerParam,
    vol: string,
    gid: GidLike,
    cmd: GidList,
    timeoutS: number,
  ): Promise<void> {
    await this.waitForList({ ax, vol, gid: toGid(gid), cmd, timeoutS, isWanted: true });
  }

  /** Waits until a snapshot is not in that list any more. */
  async _wait_for_not_gid(
    ax: ServerParam,
    vol: string,
    gid: GidLike,
    cmd: GidList,
    timeoutS: number,
  ): Promise<void> {
    await this.waitForList({ ax, vol, gid: toGid(gid), cmd, timeoutS, isWanted: false });
  }

  /** Waits until the image is not there any more. */
  async _wait_for_not_restored(
    ax: ServerParam,
    vol: string,
    gid: GidLike,
    timeoutS = SHORT_TIMEOUT_SEC,
  ): Promise<void> {
    await this._wait_for_not_gid(ax, vol, gid, 'restored', timeoutS);
  }

  /** Waits until an action, such as aaRestore, does not run. */
  async _wait_for_no_action(
    s: ServerParam,
    vol: string,
    action: string,
    timeoutS: number,
  ): Promise<void> {
    this.checkActionOf(s, action);
    await this.waitWhileRunning(s, vol, action, timeoutS);
  }

  /** The view in which the action does not run. */
  protected async waitWhileRunning(
    s: ServerParam,
    vol: string,
    action: string,
    timeoutS: number,
  ): Promise<VolumeView> {
    return await this.lookFor(s, vol, `the end of ${action}`, timeoutS, ({ view }) =>
      view.actions.some((one) => one.action === action && one.running > 0) ? undefined : view,
    );
  }

  protected async waitForList(
    { ax, vol, gid, cmd, timeoutS, isWanted }: ListWait,
    extras: Omit<LookExtras, 'missing'> = {},
  ): Promise<void> {
    const { get, revision } = this.#list(cmd);
    let seen: { readonly key: string; readonly gids: readonly bigint[] } | undefined;
    const what = `gid ${gid} to be ${isWanted ? '' : 'no more '}${cmd}`;
    const missing = (): string => {
      if (seen === undefined) return `the ${cmd} list is not known`;
      return seen.gids.length === 0 ? `nothing is ${cmd}` : `${cmd}: ${summary(seen.gids)}`;
    };
    await this.lookFor(
      ax,
      vol,
      what,
      timeoutS,
      async ({ view, instance }) => {
        const key = `${instance} ${revision(view)} ${view.state}`;
        if (seen?.key !== key) seen = { key, gids: await get(ax, vol) };
        return seen.gids.includes(gid) === isWanted ? true : undefined;
      },
      { ...extras, missing },
    );
  }

  #list(cmd: GidList): {
    get: (ax: ServerParam, vol: string) => Promise<bigint[]>;
    revision: (view: VolumeView) => number;
  } {
    switch (cmd) {
      case 'restorable':
        return {
          get: (ax, vol) => this.get_restorable_gid(ax, vol),
          revision: (view) => view.restorableRevision,
        };
      case 'restored':
        return {
          get: (ax, vol) => this.get_restored(ax, vol),
          revision: (view) => view.restoredRevision,
        };
      case 'cold':
        return {
          get: (ax, vol) => this.get_cold(ax, vol),
          revision: (view) => view.coldRevision,
        };
      default:
        throw new WalbError('invalid-argument', `no list ${show(cmd)} to wait for`);
    }
  }
}

/** Waiting for a snapshot to be in a list of an archive, or to be in it no more. */
export interface ListWait {
  readonly ax: ServerParam;
  readonly vol: string;
  readonly gid: Gid;
  readonly cmd: GidList;
  readonly timeoutS: number;
  readonly isWanted: boolean;
}

export type GidList = 'restorable' | 'restored' | 'cold';

/** The error the newest task of a kind ended with, as text to add to a message. */
export function lastTaskError(view: VolumeView, kind: TaskKind): string {
  const last = view.tasks.findLast((task) => task.kind === kind);
  return last?.error === undefined ? '' : `: ${fromErrorInfo(last.error).message}`;
}

function badGoal(s: ServerParam, what: string, view: VolumeView): WalbError {
  const message = `wait_for_state_change:bad goal: volume ${view.volume} at ${s.name} did not reach ${what}: ${describeView(view)}`;
  return new WalbError('wrong-state', message, {
    details: { server: s.name, volume: view.volume, state: view.state },
  });
}

const SHOWN_GIDS = 5;

function summary(gids: readonly bigint[]): string {
  const last = gids.slice(-SHOWN_GIDS).join(' ');
  return gids.length > SHOWN_GIDS ? `... ${last} (${gids.length} in all)` : last;
}
