/**
 * A session whose output goes to a terminal or a pipe: printed text, the progress line below it, and
 * what Ctrl-C has to say.
 */
import { RealClock } from '../../core/real-clock.ts';
import type { Confirmation, ControllerEnvironment, Screen, WaitReport } from '../environment.ts';
import { Steps } from '../runbook/steps.ts';
import type { AuditLog } from '../safety/audit-log.ts';
import { callText } from '../safety/call-text.ts';
import { type CallRecorder, Guard, type Question } from '../safety/guard.ts';
import { type Asker, answerOf, askOnTerminal, questionText } from './asking.ts';
import type { RunningCall } from './bridge-host.ts';
import { goesOn } from './goes-on.ts';
import { classes } from './library-names.ts';
import { dryRunPlaceIn, type MainLibrary } from './main-library.ts';
import { ProgressLine } from './progress-line.ts';
import type { BookEvent } from './protocol.ts';
import { ShellSession } from './session.ts';

export type ShellInput = NodeJS.ReadableStream & { readonly isTTY?: boolean };
export type ShellOutput = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
};

export interface SessionSpec {
  readonly library: (environment: ControllerEnvironment) => MainLibrary;
  /** Variables that are there from the start; controllers among them report to the environment. */
  readonly globals: (environment: ControllerEnvironment) => Readonly<Record<string, unknown>>;
  readonly environment: ControllerEnvironment;
  readonly output: ShellOutput;
  readonly argv: readonly string[];
  /** What calls pass; without it they are just done. */
  readonly safety?: Safety;
  /** The steps of a runbook; elsewhere they are headings. */
  readonly steps?: (print: (line: string) => void) => Steps;
  /** Told everything that is printed. */
  readonly onWrite?: Write;
}

export interface Safety {
  readonly audit: (warn: (text: string) => void) => AuditLog;
  /** Asks before calls that lose something; the prompt of a terminal brings its own. */
  readonly asker?: Asker;
  /** Answers what a runbook asks; the asker does, or the terminal, unless given. */
  readonly answerer?: Asker;
  readonly recorder?: CallRecorder;
}

export interface SessionTools {
  /** Prints above the progress line. */
  readonly write: Write;
  /** The prompt is on a terminal: from now on the operator is asked. */
  readonly setAsker: (asker: Asker) => void;
}

const PIPE_COLUMNS = 100;

export type Write = (text: string) => void;

/** Starts a session, does `work` with it and ends it, whatever happens. */
export async function withSession<T>(
  spec: SessionSpec,
  work: (session: ShellSession, tools: SessionTools) => Promise<T>,
): Promise<T> {
  const { output, argv } = spec;
  const isTerminal = output.isTTY === true;
  // Such a terminal (Emacs, a serial console) knows no escape sequences: no line can be erased there.
  const canErase = isTerminal && process.env['TERM'] !== 'dumb';
  const progress = new ProgressLine(canErase ? output : undefined);
  let lastWait: WaitReport | undefined;
  let underWay: RunningCall | undefined;
  const beginProgress = (): void => {
    if (underWay !== undefined) progress.start(underWay.member, callText(underWay));
  };
  let asker = spec.safety?.asker;
  const confirmation: Confirmation = { isOn: true };
  const write = (text: string): void => {
    progress.erase();
    output.write(text);
    spec.onWrite?.(text);
  };
  const print = (line: string): void => write(`${line}\n`);
  const steps = spec.steps?.(print) ?? headings(print);
  let question = new AbortController();
  const screen: Screen = {
    get columns() {
      // A terminal that does not know its width says 0.
      return output.columns || PIPE_COLUMNS;
    },
    colors: canErase && !process.env['NO_COLOR'],
  };
  const environment: ControllerEnvironment = {
    ...spec.environment,
    confirmation,
    screen: () => (isTerminal ? screen : undefined),
    print: (text) => write(`${text}\n`),
    onWait: (report) => {
      lastWait = report ?? lastWait;
      progress.report(report);
    },
  };
  const ask = async (question: Question): Promise<ReturnType<typeof answerOf>> => {
    // Nothing is drawn over a question.
    progress.stop();
    write(questionText(question));
    const line = await asker?.(write, question.signal);
    beginProgress();
    return answerOf(line);
  };
  const library = spec.library(environment);
  const guard = guardOf(spec.safety, library, write, {
    ask,
    isConfirmOn: () => asker !== undefined && confirmation.isOn,
  });
  const session = await ShellSession.start({
    library,
    ...(guard === undefined ? {} : { guard }),
    onBook: bookHandler(steps, async (text) => {
      question = new AbortController();
      progress.stop();
      write(`${text} [y/N] `);
      const answerer = spec.safety?.answerer ?? asker ?? askOnTerminal;
      return answerOf(await answerer(write, question.signal)) !== 'no';
    }),
    globals: spec.globals(environment),
    argv,
    output: {
      write,
      drained: () => drained(output),
      colors: screen.colors,
      get columns() {
        return screen.columns;
      },
    },
    onStart: (call) => {
      lastWait = undefined;
      underWay = call;
      beginProgress();
    },
    onEnd: () => progress.stop(),
    goesOn: (call) => {
      question.abort();
      return goesOn(call, lastWait);
    },
  });
  try {
    return await work(session, { write, setAsker: (given) => void (asker = given) });
  } finally {
    progress.stop();
    await session.close();
  }
}

async function drained(output: ShellOutput): Promise<void> {
  await new Promise<void>((done) => output.write('', () => done()));
}

function guardOf(
  safety: Safety | undefined,
  library: MainLibrary,
  write: Write,
  asking: Pick<ConstructorParameters<typeof Guard>[0], 'ask' | 'isConfirmOn'>,
): Guard | undefined {
  if (safety === undefined) return undefined;
  const { audit, recorder } = safety;
  return new Guard({
    audit: audit((text) => write(`${text}\n`)),
    clock: new RealClock(),
    dryRunPlace: dryRunPlaceIn(library),
    ...asking,
    ...(recorder === undefined ? {} : { recorder }),
  });
}

/** Steps where there is no runbook: headings with times. */
function headings(print: (line: string) => void): Steps {
  return new Steps({
    classes,
    now: Date.now,
    print,
    done: [],
    isResuming: false,
    from: undefined,
    save: () => {},
  });
}

function bookHandler(
  steps: Steps,
  ask: (text: string) => Promise<boolean>,
): (event: BookEvent) => unknown {
  return (event) => {
    switch (event.type) {
      case 'begin':
        return steps.begin(event.title, event.hasBody);
      case 'end':
        return steps.endBody(event.value);
      case 'fail':
        return steps.failBody();
      case 'ask':
        return ask(event.text);
    }
  };
}
