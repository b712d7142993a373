/**
 * What the controller touches outside its own memory. All has a default; tests and the shell give
 * their own.
 */
import type { Clock, Network } from '../core/index.ts';
import { RealClock } from '../core/real-clock.ts';
import { grpcNetwork, type VolumeView } from '../rpc/index.ts';

/** What a wait is at, for a progress display. */
export interface WaitReport {
  /** Name of the server that is watched; empty where the whole group is. */
  readonly server: string;
  readonly volume: string;
  /** What is waited for, for example `state SyncReady`. */
  readonly what: string;
  /** The last view of the volume; undefined before the first. */
  readonly view: VolumeView | undefined;
  /** Why the server can not be reached at the moment. */
  readonly unreachable: string | undefined;
  /** Of a fact about the group: why it is not so yet. */
  readonly missing?: string;
  readonly elapsedMs: number;
}

export interface Confirmation {
  isOn: boolean;
}

/** A terminal that printed text goes to. */
export interface Screen {
  readonly columns: number;
  readonly colors: boolean;
}

export interface ControllerEnvironment {
  /** How servers are reached: gRPC without TLS, unless given. */
  readonly network?: Network;
  readonly clock?: Clock;
  /** Takes text that methods print, without its last newline: stdout, unless given. */
  readonly print?: (text: string) => void;
  /** Called whenever something that is waited for was looked at; undefined when a wait ended. */
  readonly onWait?: (report: WaitReport | undefined) => void;
  /** What servers call us in their logs: `ctl`, as the original. */
  readonly clientId?: string;
  /** Adds lines for people to `status`: ages, lag, last errors, gaps. */
  readonly human?: boolean;
  /** Asked before something is laid out: the terminal, or undefined for a pipe or a file. */
  readonly screen?: () => Screen | undefined;
  /** Whether a shell asks before calls that lose something; shared by all its controllers. */
  readonly confirmation?: Confirmation;
}

export type FullEnvironment = Required<ControllerEnvironment>;

export function completeEnvironment(given: ControllerEnvironment): FullEnvironment {
  return {
    network: given.network ?? grpcNetwork(),
    clock: given.clock ?? new RealClock(),
    print: given.print ?? ((text) => void process.stdout.write(`${text}\n`)),
    onWait: given.onWait ?? (() => {}),
    clientId: given.clientId ?? 'ctl',
    human: given.human ?? false,
    screen: given.screen ?? (() => undefined),
    confirmation: given.confirmation ?? { isOn: true },
  };
}
