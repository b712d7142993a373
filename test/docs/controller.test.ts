/**
 * docs/controller.md lists every call of the controller with its parameters and what it does, as the
 * library itself says it. After a change of the library: `npx vitest run test/docs -u`.
 */
import { expect, test } from 'vitest';
import { Controller } from '../../src/walbc/index.ts';
import { findDoc, readDocs, summaryOf } from '../../src/walbc/shell/docs.ts';
import { library } from '../../src/walbc/shell/library-names.ts';
import { mainLibrary } from '../../src/walbc/shell/main-library.ts';

const INTRODUCTION = `# Calls of the controller

<!-- Written by test/docs/controller.test.ts from src/walbc/controller: do not edit. -->

Every call of \`walbc\`, a \`Controller\`, with the name, the order and the defaults of its arguments. In the shell and in runbooks they
block and return plain values, in a program (\`import { Controller } from 'walb-ts'\`) they return promises. \`help(walbc.hash_backup)\` prints the
whole text of one, with preconditions and errors; those that begin with \`_\` are building blocks, as in the original.

Servers are \`s\`, \`sx\` (a storage), \`px\` (a proxy), \`ax\` (an archive); a name that ends with \`L\` is a list. Times are in seconds, sizes in the
unit the name says (\`Lb\`: logical blocks of 512 bytes). Calls with \`dry_run\` change something; what that argument does:
[shell](shell.md#safety).
`;

/** In the order in which a volume meets them. The classes are the layers the controller is made of. */
const SECTIONS: Readonly<Record<string, string>> = {
  GenericMethods: 'Servers and volumes',
  HealthMethods: 'The whole group',
  StartServerMethods: 'Starting servers',
  LifeCycleMethods: 'Life cycle of a volume',
  StandbyMethods: 'Standby',
  BackupMethods: 'Backup and snapshots',
  InfoMethods: 'What is there',
  RestoreMethods: 'Restore',
  ApplyMergeMethods: 'Apply and merge',
  RetentionMethods: 'Retention',
  ReplicationMethods: 'Replication',
  ProxyMethods: 'Proxies and their archives',
  ResizeMethods: 'Resize',
  WaitMethods: 'Waits',
  ControllerBase: 'The controller itself',
};

/** Names of the members that each layer defines itself. */
function layers(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (
    let at: object = Controller.prototype;
    at !== Object.prototype;
    at = Object.getPrototypeOf(at)
  )
    found.set(at.constructor.name, Object.getOwnPropertyNames(at));
  return found;
}

function reference(): string {
  const docs = readDocs(library.docs);
  const members = new Map(
    mainLibrary({}).remotes['Controller']?.shape.members.map((one) => [one.name, one]),
  );
  const sections = Object.entries(SECTIONS).map(([layer, title]) => {
    const names = layers().get(layer) ?? [];
    const rows = names.flatMap((name) => {
      const member = members.get(name);
      if (member === undefined) return [];
      const call = member.kind === 'method' ? `${name}(${member.params.join(', ')})` : name;
      const text = summaryOf(findDoc(docs, 'Controller', name)).replaceAll('|', '\\|');
      return [`| \`${call.replaceAll('|', '\\|')}\` | ${text} |`];
    });
    return [`## ${title}`, '', '| call | what it does |', '| --- | --- |', ...rows].join('\n');
  });
  return `${[INTRODUCTION.trim(), ...sections].join('\n\n')}\n`;
}

test('every layer of the controller has its section', () => {
  const known = [...Object.keys(SECTIONS), 'Controller'];
  expect([...layers().keys()].filter((name) => !known.includes(name))).toEqual([]);
});

test('every call has a sentence', () => {
  const bare = reference().match(/^\| `.*` \| +\|$/gm);
  expect(bare).toBeNull();
});

test('docs/controller.md is current', async () => {
  await expect(reference()).toMatchFileSnapshot('../../docs/controller.md');
});
