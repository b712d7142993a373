/** Tells who watches a server which volume has changed (Control.Watch). */
import type { Unsubscribe } from '../core/index.ts';

export class ChangeHub {
  readonly #listeners = new Set<(volume: string) => void>();

  /** A listener must not throw. */
  notify(volume: string): void {
    for (const listener of [...this.#listeners]) listener(volume);
  }

  subscribe(listener: (volume: string) => void): Unsubscribe {
    const own = (volume: string): void => listener(volume);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }
}
