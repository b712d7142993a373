/**
 * A library whose controller answers from memory, so that the shell can be tested without servers.
 * Its `Controller` has the methods the tests call, all of them asynchronous as in the real one.
 */
import { WalbError } from '../../../../src/core/index.ts';
import { K_ARCHIVE, K_STORAGE } from '../../../../src/walbc/constants.ts';
import type { WaitReport } from '../../../../src/walbc/environment.ts';
import { ServerLayout } from '../../../../src/walbc/layout.ts';
import { ServerConnectionParam } from '../../../../src/walbc/servers.ts';
import { classes } from '../../../../src/walbc/shell/library-names.ts';
import type { MainLibrary } from '../../../../src/walbc/shell/main-library.ts';
import { shapeOfClass } from '../../../../src/walbc/shell/remote-shape.ts';
import { Diff } from '../../../../src/walbc/values/diff.ts';
import { GidInfo } from '../../../../src/walbc/values/gid-info.ts';

type Server = ServerConnectionParam;

const later = (ms = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export interface FakeEnvironment {
  readonly print?: (text: string) => void;
  readonly onWait?: (report: WaitReport | undefined) => void;
  /** Told about calls that tests wait for, without going through the shell. */
  readonly note?: (text: string) => void;
}

/** Answers for a group with storage s0 and archive a0 with the volumes vol0 to vol3. */
export class FakeController {
  timeoutS = 0;
  readonly sLayout: ServerLayout;
  readonly #environment: FakeEnvironment;
  #interrupt: (() => void) | undefined;

  constructor(sLayout: ServerLayout, environment: FakeEnvironment) {
    this.sLayout = sLayout;
    this.#environment = environment;
  }

  /** Gives back what it got. */
  async echo(value: unknown, _second: unknown = null, _third: unknown = null): Promise<unknown> {
    return value;
  }

  /** All its arguments as a list. */
  async args(sx: unknown, vol: unknown, timeoutS: unknown = 86400, block: unknown = true) {
    return [sx, vol, timeoutS, block];
  }

  /** Whether the log of the volume at the storage has overflowed. Only odd ones have. */
  async is_overflow(_sx: Server, vol: string): Promise<boolean> {
    await later(1);
    return vol.endsWith('1') || vol.endsWith('3');
  }

  async get_vol_list(_s: Server): Promise<string[]> {
    return ['vol0', 'vol1', 'vol2', 'vol3'];
  }

  async get_state(_s: Server, _vol: string): Promise<string> {
    return 'FullSync';
  }

  async get_restorable(_ax: Server, _vol: string, _opt = ''): Promise<GidInfo[]> {
    return [5, 9].map((gid) => new GidInfo(`${gid} 2026-01-31T23:59:59 ${gid === 9 ? 1 : 0}`));
  }

  async get_restorable_gid(_ax: Server, _vol: string, _opt = ''): Promise<bigint[]> {
    return [5n, 9n, 2n ** 63n];
  }

  async get_diff_list(_ax: Server, _vol: string): Promise<Diff[]> {
    const diff = new Diff();
    diff.parse('|5|-->|9| M- 2026-01-31T23:59:59 4096');
    return [diff];
  }

  /** Makes a snapshot an image of its own. The volume must be Archived. */
  async restore(_ax: Server, vol: string, gid: bigint, _timeoutS = 86400): Promise<void> {
    throw new WalbError('wrong-state', `volume ${vol} is Stopped; start it first`, {
      details: { volume: vol, gid, state: 'Stopped' },
    });
  }

  async snapshot(_sx: Server, _vol: string, _axL: readonly Server[]): Promise<bigint> {
    return 10n;
  }

  async disable_snapshot(_ax: Server, _vol: string, _gidL: readonly bigint[]): Promise<void> {}

  async merge(_ax: Server, _vol: string, _gidB: bigint, _gidE: bigint): Promise<void> {}

  async resize(_vol: string, _sizeMb: number, _doZeroClear: boolean): Promise<void> {}

  async stop(_s: Server, _vol: string, _mode = 'graceful'): Promise<void> {}

  async shutdown(_s: Server, _mode = 'graceful'): Promise<void> {}

  /** Never ends until it is interrupted. */
  async full_backup(s: Server, vol: string): Promise<void> {
    this.#environment.onWait?.({
      server: s.name,
      volume: vol,
      what: `the end of full_backup of ${vol}`,
      view: undefined,
      unreachable: undefined,
      elapsedMs: 0,
    });
    this.#environment.note?.('waiting');
    await new Promise<void>((_, reject) => {
      // Keeps the event loop alive, as a connection would.
      const timer = setInterval(() => {}, 1000);
      this.#interrupt = () => {
        clearInterval(timer);
        reject(new WalbError('cancelled', 'interrupted'));
      };
    });
  }

  async status(): Promise<void> {
    this.#environment.print?.('++++ s0 ++++\nvol0 Target');
  }

  async fails(): Promise<void> {
    throw new TypeError('not a WalbError');
  }

  /** A function that stays on this side, as `get_run_remote_command` gives. */
  async get_function(prefix: string): Promise<(text: string) => Promise<string>> {
    return async (text) => prefix + text;
  }

  async use_function(fn: (text: string) => Promise<string>): Promise<string> {
    return await fn('used');
  }

  interrupt(): void {
    this.#interrupt?.();
  }
}

export const s0 = new ServerConnectionParam('s0', 'localhost', 10000, K_STORAGE);
export const a0 = new ServerConnectionParam('a0', 'localhost', 10200, K_ARCHIVE);
export const sLayout = new ServerLayout([s0], [], [a0]);

export function fakeLibrary(environment: FakeEnvironment = {}): MainLibrary {
  const shape = shapeOfClass('Controller', FakeController);
  return {
    url: new URL('./fake-names.ts', import.meta.url),
    classes,
    remotes: {
      Controller: {
        cls: FakeController,
        shape: { ...shape, params: ['sLayout'] },
        create: ([layout]) => new FakeController(layout as ServerLayout, environment),
        interrupt: (instance) => (instance as FakeController).interrupt(),
      },
    },
    functions: { later },
  };
}

export function fakeGlobals(environment: FakeEnvironment = {}): Record<string, unknown> {
  return { s0, a0, sLayout, vol: 'vol0', walbc: new FakeController(sLayout, environment) };
}
