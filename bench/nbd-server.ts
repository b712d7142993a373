/** Serves one kind of device over NBD for bench/nbd.ts: `node nbd-server.ts ram|file SOCKET FILE SIZE`. */
import { type Bytes, KIB, silentLogger } from '../src/core/index.ts';
import { RealClock } from '../src/core/real-clock.ts';
import { RealFiles } from '../src/core/real-files.ts';
import { type BlockBackend, listenNbd, NbdServer } from '../src/wdev/nbd/index.ts';

const SIZES = { minimum: 512, preferred: 4 * KIB, maximum: 32 * KIB * KIB };

/** Memory: what the server itself costs. */
function ramBackend(size: Bytes): BlockBackend {
  const content = new Uint8Array(size);
  return {
    size,
    readOnly: false,
    blockSizes: SIZES,
    canFastZero: false,
    read: (offset, into) => {
      into.set(content.subarray(offset, offset + into.length));
      return undefined;
    },
    submit: (changes) => {
      for (const { kind, offset, length, data } of changes) {
        if (kind === 'write') content.set(data, offset);
        else content.fill(0, offset, offset + length);
      }
      return undefined;
    },
    flush: () => undefined,
  };
}

/** A plain file, as nbdkit's file plugin serves one. */
function fileBackend(path: string, size: Bytes): BlockBackend {
  const file = new RealFiles().open(path, 'update');
  return {
    size,
    readOnly: false,
    blockSizes: SIZES,
    canFastZero: false,
    read: (offset, into) => {
      file.read(into, offset);
      return undefined;
    },
    submit: (changes) => {
      for (const { kind, offset, length, data } of changes) {
        if (kind === 'write') file.write(data, offset);
        else file.punch(offset, length);
      }
      return undefined;
    },
    flush: () => file.sync(),
  };
}

const [kind, path = '', file = '', size = '0'] = process.argv.slice(2);
const server = new NbdServer({ clock: new RealClock(), log: silentLogger });
server.addExport(
  'bench',
  kind === 'ram' ? ramBackend(Number(size)) : fileBackend(file, Number(size)),
);
await listenNbd(server, { kind: 'unix', path });
process.once('SIGTERM', () => process.exit(0));
