/**
 * `Device`: a walb device of the kernel driver or of our daemon, driven through `wdevc`. What the
 * driver shows in sysfs is asked from `wdevc` where the device is one in user space.
 *
 * Source: controller-api.md 3, cli.md 3.
 */
import { LB_SIZE, MIB, WalbError } from '../core/index.ts';
import { TIMEOUT_SEC } from './constants.ts';
import { exists_file, type RunCommand, run_local_command } from './run-command.ts';

const LB_PER_MB = MIB / LB_SIZE;

/** Size in bytes of a log device that is a file or a block device. */
const SIZE_SCRIPT = 'if [ -b "$1" ]; then blockdev --getsize64 "$1"; else stat -L -c %s "$1"; fi';

/** The driver's counters can only be read, not waited for; this is how often. */
const POLL_MS = 300;

/**
 * `name`: of the device, `/dev/walb/<name>`. `ldev`, `ddev`: its log and data device. `wdevcPath`:
 * the `wdevc` program. `runCommand` runs programs where the device is:
 * `walbc.get_run_remote_command(s0)` for one on the host of s0.
 *
 *     wdev = Device('0', '/dev/vg/log', '/dev/vg/data', '/usr/bin/wdevc')
 */
export class Device {
  readonly name: string;
  readonly ldev: string;
  readonly ddev: string;
  readonly wdevcPath: string;
  readonly runCommand: RunCommand;
  /** Found out by the first look into sysfs. */
  #isInUserSpace = false;

  constructor(
    name: string,
    ldev: string,
    ddev: string,
    wdevcPath: string,
    runCommand: RunCommand = run_local_command,
  ) {
    for (const text of [name, ldev, ddev, wdevcPath]) {
      if (typeof text === 'string' && text !== '') continue;
      throw new WalbError('invalid-argument', 'Device takes four texts: name, ldev, ddev, wdevc');
    }
    this.name = name;
    this.ldev = ldev;
    this.ddev = ddev;
    this.wdevcPath = wdevcPath;
    this.runCommand = runCommand;
  }

  /** `/dev/walb/<name>`. */
  get path(): string {
    return `/dev/walb/${this.name}`;
  }

  toString(): string {
    return [this.name, this.ldev, this.ddev, this.path, this.wdevcPath].join(', ');
  }

  /** Runs `wdevc` with these words; returns its stdout. */
  run_wdevc(cmdArgs: readonly string[]): Promise<string> {
    return this.runCommand([this.wdevcPath, ...cmdArgs]);
  }

  /** Whether the device is there: as a block device, or served in user space. */
  async exists(): Promise<boolean> {
    if (await exists_file(this.path, this.runCommand)) return true;
    try {
      const lines = (await this.run_wdevc(['list'])).split('\n');
      return lines.some((line) => line.trim().split(/\s+/)[2] === this.name);
    } catch {
      // The driver's wdevc fails where the driver is not loaded.
      return false;
    }
  }

  /** Formats the log device: all its contents are lost. `doDiscard` discards it as a whole first. */
  async format_ldev(doDiscard = true): Promise<void> {
    await this.run_wdevc(['format-ldev', this.ldev, this.ddev, ...(doDiscard ? [] : ['-nd'])]);
  }

  /**
   * Creates the device. Each of the options is the driver's default when null or 0: maxl [KiB]
   * largest pack, maxp and minp [MiB] pending data to stop and to go on at, qp [ms] longest stop,
   * fs [MiB] and fp [ms] flush after so much or so long, bp and bi sizes of bulks.
   */
  async create(
    maxl: number | null = null,
    maxp: number | null = null,
    minp: number | null = null,
    qp: number | null = null,
    fs: number | null = null,
    fp: number | null = null,
    bp: number | null = null,
    bi: number | null = null,
  ): Promise<void> {
    const options = { maxl, maxp, minp, qp, fs, fp, bp, bi };
    const given = Object.entries(options).flatMap(([name, value]) =>
      value ? [`-${name}`, String(value)] : [],
    );
    await this.run_wdevc(['create-wdev', this.ldev, this.ddev, '-n', this.name, ...given]);
  }

  /** Removes the device; log and data devices keep their contents. */
  async delete(): Promise<void> {
    await this.run_wdevc(['delete-wdev', this.path]);
  }

  /** Grows the device. The data device must have grown before. */
  async resize(newSizeMb: number): Promise<void> {
    if (!Number.isInteger(newSizeMb) || newSizeMb <= 0) {
      throw new WalbError('invalid-argument', `bad size ${newSizeMb}: whole MiB needed`);
    }
    await this.run_wdevc(['resize', this.path, String(newSizeMb * LB_PER_MB)]);
  }

  /** Drops all logs. */
  async reset(): Promise<void> {
    await this.run_wdevc(['reset-wal', this.path]);
  }

  /** Size in logical blocks. */
  async get_size_lb(): Promise<number> {
    return await this.#readNumber(`${this._get_sys_path()}size`, () =>
      this.run_wdevc(['get-size-lb', this.path]),
    );
  }

  /** Size in MiB. Throws when it is not a whole number of them. */
  async get_size_mb(): Promise<number> {
    const sizeLb = await this.get_size_lb();
    if (sizeLb % LB_PER_MB === 0) return sizeLb / LB_PER_MB;
    throw new WalbError('conflict', `the size of ${this.path} is not a multiple of MiB: ${sizeLb}`);
  }

  /** Size of the log device in logical blocks. */
  async get_log_size_lb(): Promise<number> {
    return await this.#readNumber(`${this._get_wldev_sys_path()}size`, async () => {
      const bytes = await this.runCommand(['/bin/sh', '-c', SIZE_SCRIPT, 'sh', this.ldev]);
      return String(Number(bytes) / LB_SIZE);
    });
  }

  /** Waits until no log is left: all of it was delivered and erased. Throws `timeout`. */
  async wait_for_log_empty(timeoutS = TIMEOUT_SEC): Promise<void> {
    const deadline = performance.now() + timeoutS * 1000;
    for (;;) {
      const lsids = parseLsids(
        await this.#read(`${this._get_sys_path()}walb/lsids`, () =>
          this.run_wdevc(['get-lsids', this.path]),
        ),
      );
      const completed = lsids.get('completed');
      const oldest = lsids.get('oldest');
      if (completed !== undefined && completed === oldest) return;
      if (performance.now() >= deadline) {
        const message = `wait_for_log_empty: ${this.path} still has log after ${timeoutS} s: completed ${completed}, oldest ${oldest}`;
        throw new WalbError('timeout', message, { details: { device: this.path } });
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** The file in sysfs, or what `ask` gives where there is none. */
  async #read(path: string, ask: () => Promise<string>): Promise<string> {
    if (!this.#isInUserSpace) {
      try {
        return await this.#cat(path);
      } catch (thrown) {
        const asked = await ask().catch(() => undefined);
        if (asked === undefined) throw thrown;
        this.#isInUserSpace = true;
        return asked;
      }
    }
    return await ask();
  }

  /** Here without its complaint about a file that is not there. */
  async #cat(path: string): Promise<string> {
    const words = ['/bin/cat', path];
    if (this.runCommand === run_local_command) return await run_local_command(words, false, true);
    return await this.runCommand(words);
  }

  async #readNumber(path: string, ask: () => Promise<string>): Promise<number> {
    const text = (await this.#read(path, ask)).trim();
    if (/^[0-9]{1,16}$/.test(text)) return Number(text);
    throw new WalbError('corrupt', `${path} does not hold a number: ${JSON.stringify(text)}`);
  }

  _get_sys_path(): string {
    return `/sys/block/walb!${this.name}/`;
  }

  _get_wldev_sys_path(): string {
    return `/sys/block/walb!L${this.name}/`;
  }
}

/** Lines `name value`. */
function parseLsids(text: string): Map<string, string> {
  return new Map(
    text.split('\n').map((line) => {
      const [name = '', value = ''] = line.trim().split(/\s+/);
      return [name, value] as const;
    }),
  );
}
