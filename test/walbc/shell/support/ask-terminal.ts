/** Asks on the terminal of the process as runbooks do, with stdin elsewhere. */
import { answerOf, askOnTerminal } from '../../../../src/walbc/shell/asking.ts';

const asking = new AbortController();
process.on('SIGINT', () => asking.abort());
const show = (text: string): void => void process.stdout.write(text);

show('Go on? ');
show(`answer: ${answerOf(await askOnTerminal(show, asking.signal))}\n`);
