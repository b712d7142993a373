/**
 * What all methods of the controller stand on: the layout, one connection per server, calls with
 * their time limits, and following volumes.
 *
 * The sections of the API are layers over each other, one file each, in the order in which they use
 * each other: generic < info < waits < life-cycle < proxy < standby < backup < restore < apply-merge
 * < resize < replication < start-servers. `Controller` is the last one.
 */
import { type Method, WalbError } from '../../core/index.ts';
import { type Accepted, fromErrorInfo, type TaskResult } from '../../rpc/index.ts';
import { ServerConnection } from '../connection.ts';
import { SHORT_TIMEOUT_SEC } from '../constants.ts';
import { describeView } from '../describe.ts';
import {
  type ControllerEnvironment,
  completeEnvironment,
  type FullEnvironment,
} from '../environment.ts';
import { ServerLayout } from '../layout.ts';
import type { ServerParam } from '../servers.ts';
import { show, verify_server } from '../verify.ts';
import type { Seen } from '../watching.ts';
import { type LookExtras, looks } from './looking.ts';
import { inCalls, wrongState } from './ways.ts';

/** Limit of a query when neither the call nor the controller says one, as walbc's `-to`. */
export const DEFAULT_QUERY_SEC = 10;

export class ControllerBase {
  /** Kept for compatibility: commands run in this process. */
  readonly controllerPath: string;
  sLayout: ServerLayout;
  readonly isDebug: boolean;
  /** Seconds each call may take; 0 = the defaults: 10 for queries, 100 for commands. */
  readonly timeoutS: number;
  protected readonly environment: FullEnvironment;
  readonly #connections = new Map<string, ServerConnection>();
  #interruption = new AbortController();

  /**
   *     walbc = Controller('walbc', sLayout)
   *
   * `environment` says how servers are reached and where text goes; all of it has defaults.
   */
  constructor(
    controllerPath: string,
    sLayout: ServerLayout,
    isDebug = false,
    timeoutS = 0,
    environment: ControllerEnvironment = {},
  ) {
    if (!(sLayout instanceof ServerLayout)) {
      throw new WalbError('invalid-argument', `expected a ServerLayout, got ${show(sLayout)}`);
    }
    if (!Number.isFinite(timeoutS) || timeoutS < 0) {
      throw new WalbError('invalid-argument', `bad timeoutS ${show(timeoutS)}: seconds needed`);
    }
    this.controllerPath = controllerPath;
    this.sLayout = sLayout;
    this.isDebug = isDebug;
    this.timeoutS = timeoutS;
    this.environment = completeEnvironment(environment);
  }

  /**
   * Whether an interactive shell asks before calls that lose something. Counts for all controllers of
   * the shell; the library itself never asks.
   */
  get confirm(): boolean {
    return this.environment.confirmation.isOn;
  }

  set confirm(value: boolean) {
    if (typeof value !== 'boolean') {
      throw new WalbError('invalid-argument', `confirm is True or False, not ${show(value)}`);
    }
    this.environment.confirmation.isOn = value;
  }

  toString(): string {
    // As Python writes it.
    return `${this.controllerPath}, [${this.sLayout}], ${this.isDebug ? 'True' : 'False'}`;
  }

  /** Closes the connections. Calls under way are cancelled; the controller can be used again. */
  close(): void {
    this.interrupt('the controller was closed');
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Cancels all calls and waits under way: they throw `cancelled`. What a server has accepted goes on
   * there.
   */
  interrupt(reason = 'interrupted; what a server has accepted goes on there'): void {
    this.#interruption.abort(new WalbError('cancelled', reason));
    this.#interruption = new AbortController();
  }

  protected connection(s: ServerParam): ServerConnection {
    verify_server(s);
    const key = `${s.name} ${s.get_host_port()}`;
    const known = this.#connections.get(key);
    if (known !== undefined) return known;
    const made = new ServerConnection(
      { name: s.name, address: s.get_host_port() },
      {
        network: this.environment.network,
        clientId: this.environment.clientId,
        signal: () => this.#interruption.signal,
      },
    );
    this.#connections.set(key, made);
    return made;
  }

  protected get interrupted(): AbortSignal {
    return this.#interruption.signal;
  }

  protected print(text: string): void {
    this.environment.print(text);
  }

  /** A call that only asks. */
  protected async query<Req, Res>(
    s: ServerParam,
    method: Method<Req, Res, 'unary'>,
    request: Req,
    timeoutS = 0,
  ): Promise<Res> {
    return await this.#call(s, method, request, timeoutS || this.timeoutS || DEFAULT_QUERY_SEC);
  }

  /** A call that does something; the reply may take its time. */
  protected async command<Req, Res>(
    s: ServerParam,
    method: Method<Req, Res, 'unary'>,
    request: Req,
    timeoutS = 0,
  ): Promise<Res> {
    return await this.#call(s, method, request, timeoutS || this.timeoutS || SHORT_TIMEOUT_SEC);
  }

  async #call<Req, Res>(
    s: ServerParam,
    method: Method<Req, Res, 'unary'>,
    request: Req,
    timeoutS: number,
  ): Promise<Res> {
    if (this.isDebug) this.print(`call ${s.name} ${method.path.split('/').at(-1)}`);
    try {
      return await this.connection(s).call(method, request, timeoutS * 1000);
    } catch (error) {
      throw inCalls(WalbError.from(error), s, this.sLayout);
    }
  }

  /** `wrong-state` that says which states would do, and the calls that lead to one. */
  protected wrongState(
    what: string,
    s: ServerParam,
    vol: string,
    state: string,
    needed: readonly string[],
  ): WalbError {
    return wrongState(what, { s, vol, sLayout: this.sLayout }, state, needed);
  }

  /** Looks at a volume as it changes. */
  protected looks(
    s: ServerParam,
    vol: string,
    what: string,
    timeoutS: number,
    extras: LookExtras = {},
  ): AsyncGenerator<Seen, never, undefined> {
    return looks({
      environment: this.environment,
      connection: this.connection(s),
      volume: vol,
      what,
      timeoutS,
      signal: this.interrupted,
      ...extras,
    });
  }

  /** The first result that is not undefined; asked again whenever the volume has changed. */
  protected async lookFor<T>(
    s: ServerParam,
    vol: string,
    what: string,
    timeoutS: number,
    check: (seen: Seen) => T | undefined | Promise<T | undefined>,
    extras: LookExtras = {},
  ): Promise<T> {
    for await (const seen of this.looks(s, vol, what, timeoutS, extras)) {
      const result = await check(seen);
      if (result !== undefined) return result;
    }
    throw new WalbError('internal', 'a watch ended by itself');
  }

  /**
   * Starts a task and waits for its end. Throws the error the task ended with, and `unavailable` when
   * the server was restarted meanwhile, so that nobody knows how it ended.
   */
  protected async runTask(
    s: ServerParam,
    vol: string,
    what: string,
    timeoutS: number,
    start: () => Promise<Accepted>,
  ): Promise<TaskResult | undefined> {
    const watching = this.looks(s, vol, `the end of ${what}`, timeoutS);
    try {
      // The watch is open before the task begins, so neither its end nor a restart is missed.
      const { instance } = (await watching.next()).value;
      const { taskId } = await start();
      if (taskId === 0) return undefined;
      for await (const seen of watching) {
        if (seen.instance !== instance) throw restarted(s, vol, what, seen);
        const result = seen.view.tasks.find((task) => task.taskId === taskId);
        if (result !== undefined) return succeeded(s, what, result);
      }
      throw new WalbError('internal', 'a watch ended by itself');
    } finally {
      await watching.return(undefined as never);
    }
  }
}

/** Returns the result of a task that went well; throws the error of one that did not. */
export function succeeded(s: ServerParam, what: string, result: TaskResult): TaskResult {
  if (result.error === undefined) return result;
  const error = fromErrorInfo(result.error);
  throw new WalbError(error.code, `${what} failed at ${s.name}: ${error.message}`, {
    details: { ...error.details, server: s.name },
    cause: error,
  });
}

function restarted(s: ServerParam, vol: string, what: string, { view }: Seen): WalbError {
  const message = `${s.name} was restarted while ${what} ran, so its outcome is not known; volume ${vol} is now: ${describeView(view)}`;
  return new WalbError('unavailable', message, {
    details: { server: s.name, volume: vol, state: view.state },
  });
}
