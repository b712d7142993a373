/**
 * Merging consecutive diffs into one, so that there are fewer of them and implicit snapshots go.
 *
 * The merged diff is added first, then its inputs are removed: a crash in between leaves inputs that
 * the merged one has overtaken, which start-up and gc-diff remove. Explicit snapshots are never
 * crossed, and neither is one that a restore beside is leading to.
 *
 * Source: semantics.md A.3, A.4, D.8.
 */
import { MIB, WalbError } from '../core/index.ts';
import { type Accepted, type MergeRequest, TaskKind } from '../rpc/index.ts';
import type { TaskHandle } from '../server/task-log.ts';
import {
  type Diff,
  DiffSet,
  diffsWithin,
  formatSpan,
  type MergeLimit,
  mergeAll,
  mergeFiles,
  planMerge,
  readDiffHeader,
  sortedDiffParts,
  totalSize,
  writeParts,
} from '../wdiff/index.ts';
import type { ArchiveConfig } from './config.ts';
import { Pacer } from './pacer.ts';
import type { ArchiveVolume } from './volume.ts';

/** As the original; passing on what is snappy already costs next to nothing. */
const COMPRESSION = { kind: 'snappy', level: 0 } as const;

/** Checks and starts the merge; it goes on after the reply. */
export function startMerge(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  request: MergeRequest,
): Accepted {
  volume.admit('merge');
  const inputs = chooseInputs(volume, request, {
    ...limitOf(request),
    maxCount: config.maxOpenDiffs,
  });
  const foreground = volume.core.foreground.acquire(`merge of ${volume.id}`);
  return volume.tasks.start(
    TaskKind.MERGE,
    async (task) => {
      using _foreground = foreground;
      await volume.during('Merge', () => merge(volume, inputs, task));
    },
    { inBytes: true, total: totalSize(inputs) },
  );
}

function limitOf({ until }: MergeRequest): MergeLimit {
  if (until?.$case === 'gidE') return { untilGid: until.value };
  if (until?.$case === 'maxSizeMb') return { maxSize: until.value * MIB };
  throw new WalbError('invalid-argument', 'merge needs a limit: an end gid or a size');
}

/** Throws `wrong-state`, `invalid-argument` or `not-found` (planMerge). */
function chooseInputs(volume: ArchiveVolume, { gidB }: MergeRequest, limit: MergeLimit): Diff[] {
  const { diffs, base } = volume.catalogue;
  const { wanted } = volume;
  const guarded = [...diffs].map((d) => (wanted.has(d.B.b) ? { ...d, isMergeable: false } : d));
  const { diffs: chosen } = planMerge(DiffSet.of(guarded), base, gidB, limit);
  return chosen.map((d) => diffs.find(d) as Diff);
}

async function merge(
  volume: ArchiveVolume,
  inputs: readonly Diff[],
  task: TaskHandle,
): Promise<void> {
  const { catalogue } = volume;
  using open = new DisposableStack();
  const handles = inputs.map((diff) => open.adopt(catalogue.open(diff), (h) => h.close()));
  const { uuid } = readDiffHeader(handles.at(-1) as (typeof handles)[0]);
  const output = open.adopt(catalogue.createTemporary(), (handle) => catalogue.discard(handle));
  const parts = sortedDiffParts(mergeFiles(handles), {
    uuid,
    compression: COMPRESSION,
    packLimit: 'uncompressed',
    buffers: 'reused',
    name: output.path,
  });
  await writeParts(output, paced(volume, parts, task));
  using _lock = await volume.lock.lock();
  const merged = await catalogue.add(output, mergeAll(inputs));
  await catalogue.remove(diffsWithin(catalogue.diffs, merged.B.b, merged.E.b));
  task.gid = merged.E.b;
  volume.touch('diff', 'restorable');
  volume.log.info({ diff: formatSpan(merged), inputs: inputs.length }, 'diffs merged');
}

async function* paced(
  volume: ArchiveVolume,
  parts: AsyncIterable<readonly Uint8Array[]>,
  task: TaskHandle,
): AsyncGenerator<readonly Uint8Array[]> {
  const pacer = new Pacer(volume.core.clock, volume.forceSignal);
  for await (const list of parts) {
    volume.requireRunning('merge');
    yield list;
    for (const part of list) task.advance(part.length);
    await pacer.pause();
  }
}
