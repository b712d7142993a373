/**
 * Compiles `src/` to `dist/` for the published package and copies what the compiler leaves behind
 * (wasm kernels). In a clone nothing needs building: Node runs the sources themselves.
 *
 * There is a whole `dist/` or none: half of one must not be packed.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

const clear = (): void => rmSync('dist', { recursive: true, force: true });

clear();
const compile = spawnSync(
  process.execPath,
  ['node_modules/typescript-native/bin/tsc', '-p', 'tsconfig.build.json'],
  { stdio: 'inherit' },
);
if (compile.status !== 0) {
  clear();
  console.error('nothing was built: the sources do not compile');
  process.exit(compile.status ?? 1);
}
for (const file of globSync('src/**/*.wasm')) {
  const target = file.replace(/^src\//, 'dist/');
  mkdirSync(dirname(target), { recursive: true });
  cpSync(file, target);
}
