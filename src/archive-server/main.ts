/** `walb-archive`: the archive server program. */
import { HostType } from '../rpc/index.ts';
import { serverMain } from '../server/program.ts';
import { ARCHIVE_OPTIONS, archiveConfig } from './config.ts';
import { exportServing } from './export-socket.ts';
import { FileImageStore } from './file-image-store.ts';
import { ArchiveServer } from './server.ts';

process.exitCode = await serverMain(
  {
    program: 'walb-archive',
    about: 'Keeps base images and diffs of volumes, restores and serves their snapshots.',
    hostType: HostType.ARCHIVE,
    options: ARCHIVE_OPTIONS,
    create: (core, options, settings) =>
      new ArchiveServer(core, archiveConfig(options), settings, {
        images: (_volume, directory) => new FileImageStore(core.env.files, directory),
        serveExport: exportServing(core.env),
      }),
  },
  process.argv.slice(2),
);
