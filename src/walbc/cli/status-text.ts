/**
 * `status` as text: the original's lines, complete and in order, from the structured reply. Lines for
 * people come after them, and only when asked for, so that scripts see what they always saw.
 *
 * Source: cli.md 1.6.
 */
import { WalbError } from '../../core/index.ts';
import type { StatusReply } from '../../rpc/index.ts';
import { archiveStatus, archiveVolumeStatus } from './status-archive.ts';
import { humanLines } from './status-human.ts';
import { proxyStatus, proxyVolumeStatus } from './status-proxy.ts';
import { storageStatus, storageVolumeStatus } from './status-storage.ts';

export function statusText(reply: StatusReply, human: boolean): string[] {
  const nodeId = reply.server?.nodeId ?? '';
  return [...originalLines(reply, nodeId), ...(human ? humanLines(reply) : [])];
}

function originalLines({ status }: StatusReply, nodeId: string): string[] {
  switch (status?.$case) {
    case 'storage':
      return storageStatus(status.value, nodeId);
    case 'storageVolume':
      return storageVolumeStatus(status.value);
    case 'proxy':
      return proxyStatus(status.value, nodeId);
    case 'proxyVolume':
      return proxyVolumeStatus(status.value);
    case 'archive':
      return archiveStatus(status.value, nodeId);
    case 'archiveVolume':
      return archiveVolumeStatus(status.value);
    default:
      throw new WalbError('corrupt', 'the server sent a status of an unknown kind');
  }
}
