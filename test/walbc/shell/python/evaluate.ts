/** Runs rows of the tables: here, and by the machine's own Python. */
import { spawnSync } from 'node:child_process';
import vm from 'node:vm';
import { PythonMachine } from '../../../../src/walbc/shell/python/machine.ts';
import { namesIn } from '../../../../src/walbc/shell/python/names.ts';
import { repr } from '../../../../src/walbc/shell/python/runtime/repr.ts';
import { errorLine } from '../../../../src/walbc/shell/python/traceback.ts';

export function machineWith(
  write: (text: string) => void,
  names: Record<string, unknown> = {},
): PythonMachine {
  return new PythonMachine({
    names: namesIn(names),
    write,
    writeError: write,
    clock: { now: () => 0, sleep: () => {} },
    argv: () => ['book.py'],
    echo: (value) => {
      if (value !== undefined && value !== null) write(`${repr(value)}\n`);
    },
  });
}

let printed = '';
const names: Record<string, unknown> = {};
/** One machine for all rows; each begins without names. */
const machine = machineWith((text) => {
  printed += text;
}, names);

/** What a row gives: all that it prints, the repr of an expression, the line of an exception. */
export function evaluate(source: string): string {
  printed = '';
  for (const name of Object.keys(names)) delete names[name];
  try {
    // A text of one line is an expression where it can be one; `prompt` echoes those.
    machine.run(source, 'row', source.includes('\n') ? 'script' : 'prompt');
  } catch (error) {
    printed += `${errorLine(error as Error)}\n`;
  }
  return printed.trimEnd();
}

const PYTHON = `
import contextlib, io, json, sys
outputs = []
for source in json.load(sys.stdin):
    printed = io.StringIO()
    names = {'__name__': '__main__'}
    with contextlib.redirect_stdout(printed):
        try:
            code = compile(source, 'row', 'single' if '\\n' not in source else 'exec')
            exec(code, names)
        except BaseException as error:
            text = str(error)
            print(type(error).__name__ + (': ' + text if text else ''))
    outputs.append(printed.getvalue().rstrip())
json.dump(outputs, sys.stdout)
`;

/** The same by python3: one process for all rows. */
export function evaluateByPython(sources: readonly string[]): string[] {
  const { stdout, stderr, status } = spawnSync('python3', ['-c', PYTHON], {
    input: JSON.stringify(sources),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, PYTHONHASHSEED: '0', PYTHONIOENCODING: 'utf8' },
  });
  if (status !== 0) throw new Error(`python3 failed: ${stderr}`);
  return JSON.parse(stdout) as string[];
}

/** The script of a translated text, compiled and not run. */
export function compileOf(script: string): vm.Script {
  return new vm.Script(script, { filename: 'row' });
}
