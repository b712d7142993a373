/**
 * The main thread's share of the library: what does calls. Instances stay here; the worker gets
 * stand-ins of the same shape.
 */
import { Controller } from '../controller/controller.ts';
import { Device } from '../device.ts';
import type { ControllerEnvironment } from '../environment.ts';
import { exists_file, run_local_command } from '../run-command.ts';
import { mayChange } from '../safety/calls.ts';
import type { BridgedClass, Callable } from './bridge-host.ts';
import { classes } from './library-names.ts';
import type { RemoteClass, RemoteMember } from './remote-shape.ts';
import { shapeOfClass } from './remote-shape.ts';
import { DRY_RUN } from './signature.ts';
import type { ValueClasses } from './wire.ts';

export interface RemoteKind extends BridgedClass {
  readonly shape: RemoteClass;
  /** Releases what the instance holds when the shell ends. */
  readonly close?: (instance: object) => void;
  /** Cancels what the instance is waiting for. */
  readonly interrupt?: (instance: object) => void;
}

export interface MainLibrary {
  /** Module whose `library` is the worker's share. */
  readonly url: URL;
  readonly classes: ValueClasses;
  readonly remotes: Readonly<Record<string, RemoteKind>>;
  /** Asynchronous functions by name. */
  readonly functions: Readonly<Record<string, Callable>>;
}

/** Members of the layers below the API (controller/base.ts), and what only a program needs. */
const NOT_FOR_OPERATORS = new Set([
  'close',
  'command',
  'connection',
  'environment',
  'interrupt',
  'interrupted',
  'looks',
  'print',
  'query',
]);

/** Names of the API are written with underscores; what its own layers share is not. */
function isForOperators(member: string): boolean {
  return member === 'toString' || !(NOT_FOR_OPERATORS.has(member) || /^[a-z]+[A-Z]/.test(member));
}

function shapeFor(name: string, cls: Callable): RemoteClass {
  const shape = shapeOfClass(name, cls as Parameters<typeof shapeOfClass>[1]);
  return {
    ...shape,
    params: shape.params.filter((param) => !param.startsWith('environment')),
    members: shape.members
      .filter(({ name: member }) => isForOperators(member))
      .map((member) => withDryRun(name, member)),
  };
}

/** Calls that may change something can be asked what they would do. */
function withDryRun(className: string, member: RemoteMember): RemoteMember {
  if (member.kind === 'property' || !mayChange(className, member.name)) return member;
  return { ...member, params: [...member.params, DRY_RUN] };
}

/** Where the argument `dry_run` of a call of this library stands. */
export function dryRunPlaceIn(
  library: Pick<MainLibrary, 'remotes'>,
): (className: string, member: string) => number | undefined {
  return (className, member) => {
    const found = library.remotes[className]?.shape.members.find(({ name }) => name === member);
    const place = found?.params.indexOf(DRY_RUN) ?? -1;
    return place < 0 ? undefined : place;
  };
}

/** `environment`: what every controller made in the shell prints to and reports its waits to. */
export function mainLibrary(environment: ControllerEnvironment): MainLibrary {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return {
    url: new URL(`./library-names.${extension}`, import.meta.url),
    classes,
    remotes: {
      Controller: {
        cls: Controller,
        shape: controllerShape(),
        isShown: (field) => !NOT_FOR_OPERATORS.has(field),
        create: ([path, layout, isDebug, timeoutS]) =>
          new Controller(
            path as string,
            layout as never,
            (isDebug ?? false) as boolean,
            (timeoutS ?? 0) as number,
            environment,
          ),
        close: (instance) => (instance as Controller).close(),
        interrupt: (instance) => (instance as Controller).interrupt(),
      },
      Device: {
        cls: Device,
        shape: shapeFor('Device', Device),
        create: (args) => Reflect.construct(Device, args) as Device,
      },
    },
    functions: { exists_file, run_local_command },
  };
}

/** The constructor is that of the lowest layer, which the class itself does not repeat. */
function controllerShape(): RemoteClass {
  const params = ['controllerPath', 'sLayout', 'isDebug = false', 'timeoutS = 0'];
  return { ...shapeFor('Controller', Controller), params };
}
