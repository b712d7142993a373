/**
 * The steps of a run: numbers and times, which of them an earlier run has finished, and what they and
 * their calls gave. A step that is skipped changes nothing: its function is not run, and the calls of a
 * step without a function are answered from the journal.
 */
import { WalbError } from '../../core/index.ts';
import type { ValueClasses } from '../shell/wire.ts';
import { type Kept, keep, recall } from './journal.ts';
import type { DoneCall, DoneStep } from './progress-file.ts';

/** A book that makes more steps loops. */
const MAX_STEPS = 10_000;

export interface StepsOptions {
  readonly classes: ValueClasses;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly print: (line: string) => void;
  /** Steps of an earlier run. */
  readonly done: readonly DoneStep[];
  /** `--resume`: what the earlier run has finished is skipped. */
  readonly isResuming: boolean;
  /** `--from`: number or title of the first step that is done. */
  readonly from: string | undefined;
  /** Called with all finished steps when there is one more. */
  readonly save: (steps: readonly DoneStep[]) => void;
}

/** What the book is told when it begins a step. */
export interface StepAnswer {
  readonly isSkipped: boolean;
  /** Of a step with a function that is skipped. */
  readonly value?: string;
}

interface Current {
  readonly number: number;
  readonly title: string;
  readonly occurrence: number;
  readonly hasBody: boolean;
  readonly began: number;
  readonly earlier: DoneStep | undefined;
  readonly isSkipped: boolean;
  readonly calls: DoneCall[];
  /** Calls of the earlier run that have not been made again yet. */
  readonly left: DoneCall[];
}

export class Steps {
  readonly #options: StepsOptions;
  readonly #finished: DoneStep[] = [];
  readonly #seen = new Map<string, number>();
  #number = 0;
  #current: Current | undefined;
  #hasReachedFrom: boolean;

  constructor(options: StepsOptions) {
    this.#options = options;
    this.#hasReachedFrom = options.from === undefined;
  }

  /** The book begins a step; the one before, if it had no function, has ended. */
  begin(title: string, hasBody: boolean): StepAnswer {
    if (this.#current?.hasBody === true) {
      throw bad(`step '${title}' is within step '${this.#current.title}': steps do not nest`);
    }
    this.#end(undefined);
    if (this.#number === MAX_STEPS) throw bad(`a runbook has at most ${MAX_STEPS} steps`);
    const wasReached = this.#hasReachedFrom;
    const current = this.#open(title, hasBody);
    this.#current = current;
    // From here on all is done anew: what the earlier run had finished of it does not count any more.
    if (!wasReached && this.#hasReachedFrom) this.#save();
    this.#announce(current);
    if (!current.isSkipped || !hasBody) return { isSkipped: current.isSkipped };
    const value = keptValueOf(current);
    this.#end(undefined);
    return { isSkipped: true, value };
  }

  #open(title: string, hasBody: boolean): Current {
    this.#number += 1;
    const occurrence = this.#seen.get(title) ?? 0;
    this.#seen.set(title, occurrence + 1);
    const { done, isResuming, from, now } = this.#options;
    const earlier = done.find((one) => one.title === title && one.occurrence === occurrence);
    if (from === title || from === String(this.#number)) this.#hasReachedFrom = true;
    return {
      number: this.#number,
      title,
      occurrence,
      hasBody,
      began: now(),
      earlier,
      isSkipped: !this.#hasReachedFrom || (isResuming && earlier !== undefined),
      calls: [],
      left: [...(earlier?.calls ?? [])],
    };
  }

  /** Titles of the steps that are finished. */
  get finished(): readonly DoneStep[] {
    return this.#finished;
  }

  #announce({ number, title, isSkipped, began, earlier }: Current): void {
    const time = new Date(began).toISOString().slice(11, 19);
    const skipped =
      earlier === undefined ? 'skipped' : `skipped: done ${earlier.ended.slice(0, 19)} UTC`;
    this.#options.print(`== ${number}. ${title} (${isSkipped ? skipped : `${time} UTC`})`);
  }

  /** The function of the step has returned. */
  endBody(value: Kept): void {
    this.#end(value);
  }

  /** It has thrown: the step is not finished. */
  failBody(): void {
    this.#current = undefined;
  }

  /** The book has ended well: so has its last step. Throws when `--from` named no step. */
  finish(): void {
    this.#end(undefined);
    const { from } = this.#options;
    if (this.#hasReachedFrom) return;
    throw new WalbError('not-found', `there was no step ${from}: all ${this.#number} were skipped`);
  }

  #end(value: Kept | undefined): void {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    const { now, print } = this.#options;
    const ended = now();
    if (!current.isSkipped) {
      print(`   ${current.number}. took ${((ended - current.began) / 1000).toFixed(1)} s`);
    }
    this.#finished.push(
      current.isSkipped && current.earlier !== undefined
        ? current.earlier
        : {
            title: current.title,
            occurrence: current.occurrence,
            ended: new Date(ended).toISOString(),
            ...(value === undefined ? {} : { value }),
            calls: current.calls,
          },
    );
    this.#save();
  }

  /** A call that changes something has gone well. */
  called(text: string, value: unknown): void {
    this.#current?.calls.push({ text, value: keep(value, this.#options.classes) });
  }

  /**
   * What a call gave in an earlier run, when the step it is in is skipped. Throws `conflict` when that
   * is not known: then the step can not be skipped.
   */
  replay(text: string): { readonly value: unknown } | undefined {
    const current = this.#current;
    if (current === undefined || !current.isSkipped) return undefined;
    const at = current.left.findIndex((call) => call.text === text);
    const [found] = at < 0 ? [] : current.left.splice(at, 1);
    if (found === undefined) throw notRecorded(current, `makes the call ${text}`);
    if ('lost' in found.value) throw notKept(current, `the result of ${text}`, found.value.lost);
    this.#options.print(`done before: ${text}`);
    return { value: recall(found.value.json, this.#options.classes) };
  }

  /** A run that goes on and ends early keeps what is behind the place where it ended. */
  #save(): void {
    this.#options.save([...this.#finished, ...this.#notYetSeen()]);
  }

  #notYetSeen(): DoneStep[] {
    const { isResuming, from, done } = this.#options;
    // What --from begins with is done again, and so is all behind it.
    const isKept = isResuming || (from !== undefined && !this.#hasReachedFrom);
    if (!isKept) return [];
    return done.filter(({ title, occurrence }) => occurrence >= (this.#seen.get(title) ?? 0));
  }
}

function bad(message: string): WalbError {
  return new WalbError('invalid-argument', message);
}

function keptValueOf(current: Current): string {
  const value = current.earlier?.value;
  if (value === undefined) throw notRecorded(current, 'gives a value');
  if ('lost' in value) throw notKept(current, 'its value', value.lost);
  return value.json;
}

function notRecorded({ number, title }: Current, what: string): WalbError {
  return new WalbError(
    'conflict',
    `step ${number} '${title}' can not be skipped: it ${what}, which no earlier run has recorded; ` +
      `--from ${number} begins with it. What is only to be done or left out goes into if (step('${title}')) { ... }`,
    { details: { step: number } },
  );
}

function notKept({ number, title }: Current, what: string, why: string): WalbError {
  return new WalbError(
    'conflict',
    `step ${number} '${title}' can not be skipped: ${what} could not be kept (${why}); --from ${number} does it again`,
    { details: { step: number } },
  );
}
