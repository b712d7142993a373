/**
 * Snapshots served at once over NBD, each as a writable overlay of base and diffs.
 *
 * While an export reads from the base image, an apply does not bring that beyond the snapshot
 * (base-readers.ts). A filled one depends on nothing any more.
 *
 * Source: docs/architecture.md decision 9; archive.proto ExportSnapshot.
 */
import { makeDirectoryDurably } from '../core/durable.ts';
import {
  type Bytes,
  type FileHandle,
  LB_SIZE,
  type Lb,
  MIB,
  throwIfAborted,
  toHex,
  WalbError,
} from '../core/index.ts';
import {
  type CloseExportRequest,
  type ExportInfo,
  type ExportSnapshotRequest,
  TaskKind,
} from '../rpc/index.ts';
import type { ServerCore } from '../server/server-core.ts';
import type { TaskHandle } from '../server/task-log.ts';
import type { BlockBackend } from '../wdev/nbd/backend.ts';
import { VirtualImage } from '../wdiff/index.ts';
import { SnapshotOverlay } from './overlay.ts';
import { openSnapshot, type SnapshotView } from './snapshot-view.ts';
import type { ArchiveVolume } from './volume.ts';

/** An export that is being served; given by the server's main, which owns sockets. */
export interface ServedExport {
  /** `host:port` or `unix:/path`, where it really listens. */
  readonly address: string;
  readonly uri: string;
  connections(): number;
  close(): Promise<void>;
}

export type ExportServing = (
  backend: BlockBackend,
  name: string,
  place: {
    /** `host:port`, `unix:/path`, or empty for a unix socket of the server's choice. */
    readonly address: string;
    /** That choice, if it is possible. */
    readonly ownPath: string;
  },
) => Promise<ServedExport>;

/** Each holds a socket, a file and its diffs open. */
const MAX_EXPORTS = 64;
const FILL_STEP_LB: Lb = MIB / LB_SIZE;

interface Export {
  readonly info: Omit<ExportInfo, 'connections' | 'overlayBytes'>;
  readonly volume: ArchiveVolume;
  readonly served: ServedExport;
  readonly overlay: SnapshotOverlay;
  readonly overlayFile: FileHandle | undefined;
  readonly stopFill: AbortController;
  /** Settles when nothing is copied any more. */
  filled: Promise<void>;
  view: SnapshotView | undefined;
}

export class Exports {
  readonly #core: ServerCore;
  readonly #serve: ExportServing;
  readonly #maxDiffs: number;
  readonly #exports = new Map<string, Export>();

  constructor(core: ServerCore, serve: ExportServing, maxDiffs: number) {
    this.#core = core;
    this.#serve = serve;
    this.#maxDiffs = maxDiffs;
  }

  count(volume: string): number {
    return this.list(volume).length;
  }

  list(volume: string): ExportInfo[] {
    return [...this.#exports.values()]
      .filter((served) => volume === '' || served.volume.id === volume)
      .map((opened) => this.#infoOf(opened));
  }

  async open(volume: ArchiveVolume, request: ExportSnapshotRequest): Promise<ExportInfo> {
    volume.admit('bhash');
    if (this.#exports.size >= MAX_EXPORTS) {
      throw new WalbError(
        'limit-exceeded',
        `${MAX_EXPORTS} exports are open already; close one first`,
      );
    }
    if (request.readOnly && request.fill) {
      throw new WalbError('invalid-argument', 'a read-only export has nothing to be filled');
    }
    const { files, random } = this.#core.env;
    const id = toHex(random.bytes(4));
    const directory = `${volume.catalogue.directory}/exports`;
    const ownPath = `${directory}/${id}.sock`;
    const name = `${volume.id}-${request.gid}`;
    const options = { maxDiffs: this.#maxDiffs, reader: `export ${id}`, useCold: true };
    using held = new DisposableStack();
    const view = held.use(openSnapshot(volume, request.gid, options));
    await makeDirectoryDurably(files, directory);
    let overlayFile: FileHandle | undefined;
    if (!request.readOnly) {
      overlayFile = held.adopt(files.open(`${directory}/${id}.img`, 'create'), (handle) => {
        handle.close();
        files.remove(handle.path);
      });
    }
    const image = new VirtualImage(view.base, view.diffs, { size: view.size });
    const overlay = new SnapshotOverlay(image, overlayFile);
    const place = { address: request.address, ownPath };
    const served = await this.#serve(overlay, name, place);
    const refused = this.#core.isShuttingDown
      ? new WalbError('cancelled', 'the server is shutting down')
      : volume.refusal('bhash');
    if (refused !== undefined) {
      // Stopped, cleared or shut down meanwhile: nobody would end this export.
      await served.close();
      throw refused;
    }
    held.move();
    return this.#register(volume, request, { id, name, served, overlay, overlayFile, view });
  }

  /** Throws `not-found`, or `busy` while clients are connected and `force` is not given. */
  async close({ exportId, force }: CloseExportRequest): Promise<void> {
    const found = this.#exports.get(exportId);
    if (found === undefined) {
      const open = [...this.#exports.keys()].join(', ') || 'none';
      throw new WalbError('not-found', `there is no export ${exportId}; open are: ${open}`);
    }
    const connections = found.served.connections();
    if (connections > 0 && !force) {
      throw new WalbError(
        'busy',
        `export ${exportId} has ${connections} clients; disconnect them, or close it by force`,
        { details: { export: exportId, connections } },
      );
    }
    await this.#end(found);
  }

  /** Ends every export of a volume, or of the server. */
  async closeAll(volume?: string): Promise<void> {
    const ending = [...this.#exports.values()].filter(
      (served) => volume === undefined || served.volume.id === volume,
    );
    await Promise.all(ending.map((served) => this.#end(served)));
  }

  /** Overlays of exports that a crash ended are of no use to anyone. */
  cleanTemporary(volume: ArchiveVolume): void {
    this.#core.env.files.removeTree(`${volume.catalogue.directory}/exports`);
  }

  #register(
    volume: ArchiveVolume,
    request: ExportSnapshotRequest,
    parts: Pick<Export, 'served' | 'overlay' | 'overlayFile'> & {
      readonly id: string;
      readonly name: string;
      readonly view: SnapshotView;
    },
  ): ExportInfo {
    const { id, name, served, overlay, overlayFile, view } = parts;
    const stopFill = new AbortController();
    const info = {
      exportId: id,
      volume: volume.id,
      gid: request.gid,
      address: served.address,
      name,
      uri: served.uri,
      sizeLb: overlay.size / LB_SIZE,
      readOnly: request.readOnly,
      began: this.#core.now(),
      fillTaskId: 0,
    };
    const filled = Promise.resolve();
    const opened: Export = { info, volume, served, overlay, overlayFile, view, stopFill, filled };
    this.#exports.set(id, opened);
    if (request.fill) info.fillTaskId = this.#startFill(opened);
    volume.log.info({ gid: request.gid, address: served.address, export: id }, 'snapshot exported');
    volume.changed.notify();
    return this.#infoOf(opened);
  }

  #startFill(opened: Export): number {
    const { taskId } = opened.volume.tasks.start(
      TaskKind.EXPORT_FILL,
      (task) => {
        const filling = this.#fill(opened, task);
        // Whoever ends the export waits for the copying, not for its success.
        opened.filled = filling.catch(() => {});
        return filling;
      },
      { total: opened.info.sizeLb, gid: opened.info.gid },
    );
    return taskId;
  }

  /** Copies the whole image into the overlay, then lets go of base and diffs. */
  async #fill(opened: Export, task: TaskHandle): Promise<void> {
    const signal = AbortSignal.any([opened.stopFill.signal, opened.volume.forceSignal]);
    const buffer = new Uint8Array(FILL_STEP_LB * LB_SIZE);
    const { sizeLb } = opened.info;
    for (let at = 0; at < sizeLb; at += FILL_STEP_LB) {
      throwIfAborted(signal, 'filling the export');
      opened.overlay.fill(at, Math.min(FILL_STEP_LB, sizeLb - at), buffer);
      task.set(at);
      await this.#core.clock.yield();
    }
    await opened.overlayFile?.sync();
    throwIfAborted(signal, 'filling the export');
    release(opened);
    opened.volume.changed.notify();
  }

  async #end(opened: Export): Promise<void> {
    if (!this.#exports.delete(opened.info.exportId)) return;
    opened.stopFill.abort(new WalbError('cancelled', 'the export was closed'));
    await opened.served.close();
    await opened.filled;
    release(opened);
    if (opened.overlayFile !== undefined) {
      opened.overlayFile.close();
      this.#core.env.files.remove(opened.overlayFile.path);
    }
    opened.volume.log.info({ export: opened.info.exportId }, 'export closed');
    opened.volume.changed.notify();
  }

  /** What the overlay takes on disk and in memory. */
  #overlayBytes({ overlay, overlayFile }: Export): Bytes {
    if (overlayFile === undefined) return 0;
    const onDisk = this.#core.env.files.info(overlayFile.path)?.allocated ?? 0;
    return onDisk + overlay.overheadBytes;
  }

  #infoOf(opened: Export): ExportInfo {
    const { info, served } = opened;
    const connections = served.connections();
    return { ...info, connections, overlayBytes: this.#overlayBytes(opened) };
  }
}

/** Lets go of base and diffs. */
function release(opened: Export): void {
  opened.view?.[Symbol.dispose]();
  opened.view = undefined;
}
