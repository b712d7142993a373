/**
 * The calls every server kind answers (control.proto). A server gives its `ControlLogic`; what does
 * not depend on the kind (identity, watch, sleep, exec, shutdown) is here.
 *
 * Source: cli.md 1.4, 1.5 (kinds S P A).
 */
import { type Binding, type CallContext, checkVolumeId, WalbError } from '../core/index.ts';
import {
  type Accepted,
  ControlRpc,
  type GetHandlerStatReply,
  type GetVersionReply,
  handle,
  type InitVolumeRequest,
  type KickRequest,
  type LatestSnap,
  type ResetVolumeRequest,
  ShutdownMode,
  type StartRequest,
  type StatusReply,
  type StopRequest,
  type VolumeState,
  type VolumeView,
} from '../rpc/index.ts';
import { type ExecPolicy, runProgramForOperator } from './exec.ts';
import type { ServerCore } from './server-core.ts';
import { watchVolumes } from './watch.ts';

/** What differs between the server kinds. Every method gets a checked volume id. */
export interface ControlLogic {
  /** Ids of the volumes there are, sorted. */
  volumes(): string[];
  /** Clear for unknown volumes. */
  state(volume: string): VolumeState;
  view(volume: string): VolumeView;
  /** Status of the server (empty volume) or of one volume. */
  status(volume: string): Promise<StatusReply['status']>;
  start(request: StartRequest): Promise<void>;
  stop(request: StopRequest): Promise<Accepted>;
  clearVolume(volume: string): Promise<void>;
  /** Absent = this kind has no such command. */
  resetVolume?(request: ResetVolumeRequest): Promise<void>;
  initVolume?(request: InitVolumeRequest): Promise<void>;
  kick?(request: KickRequest): Promise<void>;
  /** Latest snapshots of one volume, or of all. */
  latestSnap(volume: string | undefined): Promise<LatestSnap[]>;
}

export interface ControlExtras {
  readonly version: GetVersionReply;
  readonly handlerStat: (reset: boolean) => GetHandlerStatReply;
  readonly exec: ExecPolicy;
}

export function controlBindings(
  core: ServerCore,
  logic: ControlLogic,
  extras: ControlExtras,
): Binding[] {
  return [
    handle(ControlRpc.getHostType, async () => core.identity),
    handle(ControlRpc.getState, async ({ volume }) => ({
      state: logic.state(checkVolumeId(volume)),
    })),
    handle(ControlRpc.listVolumes, async () => ({ volumes: logic.volumes() })),
    handle(ControlRpc.getPid, async () => ({ pid: core.pid })),
    handle(ControlRpc.getVersion, async () => extras.version),
    handle(ControlRpc.getHandlerStat, async ({ reset }) => extras.handlerStat(reset)),
    handle(ControlRpc.status, async ({ volume }) => ({
      server: core.identity,
      now: core.now(),
      status: await logic.status(volume === '' ? '' : checkVolumeId(volume)),
    })),
    handle(ControlRpc.start, async (request) => {
      checkVolumeId(request.volume);
      await logic.start(request);
      return {};
    }),
    handle(ControlRpc.stop, (request) => {
      checkVolumeId(request.volume);
      return logic.stop(request);
    }),
    handle(ControlRpc.clearVolume, async ({ volume }) => {
      await logic.clearVolume(checkVolumeId(volume));
      return {};
    }),
    handle(ControlRpc.resetVolume, async (request) => {
      checkVolumeId(request.volume);
      await available(core, 'reset-vol', logic.resetVolume).call(logic, request);
      return {};
    }),
    handle(ControlRpc.initVolume, async (request) => {
      checkVolumeId(request.volume);
      await available(core, 'init-vol', logic.initVolume).call(logic, request);
      return {};
    }),
    handle(ControlRpc.kick, async (request) => {
      if (request.volume !== '') checkVolumeId(request.volume);
      await available(core, 'kick', logic.kick).call(logic, request);
      return {};
    }),
    handle(ControlRpc.getLatestSnap, async ({ volume }) => {
      if (volume === '') return { items: await logic.latestSnap(undefined) };
      const items = await logic.latestSnap(checkVolumeId(volume));
      if (items.length === 0) {
        throw new WalbError('not-found', `volume ${volume} has no snapshot to report here`);
      }
      return { items };
    }),
    handle(ControlRpc.shutdown, async ({ mode }) => {
      if (mode !== ShutdownMode.GRACEFUL && mode !== ShutdownMode.FORCE) {
        throw new WalbError('invalid-argument', 'shutdown takes the mode graceful or force');
      }
      core.requestShutdown(mode === ShutdownMode.FORCE ? 'force' : 'graceful');
      return {};
    }),
    handle(ControlRpc.exec, (request, { clientId }) => {
      core.log.warn({ peer: clientId, program: request.program }, 'exec asked for');
      return runProgramForOperator(extras.exec, request);
    }),
    handle(ControlRpc.sleep, async ({ seconds }, context) => {
      await core.env.clock.sleep(seconds * 1000, AbortSignal.any([context.signal, core.forced]));
      return {};
    }),
    handle(ControlRpc.watch, ({ volumes }, context: CallContext) => {
      for (const volume of volumes) checkVolumeId(volume);
      const signal = AbortSignal.any([context.signal, core.stopping]);
      return watchVolumes(
        {
          clock: core.clock,
          hub: core.hub,
          identity: core.identity,
          volumes: () => logic.volumes(),
          view: (v) => logic.view(v),
        },
        volumes,
        { signal },
      );
    }),
  ];
}

function available<F>(core: ServerCore, command: string, method: F | undefined): F {
  if (method !== undefined) return method;
  const kind = core.identity.hostType;
  throw new WalbError('unsupported', `${kind} servers have no command ${command}`, {
    details: { command, kind },
  });
}
