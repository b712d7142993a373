/**
 * Messages between the main thread (terminal, calls, Ctrl-C) and the worker thread (the operator's
 * code). Requests to the worker are answered when its code ends; calls from the worker are answered
 * on a port of their own that it reads synchronously while it waits.
 */
import type { Kept } from '../runbook/journal.ts';
import type { RemoteClass } from './remote-shape.ts';
import type { WireError, WireHandle } from './wire.ts';

/** Places in the shared array of 32-bit integers. */
export const WAKE = 0;
/** Whether a SIGINT would reach the operator's code now: one of `ScriptState`. */
export const SCRIPT = 1;
/** 1 while a Ctrl-C waits for Python code to notice it: at its loops, functions and calls. */
export const INTERRUPT = 2;
export const SHARED_WORDS = 3;

/**
 * Node's handling of SIGINT for a running script ends with the script, and then a signal would end the
 * process. So the main thread sends one only to code that is inside, and the code does not leave while
 * a signal is on its way.
 */
export const ScriptState = {
  outside: 0,
  inside: 1,
  /** The main thread is sending a signal. */
  signalling: 2,
  /** A signal was sent and has not had its effect yet. */
  signalled: 3,
} as const;

export interface WorkerData {
  /** Module whose `values` are the worker's share of the library. */
  readonly libraryUrl: string;
  readonly shared: SharedArrayBuffer;
  readonly replies: unknown;
}

/** What the worker is to define before the first input. */
export interface Setup {
  readonly remotes: readonly RemoteClass[];
  /** Encoded values by variable name. */
  readonly globals: Readonly<Record<string, unknown>>;
  readonly colors: boolean;
  readonly columns: number;
  readonly argv: readonly string[];
}

/** What the text is written in. */
export type Language = 'typescript' | 'python';

/** How the text is to be run. */
export type EvaluateMode =
  /** A line at the prompt: incomplete input is asked for, results are printed. */
  | 'prompt'
  /** `-c`: the value of the last expression is printed. */
  | 'command'
  /** A script or runbook: only what it prints is printed. */
  | 'script';

export type ToWorker =
  | { readonly type: 'setup'; readonly id: number; readonly setup: Setup }
  | {
      readonly type: 'evaluate';
      readonly id: number;
      readonly code: string;
      readonly file: string;
      readonly mode: EvaluateMode;
      readonly language: Language;
      readonly columns: number;
    }
  | {
      readonly type: 'complete';
      readonly id: number;
      readonly line: string;
      /** Only the hint, for which no server is asked. */
      readonly hintOnly?: boolean;
      readonly language?: Language;
    }
  | { readonly type: 'interrupt'; readonly id: number };

export type Outcome =
  | { readonly status: 'ok' }
  /** The text goes on in the next line, with so many blanks in front. */
  | { readonly status: 'incomplete'; readonly indent?: string }
  | { readonly status: 'failed'; readonly exitCode: number; readonly text: string }
  | { readonly status: 'exit'; readonly exitCode: number };

export interface Completions {
  readonly matches: readonly string[];
  /** The part of the line that the matches replace. */
  readonly typed: string;
  /** Signature and summary of the call the cursor is in. */
  readonly hint?: string;
}

/** What the worker asks the main thread to do. */
export type Request =
  | {
      readonly kind: 'method';
      readonly target: WireHandle;
      readonly member: string;
      readonly args: unknown[];
    }
  | { readonly kind: 'function'; readonly target: WireHandle; readonly args: unknown[] }
  | { readonly kind: 'create'; readonly class: string; readonly args: unknown[] }
  | { readonly kind: 'get'; readonly target: WireHandle; readonly member: string }
  | {
      readonly kind: 'set';
      readonly target: WireHandle;
      readonly member: string;
      readonly value: unknown;
    }
  | { readonly kind: 'book'; readonly event: BookEvent }
  /** Waits until everything printed so far has left the process. */
  | { readonly kind: 'drain' };

/** What a runbook says of itself with `step` and `ask`. */
export type BookEvent =
  /** Answered with a `StepAnswer`. */
  | { readonly type: 'begin'; readonly title: string; readonly hasBody: boolean }
  | { readonly type: 'end'; readonly value: Kept }
  | { readonly type: 'fail' }
  /** Answered with true or false. */
  | { readonly type: 'ask'; readonly text: string };

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'print'; readonly text: string }
  | { readonly type: 'call'; readonly id: number; readonly request: Request }
  /** The operator does not wait for this call any more. `quiet`: nobody will read what goes on. */
  | { readonly type: 'abandon'; readonly id: number; readonly quiet: boolean }
  | { readonly type: 'release'; readonly handle: number }
  | { readonly type: 'evaluated'; readonly id: number; readonly outcome: Outcome }
  | { readonly type: 'completed'; readonly id: number; readonly completions: Completions }
  | { readonly type: 'set-up'; readonly id: number; readonly error?: WireError };

/** The answer to a call, on the port of replies. */
export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: WireError }
  /** Answer to `abandon`: what goes on at the servers, '' when nothing is known to. */
  | { readonly id: number; readonly goesOn: string };
