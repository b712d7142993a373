/**
 * A session whose output goes to a terminal or a pipe: printed text, the progress line below it, and
 * what Ctrl-C has to say.
 */
import { RealClock } from '../../core/real-clock.ts';
import type { Confirmation, ControllerEnvironment, WaitReport } from '../environment.ts';
import type { AuditLog } from '../safety/audit-log.ts';
import { type CallRecorder, Guard, type Question } from '../safety/guard.ts';
import { type Asker, answerOf, questionText } from './asking.ts';
import { goesOn } from './goes-on.ts';
import { dryRunPlaceIn, type MainLibrary } from './main-library.ts';
import { ProgressLine } from './progress-line.ts';
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
}

export interface Safety {
  readonly audit: (warn: (text: string) => void) => AuditLog;
  /** Asks before calls that lose something; the prompt of a terminal brings its own. */
  readonly asker?: Asker;
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
  const progress = new ProgressLine(isTerminal ? output : undefined);
  let lastWait: WaitReport | undefined;
  let underWay = '';
  let asker = spec.safety?.asker;
  const confirmation: Confirmation = { isOn: true };
  const write = (text: string): void => {
    progress.erase();
    output.write(text);
  };
  const environment: ControllerEnvironment = {
    ...spec.environment,
    confirmation,
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
    progress.start(underWay);
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
    globals: spec.globals(environment),
    argv,
    output: {
      write,
      drained: () => drained(output),
      colors: isTerminal && !process.env['NO_COLOR'],
      get columns() {
        // A terminal that does not know its width says 0.
        return output.columns || PIPE_COLUMNS;
      },
    },
    onStart: ({ member }) => {
      lastWait = undefined;
      underWay = member;
      progress.start(member);
    },
    onEnd: () => progress.stop(),
    goesOn: (call) => goesOn(call, lastWait),
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
