/**
 * The requests parsed from one delivery of the socket, and their objects, reused from batch to batch
 * so that a small request allocates nothing.
 */
import type { Bytes } from '../../core/index.ts';
import type { BlockChange } from './backend.ts';
import { Command, CommandFlag, type NbdErrno } from './protocol.ts';
import { emptyRequest, isChange, type Request } from './requests.ts';
import type { Slab } from './slabs.ts';

export interface PlannedRequest extends Request {
  /** Refused already when it was parsed. */
  fault: NbdErrno | undefined;
  /** Its entry in `Batch.changes`; -1 when it is no change. */
  change: number;
}

const NO_DATA = new Uint8Array(0);

export class Batch {
  /** Only the first `count` are in use. */
  readonly requests: PlannedRequest[] = [];
  count = 0;
  /** The changes among them, in order. */
  readonly changes: BlockChange[] = [];
  /** Buffers that the data of the changes lie in. */
  readonly #slabs: Slab[] = [];
  readonly #spareChanges: BlockChange[] = [];
  /** Asynchronous calls of the backend that still use this batch. */
  pending = 0;
  /** A change lies in the connection's chunk, which must be held while the backend works. */
  usesChunk = false;

  /** A copy of `request` that stays until the batch is reset. */
  add(request: Request, fault: NbdErrno | undefined): PlannedRequest {
    const planned = (this.requests[this.count] ??= {
      ...emptyRequest(),
      fault: undefined,
      change: -1,
    });
    this.count++;
    planned.flags = request.flags;
    planned.type = request.type;
    planned.cookieHigh = request.cookieHigh;
    planned.cookieLow = request.cookieLow;
    planned.offset = request.offset;
    planned.length = request.length;
    planned.fault = fault;
    planned.change = -1;
    return planned;
  }

  /** Adds a valid TRIM or WRITE_ZEROES, or a WRITE with its `data`. */
  addChange(request: Request, data: Uint8Array | undefined): void {
    const planned = this.add(request, undefined);
    planned.change = this.changes.length;
    const change = this.#spareChanges.pop() ?? newChange();
    change.kind = kindOf(request.type);
    change.offset = request.offset;
    change.length = request.length;
    change.data = data ?? NO_DATA;
    change.fua = (request.flags & CommandFlag.FUA) !== 0;
    change.mayPunch = (request.flags & CommandFlag.NO_HOLE) === 0;
    change.fast = (request.flags & CommandFlag.FAST_ZERO) !== 0;
    change.error = undefined;
    this.changes.push(change);
  }

  /** Takes over a buffer that a change points into; released by `reset`. */
  keep(slab: Slab): void {
    this.#slabs.push(slab);
  }

  reset(): void {
    for (const slab of this.#slabs) slab.release();
    this.#slabs.length = 0;
    for (const change of this.changes) {
      change.data = NO_DATA;
      this.#spareChanges.push(change);
    }
    this.changes.length = 0;
    this.count = 0;
    this.usesChunk = false;
  }

  /** Bytes of replies that its READs will need. */
  static replyBytes(request: Request): Bytes {
    return request.type === Command.READ ? request.length : 0;
  }
}

function newChange(): BlockChange {
  return {
    kind: 'write',
    offset: 0,
    length: 0,
    data: NO_DATA,
    fua: false,
    mayPunch: true,
    fast: false,
    error: undefined,
  };
}

function kindOf(type: number): BlockChange['kind'] {
  if (!isChange(type) || type === Command.WRITE) return 'write';
  return type === Command.TRIM ? 'trim' : 'zero';
}
