/**
 * docs/commands.md is what `--help` of every program and subcommand prints. After a change of one:
 * `npx vitest run test/docs -u`.
 */
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { ROOT, walb } from '../e2e/support.ts';

const INTRODUCTION = `# Options of every program

<!-- Written by test/docs/commands.test.ts from what the programs print: do not edit. -->

What \`--help\` (of servers, \`walbc\` and \`wdevc\`: \`-h\`) prints. What it is good for is told elsewhere: [operations](operations.md), [shell](shell.md),
[command line](walbc.md), [runbooks](runbooks.md), [worker](worker.md).
`;

const PROGRAMS: readonly Words[] = [
  ['walbc'],
  ...['run', 'layout', 'start-servers', 'audit', 'check', 'wait', 'shell'].map(
    (word): Words => ['walbc', word],
  ),
  ['walb-storage'],
  ['walb-proxy'],
  ['walb-archive'],
  ['wdevc'],
];

type Words = readonly [string, ...string[]];

async function helpOf([program, ...words]: Words): Promise<string> {
  const option = words.length === 0 && program !== 'walb' ? '-h' : '--help';
  const { code, out } = await walb(program, ...words, option);
  expect([program, ...words, code]).toEqual([program, ...words, 0]);
  return out;
}

/** Help of a subcommand and of those below it, in this process: there are fifty of them. */
function helpBelow(command: Command, path: string): [string, string][] {
  const path1 = `${path} ${command.name()}`;
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 80 });
  command.outputHelp();
  const below = command.commands.flatMap((one) => helpBelow(one, path1));
  return [[path1, text], ...below];
}

async function umbrella(): Promise<[string, string][]> {
  const help = await helpOf(['walb']);
  const list = /^Subcommands:\n((?: .*\n?)*)/m.exec(help)?.[1] ?? '';
  const names = [...list.matchAll(/^ {2}([a-z]\w*)/gm)].map((match) => match[1] as string);
  const sections: [string, string][] = [['walb', help]];
  for (const name of names) {
    const program = new Command('walb');
    const { register } = (await import(`../../src/cli/${name}.ts`)) as {
      register(program: Command): void;
    };
    register(program);
    sections.push(...program.commands.flatMap((one) => helpBelow(one, 'walb')));
  }
  return sections;
}

async function reference(): Promise<string> {
  const own = PROGRAMS.map(
    async (words): Promise<[string, string]> => [words.join(' '), await helpOf(words)],
  );
  const parts = [...(await Promise.all(own)), ...(await umbrella())].map(([name, help]) => {
    // A default that names the folder of this package.
    const text = help.trim().replaceAll(ROOT, 'PACKAGE/');
    return `## ${name}\n\n\`\`\`\n${text}\n\`\`\``;
  });
  return `${[INTRODUCTION.trim(), ...parts].join('\n\n')}\n`;
}

test('docs/commands.md is current', { timeout: 120_000 }, async () => {
  await expect(await reference()).toMatchFileSnapshot('../../docs/commands.md');
});
