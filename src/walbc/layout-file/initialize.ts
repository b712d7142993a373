/** Writes a new layout file, whole or not at all, and never over one that is there. */
import { existsSync, linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { WalbError } from '../../core/index.ts';
import { layoutTemplate, type NewGroup } from './template.ts';
import { parseYamlLayout } from './yaml.ts';

export interface WriteOptions {
  readonly cwd: string;
  /** Relative to `cwd`. */
  readonly output: string;
  /** Replace a file that is there. */
  readonly force: boolean;
}

/** The full path. Throws `already-exists`, and `invalid-argument` for a name that is none of YAML. */
export function checkOutput({ cwd, output, force }: WriteOptions): string {
  const file = resolve(cwd, output);
  if (!/\.ya?ml$/.test(file)) {
    throw new WalbError('invalid-argument', `${file}: 'layout init' writes YAML, so name it .yaml`);
  }
  if (!force && existsSync(file)) throw exists(file);
  return file;
}

/** Returns the full path. Throws as `checkOutput`, and `invalid-argument` for servers that do not fit. */
export function writeLayout(group: NewGroup, options: WriteOptions): string {
  const { force } = options;
  const file = checkOutput(options);
  const text = layoutTemplate(group);
  // What is written is read first: a file that does not load is of no use to anybody.
  parseYamlLayout(text, file);
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.tmp${process.pid}`;
  try {
    writeFileSync(temporary, text, { mode: 0o644, flush: true });
    if (force) renameSync(temporary, file);
    else linkSync(temporary, file);
  } catch (thrown) {
    // Somebody else has made one meanwhile: a link does not replace it.
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') throw exists(file);
    throw WalbError.from(thrown, file);
  } finally {
    rmSync(temporary, { force: true });
  }
  return file;
}

function exists(file: string): WalbError {
  return new WalbError(
    'already-exists',
    `${file} is there already and was left as it is: --force replaces it, --output FILE writes another`,
    { details: { file } },
  );
}
