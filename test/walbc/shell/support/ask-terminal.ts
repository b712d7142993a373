/** Asks on the terminal of the process as runbooks do, with stdin elsewhere. */
import { answerOf, askOnTerminal } from '../../../../src/walbc/shell/asking.ts';

const asking = new AbortController();
process.on('SIGINT', () => asking.abort());
const show = (text: string): void => void process.stdout.write(text);

// Keys are taken one by one from here on, not line by line.
const answer = askOnTerminal(show, asking.signal);
show('Go on? ');
show(`answer: ${answerOf(await answer)}\n`);
