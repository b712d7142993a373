import { describe, expect, test } from 'vitest';
import { keep } from '../../../src/walbc/runbook/journal.ts';
import type { DoneStep } from '../../../src/walbc/runbook/progress-file.ts';
import { Steps, type StepsOptions } from '../../../src/walbc/runbook/steps.ts';
import { classes } from '../../../src/walbc/shell/library-names.ts';

interface World {
  readonly steps: Steps;
  readonly printed: string[];
  readonly saved: DoneStep[];
}

function start(more: Partial<StepsOptions> = {}): World {
  const printed: string[] = [];
  const saved: DoneStep[] = [];
  let now = Date.UTC(2026, 0, 31, 12);
  const steps = new Steps({
    classes,
    now: () => (now += 500),
    print: (line) => printed.push(line),
    done: [],
    isResuming: false,
    from: undefined,
    save: (list) => void saved.splice(0, saved.length, ...list),
    ...more,
  });
  return { steps, printed, saved };
}

/** A run with two steps of one title, of which the second makes a call, and a third with a value. */
function firstRun(): DoneStep[] {
  const { steps, saved } = start();
  steps.begin('volume', false);
  steps.begin('volume', false);
  steps.called("walbc.snapshot(s0, 'vol')", 7n);
  steps.begin('choose', true);
  steps.endBody(keep(7n, classes));
  steps.begin('last', false);
  return [...saved];
}

describe('steps', () => {
  test('have numbers, times, and how long they took', () => {
    const { steps, printed } = start();
    expect(steps.begin('one', false)).toEqual({ isSkipped: false });
    expect(steps.begin('two', true)).toEqual({ isSkipped: false });
    steps.endBody(keep(1, classes));
    steps.finish();
    expect(printed).toEqual([
      '== 1. one (12:00:00 UTC)',
      '   1. took 0.5 s',
      '== 2. two (12:00:01 UTC)',
      '   2. took 0.5 s',
    ]);
  });

  test('are finished by the next one, by their function, or by the end of the book', () => {
    expect(firstRun().map(({ title, occurrence }) => [title, occurrence])).toEqual([
      ['volume', 0],
      ['volume', 1],
      ['choose', 0],
    ]);
    const { steps, saved } = start();
    steps.begin('fails', true);
    steps.failBody();
    expect(saved).toEqual([]);
    steps.begin('next', false);
    steps.finish();
    expect(saved.map(({ title }) => title)).toEqual(['next']);
  });

  test('do not nest', () => {
    const { steps } = start();
    steps.begin('outer', true);
    expect(() => steps.begin('inner', false)).toThrow("step 'inner' is within step 'outer'");
  });

  test('a resumed run skips what is finished: by title and occurrence, in whatever order', () => {
    const { steps, printed } = start({ done: firstRun(), isResuming: true });
    expect(steps.begin('choose', true)).toEqual({
      isSkipped: true,
      value: '{"#":"int","value":"7"}',
    });
    expect(steps.begin('volume', false).isSkipped).toBe(true);
    expect(steps.begin('volume', false).isSkipped).toBe(true);
    expect(steps.begin('volume', false).isSkipped).toBe(false);
    expect(steps.begin('last', false).isSkipped).toBe(false);
    expect(printed[0]).toBe('== 1. choose (skipped: done 2026-01-31T12:00:03 UTC)');
  });

  test('a resumed run that ends early forgets nothing that is behind the place', () => {
    const { steps, saved } = start({ done: firstRun(), isResuming: true });
    steps.begin('volume', false);
    steps.begin('choose', true);
    expect(saved.map(({ title, occurrence }) => [title, occurrence])).toEqual([
      ['volume', 0],
      ['choose', 0],
      ['volume', 1],
    ]);
  });

  test('--from does anew all that is behind it', () => {
    const { steps, saved } = start({ done: firstRun(), from: '2' });
    steps.begin('volume', false);
    steps.begin('volume', false);
    expect(saved.map(({ title }) => title)).toEqual(['volume']);
    steps.begin('other', false);
    expect(saved.map(({ title }) => title)).toEqual(['volume', 'volume']);
  });

  test('calls of a skipped step are answered from the journal, each once', () => {
    const { steps } = start({ done: firstRun(), isResuming: true });
    steps.begin('volume', false);
    steps.begin('volume', false);
    expect(steps.replay("walbc.snapshot(s0, 'vol')")).toEqual({ value: 7n });
    expect(() => steps.replay("walbc.snapshot(s0, 'vol')")).toThrow(
      /can not be skipped.*--from 2/s,
    );
    expect(() => steps.replay("walbc.clear(a0, 'vol')")).toThrow('can not be skipped');
    steps.begin('last', false);
    expect(steps.replay("walbc.snapshot(s0, 'vol')")).toBeUndefined();
  });

  test('a step whose value can not be kept is not skipped', () => {
    const first = start();
    first.steps.begin('make', true);
    first.steps.endBody(keep(() => 1, classes));
    const { steps } = start({ done: first.saved, isResuming: true });
    expect(() => steps.begin('make', true)).toThrow(/its value could not be kept.*--from 1/s);
  });

  test('--from begins at a number or title, and names what it can not skip', () => {
    for (const from of ['3', 'choose']) {
      const { steps } = start({ done: firstRun(), from });
      expect(steps.begin('volume', false).isSkipped).toBe(true);
      expect(steps.begin('volume', false).isSkipped).toBe(true);
      expect(steps.begin('choose', true).isSkipped).toBe(false);
    }
    const unknown = start({ from: '2' });
    expect(() => unknown.steps.begin('value', true)).toThrow('no earlier run has recorded');
  });

  test('--from a step that does not come is an error at the end', () => {
    const { steps } = start({ from: 'never' });
    steps.begin('one', false);
    expect(() => steps.finish()).toThrow('there was no step never: all 1 were skipped');
  });

  test('there is a limit', () => {
    const { steps } = start();
    const loop = (): void => {
      for (let i = 0; i < 10_001; i += 1) steps.begin('again', false);
    };
    expect(loop).toThrow('at most 10000 steps');
  });
});
