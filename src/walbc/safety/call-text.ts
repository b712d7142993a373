/** A call as text: as it is typed at the prompt, short, and without secrets. */
import { repr } from '../shell/show.ts';
import type { Call } from './calls.ts';

/** Arguments longer than this are cut; a list of a thousand gids says nothing to a reader. */
const MAX_TEXT = 2_000;

const HIDDEN = '***';
const SECRET_NAME = /pass(word|wd|phrase)?|secret|token|credential|api-?key|private-?key/i;

/** For example `walbc.clear(a0, 'vol')`. */
export function callText({ className, target, member, args }: Call): string {
  const list = withoutDefaults(args).map(literal);
  return cut(
    `${ownerOf(className, target)}${member || 'function'}(${hideSecrets(list).join(', ')})`,
  );
}

/** A command of the command line, as it was typed. */
export function commandText(address: string, words: readonly string[]): string {
  const quoted = words.map((word) =>
    hideInText(/^[\w./:=,@%+-]+$/.test(word) ? word : `'${word}'`),
  );
  return cut(`walbc ${address} ${hideSecrets(quoted).join(' ')}`);
}

function ownerOf(className: string, target: unknown): string {
  if (className === '') return '';
  if (className === 'Device') return `Device(${literal((target as { name?: string }).name)}).`;
  return 'walbc.';
}

/** What was not given arrives as undefined at the end. */
function withoutDefaults(args: readonly unknown[]): readonly unknown[] {
  const last = args.findLastIndex((arg) => arg !== undefined);
  return args.slice(0, last + 1);
}

function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${hideSecrets(value.map(literal)).join(', ')}]`;
  if (isServer(value)) return value.name;
  return hideInText(repr(value));
}

function isServer(value: unknown): value is { readonly name: string } {
  return typeof value === 'object' && value !== null && 'get_host_port' in value && 'name' in value;
}

/** The word after `--password` is not shown. */
function hideSecrets(words: readonly string[]): string[] {
  return words.map((word, at) => {
    const before = at === 0 ? '' : words[at - 1]!;
    return /^'?-/.test(before) && SECRET_NAME.test(before) && !before.includes('=')
      ? `'${HIDDEN}'`
      : word;
  });
}

/** `password=x`, `--token=x`, `//user:x@host`. */
export function hideInText(text: string): string {
  return text
    .replace(/([\w-]*)=([^'"\s,&]+)/g, (all, name: string) =>
      SECRET_NAME.test(name) ? `${name}=${HIDDEN}` : all,
    )
    .replace(/(\/\/[^/:@\s']*):[^/@\s']+@/g, `$1:${HIDDEN}@`);
}

/** A result for a log: short. */
export function resultText(value: unknown): string {
  return value === undefined || value === null ? '' : cut(hideInText(repr(value)));
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}...`;
}
