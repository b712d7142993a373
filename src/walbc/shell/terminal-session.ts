/**
 * A session whose output goes to a terminal or a pipe: printed text, the progress line below it, and
 * what Ctrl-C has to say.
 */
import type { ControllerEnvironment, WaitReport } from '../environment.ts';
import { goesOn } from './goes-on.ts';
import type { MainLibrary } from './main-library.ts';
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
}

const PIPE_COLUMNS = 100;

export type Write = (text: string) => void;

/** Starts a session, does `work` with it and ends it, whatever happens. */
export async function withSession<T>(
  spec: SessionSpec,
  work: (session: ShellSession, write: Write) => Promise<T>,
): Promise<T> {
  const { output, argv } = spec;
  const isTerminal = output.isTTY === true;
  const progress = new ProgressLine(isTerminal ? output : undefined);
  let lastWait: WaitReport | undefined;
  const write = (text: string): void => {
    progress.erase();
    output.write(text);
  };
  const environment: ControllerEnvironment = {
    ...spec.environment,
    print: (text) => write(`${text}\n`),
    onWait: (report) => {
      lastWait = report ?? lastWait;
      progress.report(report);
    },
  };
  const session = await ShellSession.start({
    library: spec.library(environment),
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
      progress.start(member);
    },
    onEnd: () => progress.stop(),
    goesOn: (call) => goesOn(call, lastWait),
  });
  try {
    return await work(session, write);
  } finally {
    progress.stop();
    await session.close();
  }
}

async function drained(output: ShellOutput): Promise<void> {
  await new Promise<void>((done) => output.write('', () => done()));
}
