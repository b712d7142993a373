/**
 * The device as the NBD server serves it: bytes instead of blocks, one log write and one sync per
 * batch received.
 *
 * WRITE_ZEROES is logged as data, never as a discard: a reader of the log may ignore discards, and a
 * client that asks for zeros relies on them. So it is no faster than writing, and says so.
 */
import { KIB, LB_SIZE, WalbError } from '../../core/index.ts';
import type { BlockBackend, BlockChange } from '../nbd/backend.ts';
import { MAX_PAYLOAD } from '../nbd/protocol.ts';
import type { WalbDevice } from './engine.ts';
import type { WriteRequest } from './requests.ts';

export function blockBackend(device: WalbDevice): BlockBackend {
  return {
    get size() {
      return device.sizeLb * LB_SIZE;
    },
    readOnly: false,
    blockSizes: { minimum: LB_SIZE, preferred: 4 * KIB, maximum: MAX_PAYLOAD },
    canFastZero: false,
    read: (offset, into) => {
      device.read(offset / LB_SIZE, into);
      return undefined;
    },
    submit: (changes) => submit(device, changes),
    flush: () => device.flush(),
    nextData: (offset) => device.nextData(offset),
  };
}

function submit(device: WalbDevice, changes: readonly BlockChange[]): Promise<void> | undefined {
  let needsSync = false;
  const requests: WriteRequest[] = [];
  for (const change of changes) {
    if (change.fast && change.kind === 'zero') change.error = slowZero();
    else {
      requests.push(requestOf(change));
      needsSync ||= change.fua;
    }
  }
  const logged = device.submit(requests);
  if (!needsSync) return logged;
  return logged === undefined ? device.flush() : logged.then(() => device.flush());
}

function requestOf(change: BlockChange): WriteRequest {
  const offset = change.offset / LB_SIZE;
  if (change.kind === 'write') return { kind: 'write', offset, data: change.data };
  const kind = change.kind === 'trim' ? 'discard' : 'zeros';
  return { kind, offset, sizeLb: change.length / LB_SIZE };
}

function slowZero(): WalbError {
  return new WalbError(
    'unsupported',
    'zeros are logged as data: there is no fast way to write them',
  );
}
