/** The starter's side of the keeper (group-keeper.ts). */
import { type ChildProcess, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

export class Keeper {
  readonly #process: ChildProcess;

  constructor() {
    const program = new URL(`./group-keeper${extname(import.meta.filename)}`, import.meta.url);
    this.#process = spawn(process.execPath, [fileURLToPath(program)], {
      // A session of its own: it outlives the terminal.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#process.on('error', () => {});
    this.#process.stdin?.on('error', () => {});
    this.#process.unref();
    // The pipe must not keep the starter alive.
    (this.#process.stdin as { unref?: () => void } | null)?.unref?.();
  }

  watch(pid: number): void {
    this.#tell('pid', pid);
  }

  forget(pid: number): void {
    this.#tell('gone', pid);
  }

  removeAtEnd(folder: string): void {
    this.#tell('folder', folder);
  }

  /** Nothing is left to be kept, or it shall be done now. */
  release(): void {
    this.#process.stdin?.end();
  }

  #tell(word: string, value: number | string): void {
    this.#process.stdin?.write(`${word} ${value}\n`);
  }
}
