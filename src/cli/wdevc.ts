/** `wdevc`: control of walb devices. */
import { defaultDirectory } from './wdev-env.ts';
import { wdevcProgram } from './wdevc-program.ts';

process.exitCode = await wdevcProgram(process.argv.slice(2), {
  directory: defaultDirectory(),
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
});
