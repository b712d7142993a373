/**
 * The prompt with its guard on a controller that answers from memory, as a program that a test drives
 * through a pseudo-terminal. `clear` and `del_restored` only say that they were done.
 */
import { WalbError } from '../../../../src/core/index.ts';
import { ArchiveVolumeStatus, StatusReply, VolumeState } from '../../../../src/rpc/index.ts';
import {
  Controller,
  type Diff,
  GidInfo,
  K_ARCHIVE,
  MemoryNetwork,
  ServerConnectionParam,
  ServerLayout,
} from '../../../../src/walbc/index.ts';
import { AuditLog, auditFileOf, originOf } from '../../../../src/walbc/safety/audit-log.ts';
import { mainLibrary } from '../../../../src/walbc/shell/main-library.ts';
import { runPrompt } from '../../../../src/walbc/shell/prompt.ts';
import { withSession } from '../../../../src/walbc/shell/terminal-session.ts';

const EMPTY = new Uint8Array();
const a0 = new ServerConnectionParam('a0', 'localhost', 10_200, K_ARCHIVE);

class RememberingController extends Controller {
  override async _get_status(): Promise<StatusReply> {
    const value = {
      ...ArchiveVolumeStatus.decode(EMPTY),
      volume: 'vol',
      state: VolumeState.ARCHIVED,
      sizeLb: 131_072,
    };
    return { ...StatusReply.decode(EMPTY), status: { $case: 'archiveVolume', value } };
  }

  override async get_diff_list(): Promise<Diff[]> {
    return [];
  }

  override async get_applicable_diff_list(): Promise<Diff[]> {
    return [];
  }

  override async get_restorable(): Promise<GidInfo[]> {
    return [new GidInfo('5 2026-01-31T23:59:59 1')];
  }

  override async get_restored(): Promise<bigint[]> {
    return [5n, 6n, 7n];
  }

  override async get_cold(): Promise<bigint[]> {
    return [];
  }

  override async list_exports(): Promise<[]> {
    return [];
  }

  override async clear(_: unknown, vol: string): Promise<void> {
    this.print(`cleared ${vol}`);
  }

  /** Never ends until it is interrupted. */
  override async restore(): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    // Keeps the event loop alive, as a connection would.
    const timer = setInterval(() => {}, 1000);
    this.interrupted.addEventListener('abort', () => {
      clearInterval(timer);
      reject(new WalbError('cancelled', 'interrupted'));
    });
    this.print('restoring');
    return await promise;
  }

  override async del_restored(_: unknown, vol: string, gid: unknown): Promise<void> {
    this.print(`deleted ${vol} ${gid}`);
  }
}

process.exitCode = await withSession(
  {
    library: mainLibrary,
    globals: (environment) => {
      const layout = new ServerLayout([], [], [a0]);
      const network = new MemoryNetwork().host('ctl');
      const walbc = new RememberingController('walbc', layout, false, 0, {
        ...environment,
        network,
      });
      return { a0, vol: 'vol', walbc };
    },
    environment: {},
    output: process.stdout,
    argv: [],
    safety: {
      audit: (warn) =>
        new AuditLog({
          file: auditFileOf(process.env),
          origin: originOf(process.env, 'host', { interface: 'shell', layout: '' }),
          warn,
        }),
    },
  },
  (session, { write, setAsker }) =>
    runPrompt({
      session,
      input: process.stdin,
      output: process.stdout,
      historyFile: '',
      write,
      setAsker,
    }),
);
