/**
 * The group as a whole: its status as a table and as values, gaps, and waits for facts that no single
 * server knows. Not part of the original's API.
 */
import { toUnixSeconds, WalbError } from '../../core/index.ts';
import { ControlRpc } from '../../rpc/index.ts';
import { aDuringHashSync, aDuringReplicate, SHORT_TIMEOUT_SEC, TIMEOUT_SEC } from '../constants.ts';
import { digest } from '../health/digest.ts';
import { formatDuration } from '../health/duration.ts';
import type { GapRow, GroupStatus } from '../health/facts.ts';
import { gapRow, mergeGaps } from '../health/gaps.ts';
import { gather } from '../health/gather.ts';
import { type GroupFact, waitForGroup } from '../health/group-wait.ts';
import { groupTable } from '../health/table.ts';
import { synchronizedFact } from '../health/wait-facts.ts';
import type { ServerParam } from '../servers.ts';
import { type GidLike, toGid, verify_archive } from '../verify.ts';
import { DEFAULT_QUERY_SEC } from './base.ts';
import { StartServerMethods } from './start-servers.ts';

/** Width of a table that does not go to a terminal. */
const PLAIN_COLUMNS = 80;
/** States of an archive that are long work; the short ones are routine. */
const WORKING_STATES: readonly string[] = [...aDuringReplicate, ...aDuringHashSync];

export class HealthMethods extends StartServerMethods {
  /**
   * Prints the state of the group. Without arguments on a terminal: a table of all servers, logs,
   * queues and archives, and what is wrong. With arguments, or where the output goes to a file or a
   * pipe: the text of each server (one, a list; all unless given), of one volume or of the server as a
   * whole. `timeoutS` [s] bounds it.
   *
   *     walbc.status()
   *     walbc.status(s0, 'vol')
   */
  override async status(
    sL: ServerParam | readonly ServerParam[] | null = null,
    vol: string | null = null,
    timeoutS = SHORT_TIMEOUT_SEC,
  ): Promise<void> {
    if (sL === null && vol === null && this.environment.screen() !== undefined) {
      return await this.print_group_status(null, Math.min(timeoutS, DEFAULT_QUERY_SEC));
    }
    await super.status(sL, vol, timeoutS);
  }

  /**
   * The state of the group, or of one volume, as values: `servers`, `volumes` (at storages), `queues`
   * (at proxies), `archives`, `gaps`. All servers are asked at once; one that does not answer within
   * `timeoutS` [s] is there with `isUp` false and the reason.
   *
   *     [row.volume for row in walbc.group_status().archives if row.lagSec > 60]
   */
  async group_status(
    vol: string | null = null,
    timeoutS = DEFAULT_QUERY_SEC,
  ): Promise<GroupStatus> {
    const asked = this.sLayout
      .get_all()
      .map((server) => ({ server, connection: this.connection(server) }));
    const answers = await gather(asked, timeoutS * 1000);
    return digest(answers, toUnixSeconds(this.environment.clock.now()), vol ?? undefined);
  }

  /** Prints it as the table of `status()`, also where the output is no terminal. */
  async print_group_status(vol: string | null = null, timeoutS = DEFAULT_QUERY_SEC): Promise<void> {
    const group = await this.group_status(vol, timeoutS);
    const screen = this.environment.screen() ?? { columns: PLAIN_COLUMNS, colors: false };
    this.print(groupTable(group, screen));
  }

  /**
   * Diffs that are missing at an archive, so that what comes after them can not be used: as the archive
   * and the proxies know it. Empty when nothing is missing. A proxy that does not answer is named in a
   * printed line; the archive has to answer.
   *
   *     for gap in walbc.get_gaps(a0, 'vol'): print(gap.gidB, gap.gidE, gap.advice)
   */
  async get_gaps(ax: ServerParam, vol: string): Promise<GapRow[]> {
    verify_archive(ax);
    const proxies = this.sLayout.proxyL;
    const [own, ...others] = await Promise.all([
      this.#gapsAt(ax, vol, ax.name),
      ...proxies.map((px) => this.#gapsAtProxy(px, vol, ax.name)),
    ]);
    return mergeGaps([...(own ?? []), ...others.flat()]);
  }

  async #gapsAtProxy(px: ServerParam, vol: string, archive: string): Promise<GapRow[]> {
    try {
      return await this.#gapsAt(px, vol, archive);
    } catch (thrown) {
      const error = WalbError.from(thrown);
      if (error.code === 'cancelled') throw error;
      this.print(`get_gaps: what ${px.name} knows is left out: ${error.message}`);
      return [];
    }
  }

  async #gapsAt(s: ServerParam, vol: string, archive: string): Promise<GapRow[]> {
    const { status, now } = await this.query(s, ControlRpc.status, { volume: vol });
    if (status?.$case === 'archiveVolume') {
      return status.value.gaps.map((gap) => gapRow(s.name, vol, archive, gap, now));
    }
    if (status?.$case !== 'proxyVolume') return [];
    return status.value.archives
      .filter((one) => one.archive === archive)
      .flatMap(({ gap }) => (gap === undefined ? [] : [gapRow(s.name, vol, archive, gap, now)]));
  }

  /** Waits until all these servers (of the layout, unless given) answer. Throws `timeout`. */
  async wait_for_up(
    sL: ServerParam | readonly ServerParam[] | null = null,
    timeoutS = TIMEOUT_SEC,
  ): Promise<void> {
    const given = sL === null ? this.sLayout.get_all() : Array.isArray(sL) ? sL : [sL];
    const names = (given as ServerParam[]).map(({ name }) => name);
    await this._wait_for_group(`${names.join(', ')} to be up`, null, timeoutS, ({ servers }) => {
      const down = servers.filter(({ server, isUp }) => names.includes(server) && !isUp);
      if (down.length === 0) return true;
      return down.map(({ server, reason }) => `${server} is down: ${reason}`).join('; ');
    });
  }

  /**
   * Waits until everything written to the volume before the call is at these archives (unless given,
   * at all that proxies send it to). Takes no snapshot. Throws `timeout` with what is on its way where.
   *
   *     walbc.wait_for_synchronized('vol')
   */
  async wait_for_synchronized(
    vol: string,
    axL: ServerParam | readonly ServerParam[] | null = null,
    timeoutS = TIMEOUT_SEC,
  ): Promise<void> {
    const given = axL === null ? [] : Array.isArray(axL) ? axL : [axL];
    for (const ax of given) verify_archive(ax);
    const names = (given as ServerParam[]).map(({ name }) => name);
    const fact = synchronizedFact(vol, names);
    await this._wait_for_group(`volume ${vol} to be synchronized`, vol, timeoutS, fact);
  }

  /**
   * Waits until an archive is less than `seconds` behind, and less than `bytes` where that is given.
   * Throws `timeout` with how far it is behind.
   */
  async wait_for_lag_below(
    ax: ServerParam,
    vol: string,
    seconds: number | null,
    timeoutS = TIMEOUT_SEC,
    bytes: number | null = null,
  ): Promise<void> {
    verify_archive(ax);
    const limits = [
      ...(seconds === null ? [] : [formatDuration(seconds)]),
      ...(bytes === null ? [] : [`${bytes} bytes`]),
    ];
    const what = `volume ${vol} at ${ax.name} to be less than ${limits.join(' and ')} behind`;
    await this._wait_for_group(what, vol, timeoutS, ({ archives, servers }) => {
      const row = archives.find(({ server, volume }) => server === ax.name && volume === vol);
      const host = servers.find(({ server }) => server === ax.name);
      if (host?.isUp === false) return `${ax.name} is down: ${host.reason}`;
      if (row === undefined) return `${ax.name} does not know volume ${vol}`;
      if (row.lagSec === null || row.lagBytes === null) return `no storage backs up volume ${vol}`;
      const isNear =
        (seconds === null || row.lagSec < seconds) && (bytes === null || row.lagBytes < bytes);
      return isNear || `it is ${formatDuration(row.lagSec)} and ${row.lagBytes} bytes behind`;
    });
  }

  /**
   * Waits until a snapshot is restorable, an implicit one too. Throws `conflict` when it never will be:
   * newer ones are, and it is not among them.
   */
  async _wait_for_restorable(
    ax: ServerParam,
    vol: string,
    gid: GidLike,
    timeoutS: number,
  ): Promise<void> {
    verify_archive(ax);
    const wanted = toGid(gid);
    const what = `gid ${wanted} to be restorable`;
    await this.lookFor(ax, vol, what, timeoutS, async ({ view }) => {
      const newest = view.newestRestorableGid;
      if (newest === undefined || newest < wanted) return undefined;
      const gids = await this.get_restorable_gid(ax, vol, 'all');
      if (gids.includes(wanted)) return true;
      throw new WalbError(
        'conflict',
        `gid ${wanted} of volume ${vol} at ${ax.name} is no snapshot, or was merged or applied: the newest restorable one is ${newest}`,
        { details: { server: ax.name, volume: vol, gid: wanted, newest } },
      );
    });
  }

  /** Waits until nothing works on the volume at an archive: no apply, merge, restore, resize, replication or backup. */
  async _wait_for_idle(ax: ServerParam, vol: string, timeoutS: number): Promise<void> {
    verify_archive(ax);
    await this.lookFor(ax, vol, 'the end of all work', timeoutS, ({ view }) =>
      view.actions.some(({ running }) => running > 0) || WORKING_STATES.includes(view.state)
        ? undefined
        : true,
    );
  }

  /** Looks at the group at each change until `fact` is true. */
  async _wait_for_group(
    what: string,
    vol: string | null,
    timeoutS: number,
    fact: GroupFact,
  ): Promise<GroupStatus> {
    const { clock, onWait } = this.environment;
    const began = clock.monotonic();
    const connections = this.sLayout.get_all().map((s) => this.connection(s));
    const limit = timeoutS > 0 ? Math.min(DEFAULT_QUERY_SEC, timeoutS) : DEFAULT_QUERY_SEC;
    const look = (): Promise<GroupStatus> => this.group_status(vol, limit);
    const onLook = (missing: string): void => {
      const elapsedMs = clock.monotonic() - began;
      const nobody = { server: '', view: undefined, unreachable: undefined };
      onWait({ ...nobody, volume: vol ?? '', what, missing, elapsedMs });
    };
    try {
      return await waitForGroup(
        {
          clock,
          connections,
          volume: vol ?? undefined,
          look,
          what,
          timeoutS,
          signal: this.interrupted,
          onLook,
        },
        fact,
      );
    } finally {
      onWait(undefined);
    }
  }
}
