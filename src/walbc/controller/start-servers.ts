/** Starting the server processes of the layout; `shutdown` is the way back. */
import { hasCode, WalbError } from '../../core/index.ts';
import { SHORT_TIMEOUT_SEC, serverKindMap } from '../constants.ts';
import { startable } from '../layout.ts';
import type { ServerParam, ServerStartupParam } from '../servers.ts';
import { verify_server } from '../verify.ts';
import { ReplicationMethods } from './replication.ts';

export class StartServerMethods extends ReplicationMethods {
  /**
   * Starts the process of a server and returns when it answers. It runs on the machine of its address,
   * or where `ssh:` of the layout says (ssh must get there without a password), detached: it goes on
   * when this shell ends. One that runs already is left alone, and said so.
   *
   * The server must be a ServerStartupParam: in walb.yaml, have a `dataDir`. Its process id is in
   * `walb-KIND.pid` there, what it says in its log. Throws `unavailable` with the last lines of the log
   * when it dies, `timeout` after `timeoutS` (with many volumes it takes a while to read them),
   * `conflict` when another server has its address. `shutdown` ends it.
   *
   *     walbc.start_server(s0)
   */
  async start_server(s: ServerParam, timeoutS = SHORT_TIMEOUT_SEC): Promise<void> {
    verify_server(s);
    const server = startable(s);
    if (await this.#answers(s)) {
      this.print(`${s.name}: runs already at ${s.get_host_port()}`);
      return;
    }
    const { startProcessOf } = await import('../start-server/start.ts');
    const { answer, where, logFile } = await startProcessOf(server, this.sLayout, timeoutS * 1000);
    await this.#checkReached(server, answer.pid, where, logFile);
    const how = answer.kind === 'started' ? 'started' : 'runs already';
    this.print(`${s.name}: ${how} on ${where}, pid ${answer.pid}, answers at ${s.get_host_port()}`);
  }

  /**
   * `start_server` for servers (all of the layout unless `sL` is given): archives first, then proxies,
   * then storages. A failure does not keep the others from being started; it is thrown at the end.
   *
   *     walbc.start_servers()
   */
  async start_servers(
    sL: readonly ServerParam[] | null = null,
    timeoutS = SHORT_TIMEOUT_SEC,
  ): Promise<void> {
    const servers = [...(sL ?? this.sLayout.get_all())].sort((a, b) => b.kind - a.kind);
    // Found before the first one is started: a list that can not be started as a whole is a slip.
    for (const server of servers) startable(server);
    const failures: WalbError[] = [];
    for (const server of servers) {
      try {
        await this.start_server(server, timeoutS);
      } catch (thrown) {
        const failure = WalbError.from(thrown);
        if (failure.code === 'cancelled') throw failure;
        failures.push(failure);
      }
    }
    const [first] = failures;
    if (first === undefined) return;
    if (failures.length === 1) throw first;
    const messages = failures.map(({ message }) => message).join('\n');
    throw new WalbError(first.code, `${failures.length} servers were not started:\n${messages}`, {
      details: first.details,
      cause: first,
    });
  }

  /** Whether the server is there. Throws `conflict` when it is one of another kind. */
  async #answers(s: ServerParam): Promise<boolean> {
    let found: string;
    try {
      found = await this.get_host_type(s);
    } catch (error) {
      if (hasCode(error, 'unavailable', 'timeout')) return false;
      throw error;
    }
    const wanted = serverKindMap[s.kind];
    if (found === wanted) return true;
    throw new WalbError(
      'conflict',
      `at ${s.get_host_port()}, the address of ${s.name}, ${an(found)} server answers, not ${an(wanted)} server: correct the layout`,
      { details: { server: s.name, address: s.get_host_port(), found } },
    );
  }

  /** It listens, but perhaps not where the layout says. */
  async #checkReached(
    s: ServerStartupParam,
    pid: number,
    where: string,
    logFile: string,
  ): Promise<void> {
    if (await this.#answers(s)) return;
    throw new WalbError(
      'unavailable',
      `${s.name} runs on ${where} (pid ${pid}) but does not answer at ${s.get_host_port()}: check -listen and TLS in its options, the address in the layout, and firewalls; its log is ${logFile}`,
      { details: { server: s.name, pid, log: logFile } },
    );
  }
}

function an(kind: string): string {
  return kind === 'archive' ? `an ${kind}` : `a ${kind}`;
}
