import { describe, expect, test } from 'vitest';
import { has } from '../../../support/tools.ts';
import { evaluate, evaluateByPython } from './evaluate.ts';
import { classes } from './table/classes.ts';
import { containers } from './table/containers.ts';
import { mixed } from './table/mixed.ts';
import { modules } from './table/modules.ts';
import { numbers } from './table/numbers.ts';
import { programs } from './table/programs.ts';
import type { Row } from './table/row.ts';
import { strings } from './table/strings.ts';

const TABLES: Readonly<Record<string, readonly Row[]>> = {
  numbers,
  strings,
  classes,
  containers,
  programs,
  mixed,
  modules,
};

/** What the rows are given by python3 itself; undefined where it is not installed. */
const byPython = has('python3')
  ? evaluateByPython(Object.values(TABLES).flatMap((rows) => rows.map(([source]) => source)))
  : undefined;

let first = 0;
for (const [name, rows] of Object.entries(TABLES)) {
  const offset = first;
  first += rows.length;
  describe(name, () => {
    test.each(rows.map(([source, output], at) => ({ source, output, at })))(
      '$source',
      ({ source, output, at }) => {
        expect(evaluate(source)).toBe(output);
        if (byPython !== undefined) expect(byPython[offset + at]).toBe(output);
      },
    );
  });
}
