/** The starter's side of the keeper (group-keeper.ts). */
import { type ChildProcess, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endAll } from './group-ending.ts';

export class Keeper {
  readonly #process: ChildProcess;
  readonly #gone: Promise<void>;
  readonly #pids = new Set<number>();

  constructor() {
    const program = new URL(`./group-keeper${extname(import.meta.filename)}`, import.meta.url);
    this.#process = spawn(process.execPath, [fileURLToPath(program)], {
      // A session of its own: it outlives the terminal.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#gone = new Promise((resolve) => {
      this.#process.once('error', () => resolve());
      this.#process.once('exit', () => resolve());
    });
    this.#process.stdin?.on('error', () => {});
  }

  watch(pid: number): void {
    this.#pids.add(pid);
    this.#tell('pid', pid);
  }

  forget(pid: number): void {
    this.#pids.delete(pid);
    this.#tell('gone', pid);
  }

  removeAtEnd(folder: string): void {
    this.#tell('folder', folder);
  }

  /** Has everything ended and removed; resolves when that is done. */
  async end(): Promise<void> {
    this.#process.stdin?.end();
    await this.#gone;
    // Nothing is left for us unless the keeper itself was killed.
    await endAll(this.#pids);
  }

  #tell(word: string, value: number | string): void {
    this.#process.stdin?.write(`${word} ${value}\n`);
  }
}
