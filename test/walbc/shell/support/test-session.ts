/** A session on the fake library whose output is collected. */
import type { Language } from '../../../../src/walbc/shell/protocol.ts';
import { ShellSession } from '../../../../src/walbc/shell/session.ts';
import { fakeGlobals, fakeLibrary } from './fake-library.ts';

export interface TestSession extends AsyncDisposable {
  readonly session: ShellSession;
  /** Evaluates one line; returns what it printed, or the text of its failure. */
  type(line: string, language?: Language): Promise<string>;
  /** Runs a script; returns its outcome and what it printed. */
  script(text: string, file?: string): Promise<{ exitCode: number; text: string; printed: string }>;
  /** Resolves at the next note of the fake controller. */
  noted(): Promise<void>;
}

export async function startSession(): Promise<TestSession> {
  let printed = '';
  let onNote = (): void => {};
  const environment = {
    print: (text: string) => void (printed += `${text}\n`),
    note: () => onNote(),
  };
  const take = (): string => {
    const text = printed;
    printed = '';
    return text;
  };
  const session = await ShellSession.start({
    library: fakeLibrary(environment),
    globals: fakeGlobals(environment),
    argv: ['one', 'two'],
    goesOn: async (call) => `${call.member} goes on`,
    output: {
      write: (text) => void (printed += text),
      drained: async () => {},
      columns: 100,
      colors: false,
    },
  });
  return {
    session,
    type: async (line, language) => {
      const outcome = await session.evaluate(line, 'walbc', 'prompt', language);
      const text = take().replace(/\n$/, '');
      if (outcome.status === 'failed') return `${text}${outcome.text}`;
      return outcome.status === 'ok' ? text : outcome.status;
    },
    script: async (text, file = 'stdin') => {
      const outcome = await session.evaluate(text, file, 'script');
      return {
        exitCode: 'exitCode' in outcome ? outcome.exitCode : 0,
        text: 'text' in outcome ? outcome.text : '',
        printed: take(),
      };
    },
    noted: () => new Promise((resolve) => void (onNote = resolve)),
    [Symbol.asyncDispose]: () => session.close(),
  };
}
