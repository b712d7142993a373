/** Units for the servers of a layout, and for what looks after them. Pure: text in, text out. */
import { dirname, isAbsolute } from 'node:path';
import { WalbError } from '../../core/index.ts';
import { K_ARCHIVE, K_STORAGE, serverKindMap } from '../constants.ts';
import { type ServerLayout, startable } from '../layout.ts';
import { startCommand } from '../server-params.ts';
import type { ServerStartupParam } from '../servers.ts';
import { hardening, type Needs } from './hardening.ts';
import { execLine, quoted, type Section, type Unit, unitText } from './unit-text.ts';

/** Begins the first line of every unit written here, and says that it may be replaced. */
export const MARK = 'Written by walb systemd';

export interface UnitOptions {
  /** Folder of the programs where the layout names none. */
  readonly binDir: string;
  /** Full path; units say where they come from, and `walbc check` reads it. */
  readonly layoutFile: string;
  /** Runs the servers; root unless given. */
  readonly user?: string;
}

const AFTER_NETWORK: Section = [
  ['Wants', 'network-online.target'],
  ['After', 'network-online.target'],
];

/** SIGTERM ends a server at once and safely; what it runs (lvm) is left to end by itself. */
const ENDING: Section = [
  ['KillMode', 'mixed'],
  ['TimeoutStopSec', '90'],
];

/** A shutdown by walbc ends with 0 and is meant; everything else is started again. */
const RESTART: Section = [
  ['Restart', 'on-failure'],
  ['RestartSec', '5'],
];

/** The unit of one server. Throws `invalid-argument` for one that can not be started. */
export function serverUnit(name: string, layout: ServerLayout, options: UnitOptions): Unit {
  const found = layout.get_all().find((server) => server.name === name);
  if (found === undefined) {
    const names = layout.get_all().map((server) => server.name);
    throw new WalbError('not-found', `no server ${name}; there are: ${names.join(', ')}`);
  }
  const s = startable(found);
  checkPaths(s);
  const kind = serverKindMap[s.kind];
  const command = commandOf(s, layout, options);
  const where = s.start?.ssh === undefined ? s.address : s.start.ssh;
  return {
    name: `walb-${s.name}.service`,
    text: unitText(
      `${MARK} from ${options.layoutFile}, for ${where}.\nChange the layout, or add a drop-in.`,
      {
        Unit: [
          ['Description', `walb ${kind} server ${s.name}`],
          ...AFTER_NETWORK,
          ['RequiresMountsFor', quoted(s.dataDir)],
        ],
        Service: [
          ['Type', 'exec'],
          // Before the sandbox, in which a folder that is not there could not be made.
          [
            'ExecStartPre',
            foldersToMake(s).map((folder) => `+${makeFolder(folder, options.user)}`),
          ],
          ['ExecStart', execLine(command)],
          ...(options.user === undefined ? [] : ([['User', options.user]] as Section)),
          ...RESTART,
          ...ENDING,
          ['LimitNOFILE', '65536'],
          ...hardening(needsOf(s, command)),
        ],
        Install: [['WantedBy', 'multi-user.target']],
      },
    ),
  };
}

function checkPaths({ name, dataDir, binDir }: ServerStartupParam): void {
  const relative = [dataDir, ...(binDir === '' ? [] : [binDir])].find((path) => !isAbsolute(path));
  if (relative !== undefined) {
    throw new WalbError(
      'invalid-argument',
      `${name}: ${relative} is relative; a unit needs full paths in binDir and dataDir`,
    );
  }
}

/** Without a log file of its own a server writes to the journal. */
function commandOf(s: ServerStartupParam, layout: ServerLayout, options: UnitOptions): string[] {
  const [program = '', ...words] = startCommand(s, layout);
  const path = s.binDir === '' ? `${options.binDir.replace(/\/?$/, '/')}${program}` : program;
  if (s.logPath !== null) return [path, ...words];
  const at = words.indexOf('-l');
  return [path, ...words.with(at + 1, '-')];
}

/** Its data, and its log where that is elsewhere. */
function foldersOf({ dataDir, logPath }: ServerStartupParam): string[] {
  if (logPath === null || !isAbsolute(logPath)) return [dataDir];
  const log = dirname(logPath);
  return log === dataDir ? [dataDir] : [dataDir, log];
}

/** Never that of an archive: where its disk is not mounted, an empty archive would be started. */
function foldersToMake(s: ServerStartupParam): string[] {
  return foldersOf(s).filter((folder) => s.kind !== K_ARCHIVE || folder !== s.dataDir);
}

function makeFolder(folder: string, user: string | undefined): string {
  if (user === undefined) return execLine(['/bin/mkdir', '-p', folder]);
  return execLine(['/usr/bin/install', '-d', '-m', '0750', '-o', user, folder]);
}

/** Every full path of the command line may be a file it reads: certificates, configuration. */
function needsOf(s: ServerStartupParam, command: readonly string[]): Needs {
  const devices = s.start?.options?.['devices'];
  return {
    // systemd ends a unit without a word of ours when a folder is missing; an archive says it itself.
    writes: [
      ...foldersToMake(s),
      ...(s.kind === K_ARCHIVE ? [`-${s.dataDir}`] : []),
      ...(typeof devices === 'string' ? [`-${devices}`] : []),
    ],
    reads: command.filter(isAbsolute),
    devices: s.kind === K_STORAGE,
    lvm: s.kind === K_ARCHIVE && typeof s.vg === 'string',
  };
}

/** `walbc check` every few minutes; what it finds is in the journal, and the unit fails. */
export function checkUnits(interval: string, options: UnitOptions): Unit[] {
  const program = `${options.binDir.replace(/\/?$/, '/')}walbc`;
  const head = `${MARK} from ${options.layoutFile}.`;
  return [
    {
      name: 'walb-check.service',
      text: unitText(
        `${head}\nFails when something needs attention: add OnFailure= in a drop-in.`,
        {
          Unit: [['Description', 'health of the walb backup group'], ...AFTER_NETWORK],
          Service: [
            ['Type', 'oneshot'],
            ['ExecStart', execLine([program, 'check', '--layout', options.layoutFile])],
            ['TimeoutStartSec', '120'],
            ...hardening({ writes: [], reads: [program, options.layoutFile] }),
          ],
        },
      ),
    },
    {
      name: 'walb-check.timer',
      text: unitText(head, {
        Unit: [['Description', 'health of the walb backup group, regularly']],
        Timer: [
          ['OnBootSec', interval],
          ['OnUnitActiveSec', interval],
          ['AccuracySec', '10s'],
        ],
        Install: [['WantedBy', 'timers.target']],
      }),
    },
  ];
}

/**
 * `walb worker` with one configuration file: a service that runs all the time, and a timer for sites
 * that want maintenance at night only.
 */
export function workerUnits(config: string, options: UnitOptions): Unit[] {
  const program = `${options.binDir.replace(/\/?$/, '/')}walb`;
  const name = /([^/]+?)(\.ya?ml)?$/.exec(config)?.[1] ?? 'worker';
  if (!isAbsolute(config) || !/^[\w.@-]+$/.test(name)) {
    throw new WalbError(
      'invalid-argument',
      `a unit needs the full path of the worker's file, with a plain name; not '${config}'`,
    );
  }
  const head = `${MARK} for ${config}.`;
  const unit = name.startsWith('walb-') ? name : `walb-${name}`;
  return [
    {
      name: `${unit}.service`,
      text: unitText(head, {
        Unit: [['Description', `walb maintenance worker, ${config}`], ...AFTER_NETWORK],
        Service: [
          ['Type', 'exec'],
          ['ExecStart', execLine([program, 'worker', '-f', config])],
          ...(options.user === undefined ? [] : ([['User', options.user]] as Section)),
          ...RESTART,
          // Running tasks are finished first.
          ['TimeoutStopSec', 'infinity'],
          ...hardening({ writes: [], reads: [program, config] }),
        ],
        Install: [['WantedBy', 'multi-user.target']],
      }),
    },
    {
      name: `${unit}.timer`,
      text: unitText(
        `${head}\nInstead of enabling ${unit}.service: maintenance from this hour on. How long is in a\ndrop-in of the service: ExecStart with --lifetime SECONDS.`,
        {
          Unit: [['Description', `walb maintenance worker at night, ${config}`]],
          Timer: [
            ['OnCalendar', '*-*-* 22:00'],
            ['Persistent', 'yes'],
          ],
          Install: [['WantedBy', 'timers.target']],
        },
      ),
    },
  ];
}
