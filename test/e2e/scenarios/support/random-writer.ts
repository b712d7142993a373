/** Somebody who keeps writing single blocks all over a disk while a scenario runs. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Disk } from './disk.ts';

const PAUSE_MS = 20;

export class RandomWriter implements AsyncDisposable {
  readonly #disk: Disk;
  readonly #running: Promise<void>;
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  #isStopped = false;
  #count = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
    this.#running = this.#run();
    // A failure shows where somebody waits for writes, or for the end.
    this.#running.catch(() => {});
  }

  /** Resolves once so many more writes were acknowledged. */
  async more(count: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#waiting.push({ count: this.#count + count, resolve });
    });
    await Promise.race([reached, this.#running.then(() => reached)]);
  }

  /** Afterwards the disk holds what it held when this resolved. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#running.catch(() => {});
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#disk.write();
      this.#count += 1;
      for (const { count, resolve } of this.#waiting) if (count <= this.#count) resolve();
      await sleep(PAUSE_MS);
    }
  }
}
