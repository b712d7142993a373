/** The demo from its folder to its end, however that comes about. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Bytes, formatSizeForHumans, WalbError } from '../core/index.ts';
import { Controller } from '../walbc/index.ts';
import { Report } from './demo-report.ts';
import { demoShell } from './demo-shell.ts';
import { DemoStory, VOLUME } from './demo-story.ts';
import { BackupGroup, type MemberName } from './group.ts';
import { Keeper } from './group-keeping.ts';

export interface DemoOptions {
  /** Of the volume. */
  readonly size: Bytes;
  /** A temporary one when undefined. */
  readonly folder: string | undefined;
  /** Leave a temporary folder behind. */
  readonly keep: boolean;
  readonly shell: boolean;
}

/** Image, volume, its log, the archive's base, a restored image, and what comes and goes. */
const COPIES = 8;
/** The ring: twice the volume, so that filling it leaves room before a storage server follows. */
const RING_PER_SIZE = 2;

/** Returns the exit code. Everything it started is gone when it returns, also after an error. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const folder = prepareFolder(options);
  const keeper = new Keeper();
  const isTemporary = options.folder === undefined && !options.keep;
  if (isTemporary) keeper.removeAtEnd(folder);
  const interruption = endOnSignals(keeper);
  try {
    return await run(options, folder, keeper, interruption);
  } finally {
    // What fails now, fails because its server was ended; the handler of the signal has the word.
    if (interruption.happened) await new Promise(() => {});
    await keeper.end();
    interruption.stop();
    if (!isTemporary) process.stdout.write(`\nEverything is left in ${folder}\n`);
  }
}

async function run(
  { size, shell }: DemoOptions,
  folder: string,
  keeper: Keeper,
  interruption: Interruption,
): Promise<number> {
  const report = new Report(
    (line) => process.stdout.write(`${line}\n`),
    process.stdout.isTTY ? process.stdout.columns : undefined,
  );
  const began = performance.now();
  const group = await BackupGroup.start({
    folder,
    keeper,
    device: { name: VOLUME, size, logSize: RING_PER_SIZE * size },
  });
  const layout = group.layout();
  const walbc = new Controller('walbc', layout);
  const death = Promise.withResolvers<never>();
  group.onDeath((name, how) => death.reject(died(name, how, group)));
  death.promise.catch(() => {});
  try {
    report.heading(`A backup group in ${folder}, up after ${seconds(began)}`);
    for (const server of layout.get_all()) report.line(describe(server.name, group));
    report.line(`vol  walb device, ${formatSizeForHumans(size)}, ${group.nbdUri}`);
    report.heading('What it does');
    await Promise.race([new DemoStory(group, walbc, report).tell(), death.promise]);
    report.heading(report.verdict());
    if (!report.isGood || !shell) return report.isGood ? 0 : 1;
    interruption.leaveCtrlC();
    return await demoShell(group, layout);
  } finally {
    group.onDeath(() => {});
    walbc.close();
    await group.stop();
  }
}

function describe(name: string, group: BackupGroup): string {
  const kinds: Readonly<Record<string, string>> = { s0: 'storage', p0: 'proxy', a0: 'archive' };
  const member = name as 's0' | 'p0' | 'a0';
  const { pid } = group.member(member);
  return `${name}   ${kinds[name]} server at ${group.address(member)}, pid ${pid}`;
}

function seconds(began: number): string {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}

function died(name: MemberName, how: string, group: BackupGroup): WalbError {
  const logFile = group.logFile(name);
  return new WalbError('unavailable', `${name} ended by itself (${how}); see ${logFile}`, {
    details: { server: name },
  });
}

/** An own folder with enough room. Throws what is wrong with it. */
function prepareFolder({ folder, size }: DemoOptions): string {
  const path = folder === undefined ? mkdtempSync(join(tmpdir(), 'walb-demo-')) : resolve(folder);
  try {
    mkdirSync(path, { recursive: true });
    const entries = readdirSync(path);
    if (entries.length > 0) {
      throw new WalbError(
        'already-exists',
        `${path} is not empty (${entries[0]}): the demo needs a folder of its own`,
      );
    }
    checkRoom(path, COPIES * size);
    return path;
  } catch (error) {
    if (folder === undefined) rmSync(path, { recursive: true, force: true });
    throw WalbError.from(error, `can not use ${path}`);
  }
}

function checkRoom(path: string, needed: Bytes): void {
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  if (free >= needed) return;
  throw new WalbError(
    'no-space',
    `the demo may need ${formatSizeForHumans(needed)} in ${path}; ${formatSizeForHumans(free)} are free: ` +
      'choose another folder (--dir, or TMPDIR) or a smaller volume (--size)',
  );
}

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

interface Interruption {
  readonly happened: boolean;
  /** From now on Ctrl-C means what the shell says: it interrupts a call. */
  leaveCtrlC(): void;
  stop(): void;
}

/**
 * Ctrl-C, kill and a closed terminal: everything ends, then this process.
 */
function endOnSignals(keeper: Keeper): Interruption {
  let happened = false;
  const handlers = new Map<string, () => void>();
  const stop = (signal: string): void => {
    const handler = handlers.get(signal);
    if (handler !== undefined) process.off(signal, handler);
  };
  for (const [signal, number] of Object.entries(SIGNALS)) {
    const end = (): void => {
      happened = true;
      void keeper.end().then(() => process.exit(128 + number));
    };
    handlers.set(signal, end);
    process.on(signal, end);
  }
  return {
    get happened() {
      return happened;
    },
    leaveCtrlC: () => stop('SIGINT'),
    stop: () => {
      for (const signal of handlers.keys()) stop(signal);
    },
  };
}
