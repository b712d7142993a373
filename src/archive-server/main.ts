/** `walb-archive`: the archive server program. */
import { HostType } from '../rpc/index.ts';
import { serverMain } from '../server/program.ts';
import { ARCHIVE_OPTIONS, archiveConfig } from './config.ts';
import { exportServing } from './export-socket.ts';
import { imageParts } from './image-parts.ts';
import { ArchiveServer } from './server.ts';

process.exitCode = await serverMain(
  {
    program: 'walb-archive',
    about: 'Keeps base images and diffs of volumes, restores and serves their snapshots.',
    hostType: HostType.ARCHIVE,
    options: ARCHIVE_OPTIONS,
    needsBaseDirectory: true,
    create: (core, options, settings) => {
      const config = archiveConfig(options);
      return new ArchiveServer(core, config, settings, {
        ...imageParts(core.env, config),
        serveExport: exportServing(core.env),
      });
    },
  },
  process.argv.slice(2),
);
