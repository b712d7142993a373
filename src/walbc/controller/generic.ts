/** Generic methods (controller-api.md 5.1): states, status, kick, shutdown, remote commands. */
import { WalbError } from '../../core/index.ts';
import { ControlRpc, ShutdownMode, type StatusReply } from '../../rpc/index.ts';
import { K_PROXY, K_STORAGE, SHORT_TIMEOUT_SEC, serverKindMap } from '../constants.ts';
import { ServerLayout } from '../layout.ts';
import type { RunCommand } from '../run-command.ts';
import type { ServerParam } from '../servers.ts';
import { show, verify_server, verify_server_kind, verify_shutdown_mode } from '../verify.ts';
import { ControllerBase } from './base.ts';

export type ShutdownModeName = 'graceful' | 'force';

export class GenericMethods extends ControllerBase {
  /**
   * Replaces the layout this controller works with. The servers are not told: a storage server takes
   * its archive and proxies from its own start-up options.
   *
   *     walbc.set_server_layout(ServerLayout([s0, s1], [p0], [a0]))
   */
  set_server_layout(sLayout: ServerLayout): void {
    if (!(sLayout instanceof ServerLayout)) {
      throw new WalbError('invalid-argument', `expected a ServerLayout, got ${show(sLayout)}`);
    }
    this.sLayout = sLayout;
  }

  /**
   * Runs a command of the `walbc` command line at a server and returns what it would print, without
   * white space around it. `putMsg` prints the command and its result; `timeoutS` [s] bounds the
   * call. Throws what the command fails with.
   *
   *     walbc.run_ctl(s0, ['get', 'log-usage', 'vol'])
   */
  async run_ctl(
    s: ServerParam,
    cmdArgs: readonly string[],
    putMsg = false,
    timeoutS = 0,
    quietErr = false,
  ): Promise<string> {
    verify_server(s);
    void quietErr; // Failures are thrown, never printed.
    const { commandOutput } = await import('../cli/execute.ts');
    if (this.isDebug || putMsg) this.print(`run_ctl: ${s.name} ${cmdArgs.join(' ')}`);
    const limit = timeoutS || this.timeoutS;
    const output = await commandOutput(
      {
        connection: this.connection(s),
        clientId: this.environment.clientId,
        human: this.environment.human,
        ...(limit > 0 ? { timeoutS: limit } : {}),
      },
      cmdArgs,
    );
    if (this.isDebug || putMsg) this.print(`run_ctl: result: ${output.trim()}`);
    return output.trim();
  }

  /**
   * Runs a program (full path first) on the host of `s`, without a shell, and returns the lines it
   * prints on stdout, blank ones left out. The server must have been started with `-allow-exec` and
   * that program. Throws when the program fails.
   *
   *     walbc.run_remote_command(s0, ['/bin/hostname'])
   */
  async run_remote_command(
    s: ServerParam,
    args: readonly string[],
    putMsg = false,
    timeoutS = 0,
  ): Promise<string> {
    return await this.run_ctl(s, ['exec', ...args], putMsg, timeoutS);
  }

  /** `run_remote_command` for one server as a function: the `runCommand` of a `Device` there. */
  get_run_remote_command(s: ServerParam): RunCommand {
    verify_server(s);
    return (args, putMsg = false) => this.run_remote_command(s, args, putMsg);
  }

  /** 'storage', 'proxy' or 'archive', as the server says itself. Throws when it does not answer. */
  async get_host_type(s: ServerParam, quietErr = false): Promise<string> {
    void quietErr; // Failures are thrown, never printed.
    return (await this.query(s, ControlRpc.getHostType, {})).hostType;
  }

  /**
   * State of a volume at a server; 'Clear' for a volume it does not know.
   *
   *     walbc.get_state(s0, 'vol')   # 'Target'
   */
  async get_state(s: ServerParam, vol: string): Promise<string> {
    return (await this.query(s, ControlRpc.getState, { volume: vol })).state;
  }

  /**
   * Prints the state of a volume at each server (of the layout, unless `sL` is given), a line each:
   * `name address:port kind STATE`, with `err` and the reason where the server does not answer.
   */
  async get_state_all(vol: string, sL: readonly ServerParam[] | null = null): Promise<void> {
    for (const s of sL ?? this.sLayout.get_all()) {
      let state: string;
      try {
        state = await this.get_state(s, vol);
      } catch (error) {
        state = `err (${WalbError.from(error).message})`;
      }
      this.print(`${s.name} ${s.get_host_port()} ${serverKindMap[s.kind]} ${state}`);
    }
  }

  /** Throws `wrong-state` unless the volume is in this state at `s`. */
  async verify_state(s: ServerParam, vol: string, state: string): Promise<void> {
    const actual = await this.get_state(s, vol);
    if (actual === state) return;
    throw this.wrongState('verify_state: differ', s, vol, actual, [state]);
  }

  /** Names of the volumes a server knows, sorted. */
  async get_vol_list(s: ServerParam): Promise<string[]> {
    return (await this.query(s, ControlRpc.listVolumes, {})).volumes;
  }

  /** Names of the servers of the layout that answer. All are asked at once. */
  async get_alive_server(): Promise<string[]> {
    const servers = this.sLayout.get_all();
    const answers = await Promise.allSettled(servers.map((s) => this.get_host_type(s)));
    return servers.filter((_, i) => answers[i]?.status === 'fulfilled').map((s) => s.name);
  }

  /**
   * Prints the status of servers (one, a list; all of the layout unless given), of one volume or of
   * each server as a whole. A server that does not answer is shown as such. `timeoutS` [s] per server.
   *
   *     walbc.status()
   *     walbc.status(s0, 'vol')
   */
  async status(
    sL: ServerParam | readonly ServerParam[] | null = null,
    vol: string | null = null,
    timeoutS = SHORT_TIMEOUT_SEC,
  ): Promise<void> {
    const { statusText } = await import('../cli/status-text.ts');
    const given = sL === null || Array.isArray(sL) ? ((sL ?? []) as ServerParam[]) : [sL];
    const servers = given.length > 0 ? given : this.sLayout.get_all();
    for (const s of servers as ServerParam[]) {
      let text: string;
      try {
        const reply = await this.query(s, ControlRpc.status, { volume: vol ?? '' }, timeoutS);
        text = statusText(reply, this.environment.human).join('\n');
      } catch (error) {
        text = `err ${WalbError.from(error).message}`;
      }
      const bar = '+'.repeat(20);
      this.print(`${bar} ${s.name} ${bar}\n${text}`);
    }
  }

  /** What `status` prints, as data: of one volume, or of the server as a whole. */
  async _get_status(s: ServerParam, vol: string | null = null, timeoutS = 0): Promise<StatusReply> {
    verify_server(s);
    return await this.query(s, ControlRpc.status, { volume: vol ?? '' }, timeoutS);
  }

  /**
   * Shuts a server down: 'graceful' lets running requests finish, 'force' aborts them. Returns when
   * the server has accepted it; the process ends a moment later.
   */
  async shutdown(s: ServerParam, mode: ShutdownModeName = 'graceful'): Promise<void> {
    verify_shutdown_mode(mode, 'shutdown');
    const value = mode === 'force' ? ShutdownMode.FORCE : ShutdownMode.GRACEFUL;
    await this.command(s, ControlRpc.shutdown, { mode: value });
  }

  /** Shuts servers down one after another. Failures are printed, and the others still done. */
  async shutdown_list(
    sL: readonly ServerParam[],
    mode: ShutdownModeName = 'graceful',
  ): Promise<void> {
    verify_shutdown_mode(mode, 'shutdown_list');
    for (const s of sL) {
      try {
        await this.shutdown(s, mode);
      } catch (error) {
        this.print(`shutdown_list: ${s.name} failed: ${WalbError.from(error).message}`);
      }
    }
  }

  /** Shuts all servers of the layout down, in this mode. Failures are printed. */
  async shutdown_all(mode: ShutdownModeName = 'graceful'): Promise<void> {
    await this.shutdown_list(this.sLayout.get_all(), mode);
  }

  /**
   * Makes storages or proxies do now what waits for its time. All are tried; then the first failure is
   * thrown.
   *
   *     walbc.kick_all([p0, p1])
   */
  async kick_all(sL: readonly ServerParam[]): Promise<void> {
    for (const s of sL) verify_server_kind(s, [K_STORAGE, K_PROXY]);
    await this.atEach(sL, (s) => this.command(s, ControlRpc.kick, { volume: '', archive: '' }));
  }

  /** `kick_all` for the storages of the layout. */
  async kick_storage_all(): Promise<void> {
    await this.kick_all(this.sLayout.storageL);
  }

  /** Makes every proxy of the layout send what it has of `vol` for the archive `ax` now. */
  async kick_proxy(vol: string, ax: ServerParam): Promise<void> {
    await this.atEach(this.sLayout.proxyL, (s) =>
      this.command(s, ControlRpc.kick, { volume: vol, archive: ax.name }),
    );
  }

  /** Tries all servers, then throws the first failure (they say which server). */
  protected async atEach(
    servers: readonly ServerParam[],
    run: (s: ServerParam) => Promise<unknown>,
  ): Promise<void> {
    const failures: unknown[] = [];
    for (const s of servers) {
      try {
        await run(s);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
