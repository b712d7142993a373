/**
 * What a call would do to data: a value that can be looked at, printed and asked about. It is made from
 * facts (facts.ts) by the planners of the table (calls.ts) and changes nothing.
 */

export interface PlanParts {
  /** What can not be had back afterwards, one fact each. Empty: nothing is lost. */
  readonly losses?: readonly string[];
  /** What is still there afterwards. */
  readonly stays?: readonly string[];
  /** How to get back, or that there is no way. */
  readonly undo?: readonly string[];
  /** Why the call would fail or do nothing as things are. */
  readonly obstacles?: readonly string[];
  /** What could not be found out, and why. */
  readonly unknown?: readonly string[];
}

/**
 * What a call with `dry_run=True` returns. Lists of texts; printed, a short report.
 *
 *     len(walbc.clear(a0, 'vol', dry_run=True).losses)
 */
export class Plan {
  /** As it is typed at the prompt. */
  call = '';
  losses: string[] = [];
  stays: string[] = [];
  undo: string[] = [];
  obstacles: string[] = [];
  unknown: string[] = [];

  static of(call: string, parts: PlanParts): Plan {
    return Object.assign(new Plan(), {
      call,
      losses: [...(parts.losses ?? [])],
      stays: [...(parts.stays ?? [])],
      undo: [...(parts.undo ?? [])],
      obstacles: [...(parts.obstacles ?? [])],
      unknown: [...(parts.unknown ?? [])],
    });
  }

  /** Whether an operator should be asked first: something is lost, or nobody knows what is. */
  isDangerous(): boolean {
    return this.losses.length > 0 || this.unknown.length > 0;
  }

  toString(): string {
    return renderPlan(this);
  }
}

const HEADINGS = [
  ['losses', 'lost'],
  ['unknown', 'unknown'],
  ['stays', 'stays'],
  ['undo', 'undo'],
  ['obstacles', 'but'],
] as const;

/** The report: the call, then each fact on a line of its own under its heading. */
export function renderPlan(plan: Plan): string {
  const width = Math.max(...HEADINGS.map(([, heading]) => heading.length)) + 2;
  const facts = HEADINGS.flatMap(([part, heading]) =>
    plan[part].map((text, at) => `  ${(at === 0 ? heading : '').padEnd(width)}${text}`),
  );
  return [plan.call, ...(plan.isDangerous() ? [] : ['  nothing is lost']), ...facts].join('\n');
}

/** Several plans as one: those of the parts of a call. */
export function joinParts(parts: readonly PlanParts[]): PlanParts {
  const all = (name: keyof PlanParts): string[] => [
    ...new Set(parts.flatMap((part) => part[name] ?? [])),
  ];
  return {
    losses: all('losses'),
    stays: all('stays'),
    undo: all('undo'),
    obstacles: all('obstacles'),
    unknown: all('unknown'),
  };
}
