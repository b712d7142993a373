/**
 * Errors that nobody catches. In a dead process they mean nothing: whatever it still tried has thrown.
 * In a living one they are a defect, which ends a real server.
 */
import process from 'node:process';
import { ProcessKilled } from './sim-process.ts';

type Listener = (...args: unknown[]) => void;

const EVENTS = ['unhandledRejection', 'uncaughtException'] as const;

/** Returns what gives such errors back to those who listened before. */
export function catchUnhandled(onDefect: (error: unknown) => void): () => void {
  const listener: Listener = (error) => {
    if (!isOfTheDead(error)) onDefect(error);
  };
  const undo = EVENTS.map((event) => replaceListeners(event, listener));
  return () => {
    for (const restore of undo) restore();
  };
}

/** Servers wrap what they catch. */
function isOfTheDead(error: unknown): boolean {
  if (error instanceof ProcessKilled) return true;
  return error instanceof Error && error.cause !== undefined && isOfTheDead(error.cause);
}

function replaceListeners(event: string, listener: Listener): () => void {
  const before = process.listeners(event as never) as Listener[];
  process.removeAllListeners(event);
  process.on(event, listener);
  return () => {
    process.off(event, listener);
    for (const other of before) process.on(event, other);
  };
}
