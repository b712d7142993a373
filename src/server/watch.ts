/**
 * Control.Watch: volumes as they are, then each change. A slow reader gets fewer events but never an
 * outdated last one, because only the names of changed volumes are queued, not their views.
 */
import { type CallContext, Notifier } from '../core/index.ts';
import type { ServerIdentity, VolumeView, WatchEvent } from '../rpc/index.ts';
import type { ChangeHub } from './change-hub.ts';

export interface WatchSource {
  readonly hub: ChangeHub;
  readonly identity: ServerIdentity;
  /** Ids of the volumes there are. */
  volumes(): string[];
  /** The present view; a volume that does not exist is Clear. */
  view(volume: string): VolumeView;
}

/** `wanted` empty = all volumes, also those created later. Ends when the call does. */
export async function* watchVolumes(
  source: WatchSource,
  wanted: readonly string[],
  { signal }: Pick<CallContext, 'signal'>,
): AsyncGenerator<WatchEvent> {
  const isWanted = (volume: string): boolean => wanted.length === 0 || wanted.includes(volume);
  const dirty = new Set<string>(wanted.length === 0 ? source.volumes() : wanted);
  const marked = new Notifier();
  const unsubscribe = source.hub.subscribe((volume) => {
    if (!isWanted(volume)) return;
    dirty.add(volume);
    marked.notify();
  });
  try {
    yield* drain(source, dirty);
    yield { event: { $case: 'ready', value: source.identity } };
    for (;;) {
      await marked.until(() => dirty.size > 0, signal);
      yield* drain(source, dirty);
    }
  } finally {
    unsubscribe();
  }
}

function* drain(source: WatchSource, dirty: Set<string>): Generator<WatchEvent> {
  for (const volume of dirty) {
    // Deleted before the view is taken: a change while it is sent marks the volume again.
    dirty.delete(volume);
    yield { event: { $case: 'volume', value: source.view(volume) } };
  }
}
