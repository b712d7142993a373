/** Ending processes: politely, then by force. */
import { setTimeout as sleep } from 'node:timers/promises';

/** What a server gets to finish in order after SIGTERM; a device takes a last checkpoint. */
const GRACE_MS = 5_000;
/** A foreign process can not be waited for, only looked at. */
const POLL_MS = 20;

/** SIGTERM to all, and SIGKILL to those that are still there after the grace time. */
export async function endAll(pids: Iterable<number>): Promise<void> {
  const left = new Set(pids);
  for (const pid of left) send(pid, 'SIGTERM');
  const deadline = performance.now() + GRACE_MS;
  while (left.size > 0 && performance.now() < deadline) {
    for (const pid of left) if (!isAlive(pid)) left.delete(pid);
    if (left.size > 0) await sleep(POLL_MS);
  }
  for (const pid of left) send(pid, 'SIGKILL');
}

export function isAlive(pid: number): boolean {
  return send(pid, 0);
}

/** False when there is no such process. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
