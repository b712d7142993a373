/**
 * Python for the walbc shell: a translator to JavaScript (translate/) and what translated texts call
 * (runtime/, methods/, modules/).
 *
 *     const names = { K_STORAGE, ServerConnectionParam };
 *     runPython(source, 'walb-config.py', names);     // its assignments are in names then
 */

import { PythonMachine } from './machine.ts';
import { namesIn } from './names.ts';

export { PythonMachine } from './machine.ts';
export { PythonSyntaxError } from './syntax-error.ts';
export { describePython } from './traceback.ts';
export { translatePython } from './translate/translate.ts';

/**
 * Runs a file of definitions, such as the original's `walb-config.py`, outside of the shell. Names are
 * read from and written to `names`; what it prints goes to `write`. Throws PythonSyntaxError, and what
 * the text throws.
 */
export function runPython(
  source: string,
  file: string,
  names: Record<string, unknown>,
  write: (text: string) => void = () => {},
): void {
  const machine = new PythonMachine({
    names: namesIn(names),
    write,
    writeError: write,
    clock: {
      now: () => Date.now(),
      sleep: () => {
        throw new Error('sleep() has no place in a configuration file');
      },
    },
    argv: () => [file],
    echo: () => {},
  });
  machine.run(source, file);
}
