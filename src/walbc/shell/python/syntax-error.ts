/** Text that is no Python, or Python the shell does not take; says where. */

export interface Place {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

export class PythonSyntaxError extends SyntaxError {
  override readonly name: string = 'SyntaxError';
  readonly file: string;
  readonly place: Place;
  /** The line of the text the place is in. */
  readonly sourceLine: string;

  constructor(message: string, file: string, source: string, offset: number) {
    const place = placeOf(source, offset);
    super(`${message} (${file}, line ${place.line}, column ${place.column})`);
    this.file = file;
    this.place = place;
    this.sourceLine = source.split('\n')[place.line - 1] ?? '';
  }
}

export function placeOf(source: string, offset: number): Place {
  const before = source.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - before.lastIndexOf('\n') };
}
