/** The worker's share of the library that shell tests use: the real one. */
import { library as real } from '../../../../src/walbc/shell/library-names.ts';

export const library = { ...real, docs: [new URL('./fake-library.ts', import.meta.url)] };
