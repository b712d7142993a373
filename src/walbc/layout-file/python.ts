/** The layout file in Python; filled in below. */
import { type LoadedLayout, layoutError } from './loaded.ts';

export async function loadPythonLayout(file: string): Promise<LoadedLayout> {
  throw layoutError(file, 'Python layouts can not be read yet');
}
