/** Runs LVM's programs on this host. */
import { execa } from 'execa';
import { type Millis, WalbError } from '../core/index.ts';
import type { LvmCommands } from './lvm-commands.ts';

/**
 * Commands over metadata take well under a second, those that wait for somebody to close a device some
 * seconds. `blkdiscard --zeroout` writes, for as long as it takes: nothing ends it.
 */
const LVM_TIMEOUT_MS: Millis = 10 * 60_000;

/** More than `lvs` prints for ten thousand volumes. */
const MAX_OUTPUT_CHARACTERS = 16 * 1024 * 1024;

export const systemLvm: LvmCommands = {
  async run({ program, args }) {
    const result = await execa(program, [...args], {
      // Messages are told apart by their text.
      env: { LC_ALL: 'C', LVM_SUPPRESS_FD_WARNINGS: '1' },
      stdin: 'ignore',
      reject: false,
      maxBuffer: MAX_OUTPUT_CHARACTERS,
      // Interrupted by SIGTERM, LVM still leaves its critical section first; SIGKILL would not let it.
      forceKillAfterDelay: false,
      ...(program === 'blkdiscard' ? {} : { timeout: LVM_TIMEOUT_MS }),
    });
    const { exitCode, stdout, stderr } = result;
    if (exitCode !== undefined) return { exitCode, stdout, stderr };
    if (result.timedOut) {
      const seconds = LVM_TIMEOUT_MS / 1000;
      throw new WalbError('timeout', `${program} ${args.join(' ')} took more than ${seconds} s`);
    }
    const advice = result.code === 'ENOENT' ? '; install lvm2 and util-linux' : '';
    throw new WalbError('unsupported', `cannot run ${program}: ${result.shortMessage}${advice}`, {
      details: { program },
      cause: result,
    });
  },
};
