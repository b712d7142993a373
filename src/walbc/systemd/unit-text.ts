/** Unit files of systemd as text: sections, settings, and command lines with systemd's quoting. */

/** Settings of one section, in order; a list makes one line per element. */
export type Section = readonly (readonly [key: string, value: string | readonly string[]])[];

export interface Unit {
  /** For example `walb-s0.service`. */
  readonly name: string;
  readonly text: string;
}

export function unitText(head: string, sections: Readonly<Record<string, Section>>): string {
  const comment = head.replace(/^/gm, '# ');
  const parts = Object.entries(sections).map(([name, settings]) => {
    const lines = settings.flatMap(([key, value]) =>
      (typeof value === 'string' ? [value] : value).map((one) => `${key}=${one}\n`),
    );
    return `\n[${name}]\n${lines.join('')}`;
  });
  return `${comment}\n${parts.join('')}`;
}

/** A command line: `%` and `$` would be expanded, blanks and quotes would part words. */
export function execLine(words: readonly string[]): string {
  return words.map((word) => quoted(word).replaceAll('$', '$$$$')).join(' ');
}

/** One word of a setting. */
export function quoted(word: string): string {
  const escaped = word.replaceAll('%', '%%');
  if (/^[\w%+=:,./@$-]+$/.test(escaped)) return escaped;
  const inner = escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `"${inner}"`;
}
