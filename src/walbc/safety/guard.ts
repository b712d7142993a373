/**
 * Between the operator's code and the library: every call passes here. Calls that only ask go through.
 * Of the others it says what would be lost (`dry_run=True`), asks where an operator is there to be
 * asked, and writes the audit log before and after.
 */
import { type Clock, WalbError } from '../../core/index.ts';
import type { AuditLog } from './audit-log.ts';
import { type Ending, errorEnding } from './audit-record.ts';
import { callText, resultText } from './call-text.ts';
import { type Call, specOf } from './calls.ts';
import type { Plan } from './plan.ts';
import { previewCall } from './preview.ts';

/** `all`: yes to this and to every other question of the same input. */
export type Answer = 'yes' | 'no' | 'all';

export interface Question {
  /** The plan as text. */
  readonly text: string;
  /** Not the first one of this input. */
  readonly isRepeated: boolean;
  /** Ends the question: the answer is no. */
  readonly signal: AbortSignal;
}

export interface GuardOptions {
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** Where the argument `dry_run` of a call stands; undefined for calls without one. */
  readonly dryRunPlace: (className: string, member: string) => number | undefined;
  /** Asks the operator; without it nobody is asked. */
  readonly ask?: (question: Question) => Promise<Answer>;
  /** `walbc.confirm`. */
  readonly isConfirmOn?: () => boolean;
  /** Told what calls that change something do, and may answer them itself. */
  readonly recorder?: CallRecorder;
}

/** Runbooks: what a run did, for its transcript, and to go on after a run that failed. */
export interface CallRecorder {
  /** The call is only said: nothing is changed. */
  readonly isDryRun: boolean;
  /** The result of an earlier run, for a step that is finished. */
  replay(call: string): { readonly value: unknown } | undefined;
  onPlan(plan: Plan): void;
  onBegin(call: string): void;
  onEnd(call: string, ending: Ending, value: unknown): void;
}

type Perform = (args: readonly unknown[]) => Promise<unknown>;

export class Guard {
  readonly #options: GuardOptions;
  readonly #underWay = new Set<AbortController>();
  #asked = 0;
  #isAllowed = false;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** A new input: what was answered before does not count any more. */
  beginInput(): void {
    this.#asked = 0;
    this.#isAllowed = false;
  }

  /** Ctrl-C: nothing is begun any more, a question is answered with no. */
  interrupt(): void {
    for (const controller of this.#underWay) controller.abort();
  }

  /** Does the call, or says what it would do. */
  async run(given: Call, perform: Perform): Promise<unknown> {
    const { call, isDryRun } = this.#split(given);
    if (specOf(call).effect === 'read') return await perform(call.args);
    const controller = new AbortController();
    this.#underWay.add(controller);
    try {
      if (isDryRun) return await this.#preview(call, controller.signal);
      return await this.#change(call, perform, controller.signal);
    } finally {
      this.#underWay.delete(controller);
    }
  }

  #split(call: Call): { readonly call: Call; readonly isDryRun: boolean } {
    const place = this.#options.dryRunPlace(call.className, call.member);
    if (place === undefined || call.args.length <= place) return { call, isDryRun: false };
    const value = call.args[place];
    if (value !== undefined && value !== null && typeof value !== 'boolean') {
      throw new WalbError('invalid-argument', `dry_run of ${call.member} takes True or False`);
    }
    return { call: { ...call, args: call.args.slice(0, place) }, isDryRun: value === true };
  }

  async #preview(call: Call, signal: AbortSignal): Promise<Plan> {
    const end = this.#options.audit.begin(callText(call), true);
    const began = this.#options.clock.monotonic();
    try {
      const plan = await this.#plan(call, signal);
      end({ durationMs: this.#since(began) });
      return plan;
    } catch (thrown) {
      end({ durationMs: this.#since(began), error: errorEnding(thrown) });
      throw thrown;
    }
  }

  async #plan(call: Call, signal: AbortSignal): Promise<Plan> {
    const plan = await previewCall(call, this.#options.clock);
    // Facts that an interrupt cut off are no facts.
    if (signal.aborted) throw notDone(call);
    return plan;
  }

  async #change(call: Call, perform: Perform, signal: AbortSignal): Promise<unknown> {
    const { recorder } = this.#options;
    const text = callText(call);
    const earlier = recorder?.replay(text);
    if (earlier !== undefined) return earlier.value;
    if (recorder?.isDryRun === true) {
      recorder.onPlan(await this.#preview(call, signal));
      return undefined;
    }
    if (!(await this.#mayProceed(call, signal))) {
      this.#options.audit.begin(text)({ durationMs: 0, declined: true });
      throw notDone(call);
    }
    return await this.#perform(call, text, perform, signal);
  }

  async #perform(
    call: Call,
    text: string,
    perform: Perform,
    signal: AbortSignal,
  ): Promise<unknown> {
    const { audit, recorder, clock } = this.#options;
    const end = audit.begin(text);
    recorder?.onBegin(text);
    const began = clock.monotonic();
    const close = (ending: Omit<Ending, 'durationMs'>, value?: unknown): void => {
      const whole: Ending = {
        durationMs: this.#since(began),
        ...ending,
        ...(signal.aborted ? { interrupted: true as const } : {}),
      };
      end(whole);
      recorder?.onEnd(text, whole, value);
    };
    try {
      const value = await perform(call.args);
      const result = resultText(value);
      close(result === '' ? {} : { result }, value);
      return value;
    } catch (thrown) {
      close({ error: errorEnding(thrown) });
      throw thrown;
    }
  }

  #since(began: number): number {
    return Math.round(this.#options.clock.monotonic() - began);
  }

  /** Asks when something may be lost and somebody is there. */
  async #mayProceed(call: Call, signal: AbortSignal): Promise<boolean> {
    const { ask, isConfirmOn = () => true } = this.#options;
    if (ask === undefined || this.#isAllowed || !isConfirmOn()) return true;
    if (specOf(call).effect !== 'destructive') return true;
    const plan = await this.#plan(call, signal);
    if (!plan.isDangerous()) return true;
    const isRepeated = this.#asked > 0;
    this.#asked += 1;
    const answer = await ask({ text: String(plan), isRepeated, signal });
    if (signal.aborted) return false;
    this.#isAllowed = answer === 'all';
    return answer !== 'no';
  }
}

function notDone(call: Call): WalbError {
  return new WalbError('cancelled', `nothing was done: ${callText(call)} was not confirmed`);
}
