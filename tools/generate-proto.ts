/**
 * Generates src/rpc/generated from src/rpc/proto: ts-proto run by buf, without network.
 *
 *     node tools/generate-proto.ts            write the files
 *     node tools/generate-proto.ts --check    exit 1 when they are not current
 *
 * Three things are changed in what ts-proto writes. Enum values become the words of the specification
 * (`VOLUME_STATE_SYNC_READY` -> `SyncReady`), so that servers, logs and command line share one name
 * without tables; the type-only namespaces are dropped, because only erasable syntax is allowed; and
 * range checks of optional JS_NUMBER fields, which ts-proto writes as if they were bigint, are mended.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const PROTO = join(ROOT, 'src/rpc/proto');
const GENERATED = join(ROOT, 'src/rpc/generated');
const BIN = join(ROOT, 'node_modules/.bin');

const TS_PROTO_OPTIONS = [
  'forceLong=bigint',
  // jstype = JS_NUMBER makes a number, refused when it is not exact.
  'useJsTypeOverride=true',
  'oneof=unions-value',
  'enumsAsLiterals=true',
  'stringEnums=true',
  'removeEnumPrefix=true',
  'outputServices=generic-definitions',
  'outputJsonMethods=false',
  'outputClientImpl=false',
  'exportCommonSymbols=false',
  'importSuffix=.ts',
];

/** Enums whose words the specification writes in PascalCase; all others are kebab-case. */
const PASCAL_ENUMS = new Set(['VolumeState', 'StopState', 'Action', 'TaskKind']);

function generate(out: string): Map<string, string> {
  const plugin = { local: join(BIN, 'protoc-gen-ts_proto'), out, opt: TS_PROTO_OPTIONS };
  const template = JSON.stringify({ version: 'v2', plugins: [plugin] });
  const path = `${BIN}:${process.env['PATH'] ?? ''}`;
  execFileSync(join(BIN, 'buf'), ['generate', PROTO, '--template', template], {
    stdio: 'inherit',
    // buf reads a configuration of its own user otherwise.
    env: { ...process.env, PATH: path, BUF_CACHE_DIR: out },
  });
  const files = new Map<string, string>();
  for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    const file = join(entry.parentPath, entry.name);
    files.set(file.slice(out.length + 1), postProcess(readFileSync(file, 'utf8')));
  }
  return files;
}

function postProcess(source: string): string {
  let text = source
    .replace('/* eslint-disable */\n', '')
    .replace(/export namespace \w+ \{\n[^}]*\}\n\n/g, '')
    .replace(
      /BigInt\.(asUintN|asIntN)\(64, ([a-z][\w.]*!?)\) !== \2\) \{/g,
      'BigInt.$1(64, BigInt($2)) !== BigInt($2)) {',
    );
  for (const [, name] of source.matchAll(/export type (\w+) = typeof \1\[keyof typeof \1\]/g)) {
    if (name !== undefined) text = renameEnumValues(text, name);
  }
  return text;
}

function renameEnumValues(text: string, enumName: string): string {
  const prefix = enumName.replace(/(?<=[a-z0-9])([A-Z])/g, '_$1').toUpperCase();
  const pascal = PASCAL_ENUMS.has(enumName);
  return text
    .replace(new RegExp(`"${prefix}_([A-Z0-9_]+)"`, 'g'), (_, value: string) =>
      JSON.stringify(specificationWord(value, pascal)),
    )
    .replaceAll('"UNRECOGNIZED"', '"unrecognized"');
}

function specificationWord(value: string, pascal: boolean): string {
  const words = value.toLowerCase().split('_');
  if (value === 'UNSPECIFIED' || !pascal) return words.join('-');
  return words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('');
}

function differences(fresh: ReadonlyMap<string, string>): string[] {
  const wrong = [...fresh].filter(([name, text]) => text !== readOrEmpty(join(GENERATED, name)));
  const present = readdirSync(GENERATED, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(GENERATED.length + 1));
  return [...wrong.map(([name]) => name), ...present.filter((name) => !fresh.has(name))];
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function write(fresh: ReadonlyMap<string, string>): void {
  rmSync(GENERATED, { recursive: true, force: true });
  for (const [name, text] of fresh) {
    mkdirSync(dirname(join(GENERATED, name)), { recursive: true });
    writeFileSync(join(GENERATED, name), text);
  }
}

function main(): number {
  const temporary = mkdtempSync(join(tmpdir(), 'walb-proto-'));
  try {
    const fresh = generate(temporary);
    if (!process.argv.includes('--check')) {
      write(fresh);
      return 0;
    }
    const stale = differences(fresh);
    if (stale.length === 0) return 0;
    console.error(`not current: ${stale.join(', ')}\nrun: npm run proto`);
    return 1;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

process.exitCode = main();
