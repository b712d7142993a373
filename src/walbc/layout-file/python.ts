/**
 * The layout file in Python, as the original has it (`walb-config.py`):
 *
 *     from walblib import *
 *     s0 = ServerConnectionParam('s0', 'localhost', 10000, K_STORAGE)
 *     p0 = ServerConnectionParam('p0', 'localhost', 10100, K_PROXY)
 *     a0 = ServerConnectionParam('a0', 'localhost', 10200, K_ARCHIVE)
 *     sLayout = ServerLayout([s0], [p0], [a0])
 *     walbc = Controller('/usr/bin/walbc', sLayout)
 *
 * The layout is its `sLayout`, or else that of its `walbc`. A dictionary `tls` names PEM files. Nothing
 * is asked from servers while it is read.
 */
import { WalbError } from '../../core/index.ts';
import { Controller } from '../controller/controller.ts';
import { Device } from '../device.ts';
import { ServerLayout } from '../layout.ts';
import { exists_file, run_local_command } from '../run-command.ts';
import { callableClass, keyedFunction } from '../shell/callable-class.ts';
import { classes, library } from '../shell/library-names.ts';
import { PythonSyntaxError, runPython } from '../shell/python/index.ts';
import { errorLine, framesOf } from '../shell/python/traceback.ts';
import { parametersOf } from '../shell/remote-shape.ts';
import type { ValueClass } from '../shell/wire.ts';
import { type LoadedLayout, layoutError, readLayoutText } from './loaded.ts';
import { tlsOf } from './module.ts';

/** Parameters of the controller's lowest layer, which the class itself does not repeat. */
const CONTROLLER_PARAMS = ['controllerPath', 'sLayout', 'isDebug = false', 'timeoutS = 0'];

/** Throws `invalid-argument` naming file, line and problem. */
export async function loadPythonLayout(file: string): Promise<LoadedLayout> {
  const names = libraryNames();
  const text = readLayoutText(file);
  try {
    runPython(text, file, names);
  } catch (thrown) {
    throw layoutError(file, problemOf(thrown), lineOf(thrown, file));
  }
  return { file, layout: layoutIn(file, names), ...tlsOf(file, dictionary(names['tls'])) };
}

/** What `from walblib import *` would bring. */
function libraryNames(): Record<string, unknown> {
  const values = Object.entries(classes).map(
    ([name, cls]) => [name, callableClass(name, cls, parametersOf(cls))] as const,
  );
  const functions = Object.entries({ ...library.names, exists_file, run_local_command }).map(
    ([name, value]) => [name, keyedFunction(name, value)] as const,
  );
  const controller = Controller as unknown as ValueClass;
  return {
    ...Object.fromEntries([...functions, ...values]),
    Controller: callableClass('Controller', controller, CONTROLLER_PARAMS),
    Device: callableClass('Device', Device as unknown as ValueClass, parametersOf(Device)),
  };
}

function layoutIn(file: string, names: Readonly<Record<string, unknown>>): ServerLayout {
  const { sLayout, walbc } = names;
  if (sLayout instanceof ServerLayout) return sLayout;
  if (walbc instanceof Controller) return walbc.sLayout;
  throw layoutError(
    file,
    'it must define sLayout, a ServerLayout([s0], [p0], [a0]), or walbc, a Controller',
  );
}

/** A Python dictionary is a Map of the runtime. */
function dictionary(value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}

function problemOf(thrown: unknown): string {
  if (thrown instanceof PythonSyntaxError) return `SyntaxError: ${thrown.message}`;
  return thrown instanceof WalbError || !(thrown instanceof Error)
    ? WalbError.from(thrown).message
    : errorLine(thrown);
}

function lineOf(thrown: unknown, file: string): number | undefined {
  if (thrown instanceof PythonSyntaxError) return thrown.place.line;
  if (!(thrown instanceof Error)) return undefined;
  return framesOf(thrown).findLast((frame) => frame.file === file)?.line;
}
