/**
 * One row of the tables: a text of Python and what it gives. Of an expression that is its repr, of
 * statements what they print; an exception is the line `Name: message` at the end.
 */
export type Row = readonly [source: string, output: string];
