/**
 * `get handler-stat`: calls under the names the original gives its protocols and get targets.
 *
 * Source: cli.md 1.5, semantics.md F.2 (names of the protocols between servers).
 */
import type { GetHandlerStatReply } from '../../rpc/index.ts';

/** Calls whose protocol is not simply their name with dashes. */
const PROTOCOLS: Readonly<Record<string, string>> = {
  InitVolume: 'init-vol',
  ClearVolume: 'clear-vol',
  ResetVolume: 'reset-vol',
  FullBackup: 'full-bkp',
  HashBackup: 'hash-bkp',
  GetVersion: 'version',
  ListArchiveInfo: 'archive-info-list',
  GetArchiveInfo: 'archive-info-get',
  AddArchiveInfo: 'archive-info-add',
  UpdateArchiveInfo: 'archive-info-update',
  DeleteArchiveInfo: 'archive-info-delete',
  DisableSnapshots: 'disable-snapshot',
  EnableSnapshots: 'enable-snapshot',
  BlockHash: 'bhash',
  VirtualFullScan: 'virt-full-scan',
  FullSync: 'dirty-full-sync3',
  HashSync: 'dirty-hash-sync2',
  TransferWlog: 'wlog-transfer',
  TransferWdiff: 'wdiff-transfer',
  ServeReplication: 'repl-sync3',
  ReloadMetadata: 'dbg-reload-metadata',
  SetUuid: 'dbg-set-uuid',
  SetState: 'dbg-set-state',
  SetBase: 'dbg-set-base',
  DumpLogpackHeader: 'dbg-dump-logpack-header',
};

const TARGETS: Readonly<Record<string, string>> = {
  GetHostType: 'host-type',
  ListVolumes: 'vol',
  IsOverflow: 'is-overflow',
  IsWdiffSendError: 'is-wdiff-send-error',
  ExistsDiff: 'exists-diff',
  ExistsBaseImage: 'exists-base-image',
  GetDiffs: 'diff',
  GetApplicableDiffs: 'applicable-diff',
};

interface Name {
  readonly isTarget: boolean;
  readonly name: string;
}

/** Of `walb.v1.Control/GetState`: the get target `state`. */
export function originalName(method: string): Name {
  const rpc = method.split('/').at(-1) ?? method;
  const protocol = PROTOCOLS[rpc];
  if (protocol !== undefined) return { isTarget: false, name: protocol };
  const target = TARGETS[rpc];
  if (target !== undefined) return { isTarget: true, name: target };
  const isTarget = rpc.startsWith('Get');
  return { isTarget, name: dashed(isTarget ? rpc.slice(3) : rpc) };
}

function dashed(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
}

export function handlerStatLines({ counts, latencies }: GetHandlerStatReply): string[] {
  const named = counts.map((count) => ({ ...count, ...originalName(count.method) }));
  const line = (kind: string, { name, clientId, count }: (typeof named)[number]): string =>
    [kind, name, clientId, count].join('\t');
  return [
    ...named.filter(({ isTarget }) => !isTarget).map((one) => line('PROTOCOL_COUNT', one)),
    ...latencies
      .map(({ method, averageSec }) => ({ ...originalName(method), averageSec }))
      .filter(({ isTarget }) => !isTarget)
      .map(({ name, averageSec }) => ['PROTOCOL_LATENCY', name, averageSec.toFixed(6)].join('\t')),
    ...named.filter(({ isTarget }) => isTarget).map((one) => line('GET_COUNT', one)),
  ];
}
