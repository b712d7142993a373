/**
 * Compiles the AssemblyScript kernels to src/kernels/kernels.wasm. The result is committed, so that
 * nobody needs the compiler to run the project; `--check` fails when it is not what the sources give.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from 'assemblyscript/asc';

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const ENTRY = 'src/kernels/assembly/index.ts';
const OUTPUT = 'src/kernels/kernels.wasm';

/** Pages of 64 KiB; the same numbers as in src/kernels/memory.ts, which provides the memory. */
const INITIAL_PAGES = 16;
const MAXIMUM_PAGES = 32768;

const OPTIONS = [
  '--runtime=stub',
  '--optimizeLevel=3',
  '--shrinkLevel=0',
  '--converge',
  '--noAssert',
  '--importMemory',
  '--sharedMemory',
  `--initialMemory=${INITIAL_PAGES}`,
  `--maximumMemory=${MAXIMUM_PAGES}`,
  '--enable=simd',
  '--enable=bulk-memory',
  '--enable=threads',
];

/** The compiled kernels; throws with the compiler's messages when they do not compile. */
export async function buildKernels(): Promise<Uint8Array> {
  const outputs = new Map<string, string | Uint8Array>();
  const { error, stderr } = await main(
    [ENTRY, '--baseDir', repository, '--outFile', 'kernels.wasm', ...OPTIONS],
    { writeFile: (name, contents) => void outputs.set(name, contents) },
  );
  const wasm = outputs.get('kernels.wasm');
  if (error !== null || !(wasm instanceof Uint8Array)) {
    throw new Error(`the kernels do not compile: ${error?.message}\n${stderr.toString()}`);
  }
  return wasm;
}

/** The committed kernels. */
export function committedKernels(): Uint8Array {
  return readFileSync(resolve(repository, OUTPUT));
}

if (import.meta.main) {
  const wasm = await buildKernels();
  if (!process.argv.includes('--check')) {
    writeFileSync(resolve(repository, OUTPUT), wasm);
    console.log(`${OUTPUT}: ${wasm.length} bytes`);
  } else if (Buffer.compare(wasm, committedKernels()) !== 0) {
    console.error(`${OUTPUT} is not what ${ENTRY} compiles to: run \`npm run kernels\``);
    process.exitCode = 1;
  }
}
