/**
 * One line below the prompt while a call takes its time: what is awaited, how far it is, how fast, and
 * how long it will take. It is erased when the call ends; where output is no terminal it never appears.
 */
import { formatSizeForHumans, LB_SIZE } from '../../core/index.ts';
import type { WaitReport } from '../environment.ts';

/** Quick calls do not flicker. */
const QUIET_MS = 500;
const FRAME_MS = 120;
/** A rate over less is noise. */
const MIN_RATE_SECONDS = 0.5;
const FRAMES = ['|', '/', '-', '\\'];
const ERASE = '\r\x1b[K';

export interface ProgressOutput {
  write(text: string): unknown;
  readonly columns?: number;
}

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

export class ProgressLine {
  readonly #output: ProgressOutput | undefined;
  readonly #now: () => number;
  #what = '';
  #call = '';
  #report: WaitReport | undefined;
  #first: Sample | undefined;
  /** The latest that brought news. */
  #last: Sample | undefined;
  #began = 0;
  #timer: NodeJS.Timeout | undefined;
  #isDrawn = false;

  /** Without `output` nothing is ever drawn. */
  constructor(output: ProgressOutput | undefined, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
  }

  /** A call begins. `what`: its name; `call`: with its arguments, for as long as nothing else is known. */
  start(what: string, call = what): void {
    if (this.#output === undefined || what === '') return;
    this.stop();
    this.#what = what;
    this.#call = call;
    this.#began = this.#now();
    this.#timer = setTimeout(() => {
      this.#draw();
      this.#timer = setInterval(() => this.#draw(), FRAME_MS);
    }, QUIET_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#report = undefined;
    this.#first = undefined;
    this.#last = undefined;
    this.erase();
  }

  /** What the call is waiting for now. */
  report(report: WaitReport | undefined): void {
    // A wait within the call has ended; the last look stays until the next one.
    if (report === undefined) return;
    const bytes = progressOf(report)?.done;
    const isOther = report.what !== this.#report?.what || report.server !== this.#report.server;
    // A restore copies the base and then writes the diffs: the next part begins at 0.
    if (isOther || (bytes ?? 0) < (this.#last?.bytes ?? 0)) {
      this.#first = undefined;
      this.#last = undefined;
    }
    this.#report = report;
    if (bytes === undefined) return;
    const sample = { at: this.#now(), bytes };
    this.#first ??= sample;
    if (bytes !== this.#last?.bytes) this.#last = sample;
  }

  /** Makes room for other output; the next frame draws the line again below it. */
  erase(): void {
    if (this.#isDrawn) this.#output?.write(ERASE);
    this.#isDrawn = false;
  }

  #draw(): void {
    const elapsed = this.#now() - this.#began;
    const frame = FRAMES[Math.floor(elapsed / FRAME_MS) % FRAMES.length]!;
    const what = this.#report === undefined ? this.#call : this.#what;
    const text = `${frame} ${progressText(what, this.#report, elapsed, this.#rate())}`;
    // A line that wraps could not be erased.
    const width = Math.max(10, (this.#output?.columns || 80) - 1);
    this.#output?.write(`${ERASE}${text.slice(0, width)}`);
    this.#isDrawn = true;
  }

  /** Bytes per second between the first and the latest news of this wait. */
  #rate(): number | undefined {
    if (this.#first === undefined || this.#last === undefined) return undefined;
    const seconds = (this.#last.at - this.#first.at) / 1000;
    const bytes = this.#last.bytes - this.#first.bytes;
    return seconds >= MIN_RATE_SECONDS && bytes > 0 ? bytes / seconds : undefined;
  }
}

interface ByteProgress {
  readonly done: number;
  /** 0 = not known. */
  readonly total: number;
}

function progressOf({ view }: WaitReport): ByteProgress | undefined {
  const [progress] = view?.progress ?? [];
  if (progress === undefined) return undefined;
  const unit = progress.inBytes ? 1 : LB_SIZE;
  return { done: progress.done * unit, total: progress.total * unit };
}

/** Of the bar, between its brackets. */
const BAR_WIDTH = 16;

/**
 * For example `restore [######----------] 40% of 2 GiB, 210 MiB/s, 0:06 left (0:04) vol at a0, Archived`:
 * what matters most comes first, for a narrow terminal cuts the end off.
 */
export function progressText(
  what: string,
  report: WaitReport | undefined,
  elapsedMs: number,
  rate: number | undefined,
): string {
  const elapsed = `(${formatDuration(elapsedMs / 1000)})`;
  if (report === undefined) return `${what} ${elapsed}`;
  const progress = progressOf(report);
  const figures = progress === undefined ? [] : [figuresOf(progress, rate)];
  return [what, ...figures, elapsed, awaitedText(what, report)].join(' ');
}

/** Who is waited for, and for what where the name of the call does not say it. */
function awaitedText(what: string, report: WaitReport): string {
  const { view, server, unreachable, missing } = report;
  if (missing !== undefined) return `${report.what}: ${missing}`;
  // `replicate` waits for its `replicate_once`.
  const [, of, rest = report.what] =
    /^the end of (\w+?)(?:_once)? (?:of )?(.+)$/.exec(report.what) ?? [];
  const parts = [`${of === what ? rest : report.what} at ${server}`];
  if (unreachable !== undefined) parts.push(`no answer: ${unreachable}`);
  else if (view !== undefined) parts.push(view.state);
  return parts.join(', ');
}

function figuresOf({ done, total }: ByteProgress, rate: number | undefined): string {
  const size =
    total > 0
      ? `${barText(done / total)} ${Math.floor((100 * done) / total)}% of ${formatSizeForHumans(total)}`
      : formatSizeForHumans(done);
  const parts = [size];
  if (rate !== undefined) {
    parts.push(`${formatSizeForHumans(Math.round(rate))}/s`);
    if (total > done) parts.push(`${formatDuration((total - done) / rate)} left`);
  }
  return parts.join(', ');
}

function barText(fraction: number): string {
  const full = Math.round(BAR_WIDTH * Math.min(1, Math.max(0, fraction)));
  return `[${'#'.repeat(full)}${'-'.repeat(BAR_WIDTH - full)}]`;
}

/** `0:07`, `12:30`, `3:00:00`. */
export function formatDuration(seconds: number): string {
  const whole = Math.floor(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}
