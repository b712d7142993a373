/**
 * Growing the base image. Restored images keep their size.
 *
 * Source: semantics.md D.10.
 */
import { type Bytes, bytesToLb, lbToBytes, WalbError } from '../core/index.ts';
import { type Accepted, type ResizeArchiveRequest, TaskKind } from '../rpc/index.ts';
import type { TaskHandle } from '../server/task-log.ts';
import { Pacer } from './pacer.ts';
import { punchInSteps } from './punch-in-steps.ts';
import type { ArchiveVolume } from './volume.ts';

/** The image has its new size when it resolves; zeroing of the extension may go on (task id > 0). */
export async function resizeBase(
  volume: ArchiveVolume,
  { sizeLb, zeroClear }: ResizeArchiveRequest,
): Promise<Accepted> {
  volume.admit('resize');
  const current = volume.requireSize();
  const size = lbToBytes(sizeLb);
  if (size < current) {
    throw new WalbError(
      'invalid-argument',
      `the base image of volume ${volume.id} has ${current} bytes and can not shrink to ${size}`,
      { details: { volume: volume.id, current, size } },
    );
  }
  if (size === current) return { taskId: 0 };
  await volume.during('Resize', () => volume.images.growBase(size));
  volume.touch('size');
  volume.log.info({ size, before: current }, 'base image resized');
  if (!zeroClear) return { taskId: 0 };
  const total = bytesToLb(size - current);
  return volume.tasks.start(
    TaskKind.RESIZE,
    (task) => volume.during('Resize', () => zero(volume, current, size, task)),
    { total },
  );
}

async function zero(
  volume: ArchiveVolume,
  start: Bytes,
  end: Bytes,
  task: TaskHandle,
): Promise<void> {
  using open = new DisposableStack();
  const handle = open.adopt(volume.images.openBase('update'), (h) => h.close());
  const pacer = new Pacer(volume.core.clock, volume.forceSignal);
  await punchInSteps(handle, start, end, (position) => {
    task.set(bytesToLb(position - start));
    volume.requireRunning('resize');
    return pacer.pause();
  });
  await handle.sync();
}
