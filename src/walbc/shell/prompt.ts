/**
 * The prompt: Node's own line editor and REPL (history, search with Ctrl-R, multi-line input), with the
 * work done by a session in another thread.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import repl from 'node:repl';
import type { Asker } from './asking.ts';
import { CallHint, type CallHintText } from './call-hint.ts';
import { useHistory } from './history.ts';
import { KeyGate, type KeySource } from './key-gate.ts';
import { PromptLanguage } from './prompt-language.ts';
import type { Language } from './protocol.ts';
import type { ShellSession } from './session.ts';

export interface PromptOptions {
  readonly session: ShellSession;
  readonly input: KeySource;
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  /** '' = none. */
  readonly historyFile: string;
  /** Text that the session prints, besides what the editor does. */
  readonly write: (text: string) => void;
  /** What is typed until the operator switches. TypeScript unless given. */
  readonly language?: Language;
  /** Given the way to ask, when there is an operator at a terminal. */
  readonly setAsker?: (asker: Asker) => void;
}

/** Runs until the operator leaves. Returns the exit code. */
export async function runPrompt(options: PromptOptions): Promise<number> {
  const { session, output, write } = options;
  const gate = new KeyGate(options.input, () => session.interrupt());
  if (gate.isTTY && output.isTTY === true) {
    options.setAsker?.((show, signal) => gate.question(show, signal));
  }
  const left = Promise.withResolvers<void>();
  let exitCode = 0;
  const input = new PromptLanguage(options.language ?? 'typescript');

  const evaluate = async (
    line: string,
    done: (error: Error | null, result?: unknown) => void,
  ): Promise<void> => {
    gate.hold();
    try {
      const code = input.textWith(line);
      const outcome = await session.evaluate(code, 'walbc', 'prompt', input.language);
      if (outcome.status === 'incomplete' && outcome.indent !== undefined) {
        input.goOn(code);
        done(null, undefined);
        // What is pasted brings its own.
        if (server.terminal && !gate.isWaiting) server.write(outcome.indent);
        return;
      }
      input.reset();
      if (outcome.status === 'incomplete') {
        done(new repl.Recoverable(new SyntaxError('goes on in the next line')));
        return;
      }
      if (outcome.status === 'failed') write(`${outcome.text}\n`);
      if (outcome.status === 'exit') {
        exitCode = outcome.exitCode;
        server.close();
        return;
      }
      done(null, undefined);
    } catch (thrown) {
      // The thread is gone: nothing can be typed any more.
      left.reject(thrown);
      server.close();
    } finally {
      gate.release();
    }
  };

  const server = repl.start({
    prompt: input.prompt,
    input: gate as unknown as NodeJS.ReadableStream,
    output,
    terminal: gate.isTTY && output.isTTY === true,
    useGlobal: true,
    ignoreUndefined: true,
    preview: false,
    eval: (line, _context, _file, done) => void evaluate(line, done),
    completer: (line: string, done: CompleterDone) => void completeLine(line, done),
  });

  const completeLine = async (line: string, done: CompleterDone): Promise<void> => {
    try {
      const { matches, typed, hint } = await session.complete(line, input.language);
      done(null, [[...matches], typed]);
      // What fits is plain from the list; the signature helps where nothing, or several things, do.
      if (hint === undefined || matches.length === 1 || output.isTTY !== true) return;
      const { signature, summary } = partsOf(hint);
      const lines = [signature, summary].flatMap((text) => wrapped(text, output.columns || 80));
      output.write(`\r\n${lines.join('\r\n')}\x1b[J\r\n`);
      server.displayPrompt(true);
    } catch {
      done(null, [[], line]);
    }
  };

  input.attach(server);
  const hints = server.terminal ? showHints(server, gate, session, input) : undefined;
  server.on('exit', () => left.resolve());
  useHistory(server, options.historyFile);
  try {
    await left.promise;
    return exitCode;
  } finally {
    hints?.detach();
    gate.detach();
    gate.setRawMode(false);
  }
}

/** Signature and summary of a call while it is typed. */
function showHints(
  server: repl.REPLServer,
  keys: KeyGate,
  session: ShellSession,
  input: PromptLanguage,
): CallHint {
  const ask = async (line: string): Promise<CallHintText | undefined> => {
    const hint = await session.hint(line, input.language);
    return hint === undefined ? undefined : partsOf(hint);
  };
  return new CallHint({ keys, editor: server, output: server.output, ask });
}

/** `f(a)  What it does.` */
function partsOf(hint: string): CallHintText {
  const [signature = '', ...summary] = hint.split(/(?<=\)) {2}/);
  return { signature, summary: summary.join('  ') };
}

/** Broken between words; [] for an empty text. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ').filter((part) => part !== '')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length >= columns) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

type CompleterDone = (error: Error | null, result?: [string[], string]) => void;

/** WALB_HISTORY, or `walb/history` below the state folder. */
export function historyFileOf(env: Readonly<Record<string, string | undefined>>): string {
  const named = env['WALB_HISTORY'];
  if (named !== undefined) return named;
  const state = env['XDG_STATE_HOME'] || join(env['HOME'] ?? homedir(), '.local/state');
  return join(state, 'walb/history');
}
