/**
 * Native libraries, loaded when first used: most commands touch one kind of compression or none,
 * and each library costs milliseconds of start-up.
 */

import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

let snappyAddon: typeof import('snappy') | undefined;
let lzmaAddon: typeof import('node-liblzma') | undefined;

export function snappy(): typeof import('snappy') {
  snappyAddon ??= load('snappy') as typeof import('snappy');
  return snappyAddon;
}

export function lzma(): typeof import('node-liblzma') {
  lzmaAddon ??= load('node-liblzma') as typeof import('node-liblzma');
  return lzmaAddon;
}
