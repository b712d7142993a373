/**
 * The keeper of a group: ends its processes and removes its folder when whoever started the group is
 * gone without having done so (killed, crashed, terminal closed). A program of its own, started by
 * group-keeping.ts; it hears on stdin, one word and one value per line:
 *
 *     pid 123          a process of the group runs
 *     gone 123         it has ended
 *     folder /tmp/x    to be removed with all it holds
 *
 * The end of stdin is the end of the starter: the kernel closes the pipe however that came about.
 */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { endAll } from './group-ending.ts';

const pids = new Set<number>();
const folders = new Set<string>();

// A signal to the whole terminal or session is not for the keeper: it goes last.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

for await (const line of createInterface({ input: process.stdin })) {
  const [word, value = ''] = splitOnce(line);
  if (word === 'pid') pids.add(Number(value));
  else if (word === 'gone') pids.delete(Number(value));
  else if (word === 'folder') folders.add(value);
}

await endAll(pids);
// A process that had to be killed may still be writing its last file.
const options = { recursive: true, force: true, maxRetries: 5, retryDelay: 100 };
for (const folder of folders) rmSync(folder, options);

function splitOnce(line: string): [string, string?] {
  const space = line.indexOf(' ');
  return space < 0 ? [line] : [line.slice(0, space), line.slice(space + 1)];
}
