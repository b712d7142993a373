/** The prompt on the fake library, as a program that a test drives through a pseudo-terminal. */
import { historyFileOf, runPrompt } from '../../../../src/walbc/shell/prompt.ts';
import { withSession } from '../../../../src/walbc/shell/terminal-session.ts';
import { fakeGlobals, fakeLibrary } from './fake-library.ts';

process.exitCode = await withSession(
  {
    library: fakeLibrary,
    globals: fakeGlobals,
    environment: {},
    output: process.stdout,
    argv: [],
  },
  (session, { write }) =>
    runPrompt({
      session,
      input: process.stdin,
      output: process.stdout,
      historyFile: historyFileOf(process.env),
      write,
    }),
);
