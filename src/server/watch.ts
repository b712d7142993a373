/**
 * Control.Watch: volumes as they are, then each change. A slow reader gets fewer events but never an
 * outdated last one, because only the names of changed volumes are queued, not their views.
 */
import {
  type CallContext,
  type CancelTimer,
  type Clock,
  type Millis,
  Notifier,
  type Unsubscribe,
} from '../core/index.ts';
import type { ServerIdentity, VolumeView, WatchEvent } from '../rpc/index.ts';
import type { ChangeHub } from './change-hub.ts';

export interface WatchSource {
  readonly clock: Clock;
  readonly hub: ChangeHub;
  readonly identity: ServerIdentity;
  /** Ids of the volumes there are. */
  volumes(): string[];
  /** The present view; a volume that does not exist is Clear. */
  view(volume: string): VolumeView;
}

/** While something runs on a volume, its view is sent again this often, for its progress. */
const PROGRESS_INTERVAL_MS: Millis = 1000;

/** `wanted` empty = all volumes, also those created later. Ends when the call does. */
export async function* watchVolumes(
  source: WatchSource,
  wanted: readonly string[],
  { signal }: Pick<CallContext, 'signal'>,
): AsyncGenerator<WatchEvent> {
  const marks = new Marks(source, wanted);
  try {
    yield* marks.drain();
    yield { event: { $case: 'ready', value: source.identity } };
    for (;;) {
      await marks.some(signal);
      yield* marks.drain();
    }
  } finally {
    marks.end();
  }
}

/** Names of the volumes whose view has to be sent. */
class Marks {
  readonly #source: WatchSource;
  readonly #dirty: Set<string>;
  /** Volumes whose last view showed something running. */
  readonly #busy = new Set<string>();
  readonly #marked = new Notifier();
  readonly #unsubscribe: Unsubscribe;
  #cancelTimer: CancelTimer | undefined;

  constructor(source: WatchSource, wanted: readonly string[]) {
    this.#source = source;
    this.#dirty = new Set(wanted.length === 0 ? source.volumes() : wanted);
    this.#unsubscribe = source.hub.subscribe((volume) => {
      if (wanted.length === 0 || wanted.includes(volume)) this.#mark(volume);
    });
  }

  async some(signal: AbortSignal): Promise<void> {
    await this.#marked.until(() => this.#dirty.size > 0, signal);
  }

  *drain(): Generator<WatchEvent> {
    for (const volume of [...this.#dirty]) {
      // Deleted before the view is taken: a change while it is sent marks the volume again.
      this.#dirty.delete(volume);
      const view = this.#source.view(volume);
      if (view.progress.length > 0) this.#busy.add(volume);
      else this.#busy.delete(volume);
      yield { event: { $case: 'volume', value: view } };
    }
    if (this.#busy.size > 0) this.#lookAgain();
  }

  end(): void {
    this.#unsubscribe();
    this.#cancelTimer?.();
  }

  #mark(volume: string): void {
    this.#dirty.add(volume);
    this.#marked.notify();
  }

  #lookAgain(): void {
    this.#cancelTimer ??= this.#source.clock.after(PROGRESS_INTERVAL_MS, () => {
      this.#cancelTimer = undefined;
      for (const volume of this.#busy) this.#mark(volume);
    });
  }
}
