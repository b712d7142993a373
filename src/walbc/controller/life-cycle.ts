/** Life cycle of a volume at one server (controller-api.md 5.3), but for go_standby (standby.ts). */
import { hasCode, WalbError } from '../../core/index.ts';
import {
  ControlRpc,
  StartRole,
  StopMode,
  StopState,
  TaskKind,
  type VolumeView,
} from '../../rpc/index.ts';
import {
  aActive,
  aArchived,
  aDuringStop,
  aStopped,
  aSyncReady,
  atStart,
  atWdiffRecv,
  K_ARCHIVE,
  K_PROXY,
  K_STORAGE,
  pActive,
  pDuringStop,
  pStopped,
  ptStart,
  SHORT_TIMEOUT_SEC,
  sClear,
  sDuringStopForStandby,
  sDuringStopForTarget,
  sStandby,
  sStopped,
  sSyncReady,
  sTarget,
  stFullSync,
  stHashSync,
  stStartStandby,
  stStartTarget,
  TIMEOUT_SEC,
} from '../constants.ts';
import { describeView } from '../describe.ts';
import type { ServerParam } from '../servers.ts';
import { show, verify_server, verify_server_kind, verify_storage } from '../verify.ts';
import { lastTaskError, WaitMethods } from './waits.ts';

export type StopModeName = 'graceful' | 'force' | 'empty';

const STOP_MODES: Readonly<Record<StopModeName, StopMode>> = {
  graceful: StopMode.GRACEFUL,
  force: StopMode.FORCE,
  empty: StopMode.EMPTY,
};

export class LifeCycleMethods extends WaitMethods {
  /**
   * Makes a volume known to a storage and starts it as Standby: the log of the device is discarded,
   * nothing is delivered. `wdevPath` is the walb device. The volume must be Clear.
   *
   *     walbc.init_storage(s0, 'vol', '/dev/walb/0')
   */
  async init_storage(sx: ServerParam, vol: string, wdevPath: string): Promise<void> {
    verify_storage(sx);
    await this._init(sx, vol, wdevPath);
    await this._go_standby(sx, vol);
  }

  /** Makes a volume known to a storage (with its walb device) or an archive: state SyncReady. */
  async _init(s: ServerParam, vol: string, wdevPath: string | null = null): Promise<void> {
    verify_server_kind(s, [K_STORAGE, K_ARCHIVE]);
    if (s.kind === K_STORAGE && (typeof wdevPath !== 'string' || wdevPath === '')) {
      throw new WalbError('invalid-argument', `init of ${vol} at ${s.name} needs a device path`);
    }
    await this.command(s, ControlRpc.initVolume, { volume: vol, devicePath: wdevPath ?? '' });
  }

  /** From SyncReady to Standby. */
  async _go_standby(sx: ServerParam, vol: string): Promise<void> {
    await this.verify_state(sx, vol, sSyncReady);
    await this.command(sx, ControlRpc.start, { volume: vol, role: StartRole.STANDBY });
    await this._wait_for_state_change(sx, vol, [stStartStandby], [sStandby]);
  }

  /**
   * Resets a stopped volume at a storage (drops all log) or an archive (drops base image and diffs).
   * Then it is SyncReady. Returns when it is done; `timeoutS` bounds the call.
   */
  async reset(s: ServerParam, vol: string, timeoutS = SHORT_TIMEOUT_SEC): Promise<void> {
    verify_server_kind(s, [K_STORAGE, K_ARCHIVE]);
    await this.command(s, ControlRpc.resetVolume, { volume: vol, gid: 0n }, timeoutS);
    await this.verify_state(s, vol, sSyncReady);
  }

  /**
   * Makes a server forget a volume, from wherever that is possible; what it holds of it is deleted.
   * Does nothing for a volume that is Clear already. Throws `wrong-state` while a backup or
   * replication is under way.
   */
  async clear(s: ServerParam, vol: string): Promise<void> {
    verify_server(s);
    if ((await this.get_state(s, vol)) === sClear) return;
    const wanted = await this.#prepareClear(s, vol);
    const state = await this.get_state(s, vol);
    if (!wanted.includes(state)) {
      throw this.wrongState('clear', s, vol, state, wanted);
    }
    await this.command(s, ControlRpc.clearVolume, { volume: vol });
  }

  /** Stops what can be stopped; returns the states it can be cleared from. */
  async #prepareClear(s: ServerParam, vol: string): Promise<readonly string[]> {
    const state = await this.get_state(s, vol);
    switch (s.kind) {
      case K_STORAGE:
        if (state === sTarget || state === sStandby) await this.stop(s, vol, 'force');
        if ((await this.get_state(s, vol)) === sStopped) await this.reset(s, vol);
        return [sSyncReady];
      case K_PROXY:
        if (pActive.includes(state)) await this.stop(s, vol, 'force');
        return [pStopped];
      case K_ARCHIVE:
        // A diff that is just arriving does not matter: the server waits for its end.
        if (state === aArchived || state === atWdiffRecv) await this.stop(s, vol, 'force');
        return [aStopped, aSyncReady];
    }
  }

  /** `clear` at every server of the layout. */
  async _force_clear(vol: string): Promise<void> {
    for (const s of this.sLayout.get_all()) await this.clear(s, vol);
  }

  /**
   * Starts a stopped volume: at a storage it becomes Target (its log is delivered), at a proxy Started,
   * at an archive Archived. Returns when it is.
   */
  async start(s: ServerParam, vol: string): Promise<void> {
    verify_server(s);
    const role = s.kind === K_STORAGE ? StartRole.TARGET : StartRole.UNSPECIFIED;
    await this.command(s, ControlRpc.start, { volume: vol, role });
    const [temporary, goals] = startStates(s);
    await this._wait_for_state_change(s, vol, temporary, goals);
  }

  /**
   * Asks for a stop and returns the state before it. 'graceful' lets running work end, 'force' breaks
   * it off, 'empty' (proxies) delivers everything first. A volume that is Stopped already is left as
   * it is. Continue with `wait_for_stopped`.
   */
  async stop_nbk(s: ServerParam, vol: string, mode: StopModeName = 'graceful'): Promise<string> {
    verify_server(s);
    const stopMode = checkStopMode(mode);
    const state = await this.get_state(s, vol);
    if (state === sStopped) return state;
    await this.#requestStop(s, vol, stopMode);
    return state;
  }

  /**
   * Waits until a stop that was asked for has ended. `prevSt` is the state before it, as stop_nbk
   * returned it; storages need it. Throws when the server has given the stop up.
   */
  async wait_for_stopped(
    s: ServerParam,
    vol: string,
    prevSt: string | null = null,
    timeoutS = TIMEOUT_SEC,
  ): Promise<void> {
    const { during, goals } = stopStates(s, prevSt);
    const what = `state ${goals.join(' or ')}`;
    await this.lookFor(s, vol, what, timeoutS, ({ view }) => {
      if (goals.includes(view.state)) return true;
      if (during.includes(view.state) && view.stopState !== StopState.NOT_STOPPING)
        return undefined;
      throw notStopped(s, what, view);
    });
  }

  /**
   * Stops a volume and waits until it is: Target becomes Stopped, Standby becomes SyncReady, proxies
   * and archives become Stopped. Throws the reason when the server gives up, `wrong-state` for a
   * volume that is Clear or SyncReady.
   *
   *     walbc.stop(p0, 'vol', 'empty')
   */
  async stop(s: ServerParam, vol: string, mode: StopModeName = 'graceful'): Promise<void> {
    verify_server(s);
    const stopMode = checkStopMode(mode);
    if ((await this.get_state(s, vol)) === sStopped) return;
    await this.runTask(s, vol, `stop ${mode} of ${vol}`, TIMEOUT_SEC, () =>
      this.#requestStop(s, vol, stopMode),
    );
  }

  /** Somebody else may stop it at the same moment: that it is Stopped is all we want. */
  async #requestStop(s: ServerParam, vol: string, mode: StopMode): Promise<{ taskId: number }> {
    try {
      return await this.command(s, ControlRpc.stop, { volume: vol, mode });
    } catch (error) {
      if (!hasCode(error, 'wrong-state')) throw error;
      if ((await this.get_state(s, vol)) !== sStopped) throw error;
      return { taskId: 0 };
    }
  }
}

function checkStopMode(mode: string): StopMode {
  if (Object.hasOwn(STOP_MODES, mode)) return STOP_MODES[mode as StopModeName];
  throw new WalbError(
    'invalid-argument',
    `bad stop mode ${show(mode)}: expected 'graceful', 'force' or (proxies) 'empty'`,
  );
}

function startStates(s: ServerParam): [readonly string[], readonly string[]] {
  if (s.kind === K_STORAGE) return [[stStartTarget], [sTarget]];
  if (s.kind === K_PROXY) return [[ptStart], pActive];
  return [[atStart], aActive];
}

/** States a stop passes through, and those it may end in. */
function stopStates(
  s: ServerParam,
  prevSt: string | null,
): { readonly during: readonly string[]; readonly goals: readonly string[] } {
  if (s.kind === K_PROXY) return { during: pDuringStop, goals: [pStopped] };
  if (s.kind === K_ARCHIVE) return { during: aDuringStop, goals: [aStopped] };
  if (prevSt === null) {
    throw new WalbError('invalid-argument', 'wait_for_stopped of a storage needs the state before');
  }
  if (prevSt === stFullSync || prevSt === stHashSync) {
    // The backup is broken off, or ends first and is then stopped as a target.
    const during = [stFullSync, stHashSync, stStartTarget, ...sDuringStopForTarget];
    return { during, goals: [sSyncReady, sStopped] };
  }
  if (prevSt === sStandby) return { during: sDuringStopForStandby, goals: [sSyncReady] };
  return { during: sDuringStopForTarget, goals: [sStopped] };
}

function notStopped(s: ServerParam, what: string, view: VolumeView): WalbError {
  const reason = lastTaskError(view, TaskKind.STOP);
  const message = `wait_for_state_change:bad goal: volume ${view.volume} at ${s.name} is not being stopped to ${what}: ${describeView(view)}${reason}`;
  return new WalbError('wrong-state', message, {
    details: { server: s.name, volume: view.volume, state: view.state },
  });
}
