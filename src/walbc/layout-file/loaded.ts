/** What every kind of layout file comes to, and how its errors look. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { WalbError } from '../../core/index.ts';
import type { TlsOptions } from '../../rpc/tls.ts';
import type { ServerLayout } from '../layout.ts';

export interface LoadedLayout {
  readonly file: string;
  readonly layout: ServerLayout;
  readonly tls?: TlsOptions;
  /** Full paths of the PEM files behind `tls`. */
  readonly tlsFiles?: TlsFiles;
}

export type TlsFiles = Readonly<Record<keyof TlsOptions, string>>;

export const TLS_KEYS = ['ca', 'certificate', 'privateKey'] as const;

/** A group has a handful of servers; a bigger file is not a layout. */
const MAX_FILE_BYTES = 1024 * 1024;

/** `invalid-argument`: the file, the line where it is known, what is wrong. */
export function layoutError(file: string, problem: string, line?: number): WalbError {
  const place = line === undefined ? file : `${file}:${line}`;
  return new WalbError('invalid-argument', `layout file ${place}: ${problem}`, {
    details: { file, ...(line === undefined ? {} : { line }) },
  });
}

/** The text of a layout file. Throws what the system says, or that it is too big. */
export function readLayoutText(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    throw WalbError.from(thrown, `layout file ${file}`);
  }
  if (text.length <= MAX_FILE_BYTES) return text;
  throw layoutError(file, `it has ${text.length} bytes; that is no layout`);
}

/**
 * Reads the PEM files; their paths are relative to the layout file. `fail` makes the error for a key
 * whose file can not be read.
 */
export function loadTls(
  file: string,
  paths: TlsFiles,
  fail: (key: keyof TlsOptions, problem: string) => WalbError,
): Pick<Required<LoadedLayout>, 'tls' | 'tlsFiles'> {
  const folder = dirname(file);
  const entries = TLS_KEYS.map((key) => {
    const path = resolve(folder, paths[key]);
    try {
      return { key, path, pem: readFileSync(path, 'utf8') };
    } catch (thrown) {
      const { message } = WalbError.from(thrown);
      throw fail(key, `tls: ${key} can not be read: ${message}`);
    }
  });
  return {
    tls: Object.fromEntries(entries.map(({ key, pem }) => [key, pem])) as unknown as TlsOptions,
    tlsFiles: Object.fromEntries(entries.map(({ key, path }) => [key, path])) as TlsFiles,
  };
}
