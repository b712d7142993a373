/**
 * What stands in the table of calls: how a call is judged, and the usual ways of it. Pure.
 */
import { WalbError } from '../../core/index.ts';
import { gidHint } from '../verify.ts';
import type { Facts, Need, VolumeAt } from './facts.ts';
import { joinParts, type PlanParts } from './plan.ts';

export type Args = readonly unknown[];

export type CallSpec =
  /** Asks, waits, or changes nothing but this process's own view. */
  | { readonly effect: 'read' }
  | { readonly effect: 'change' }
  /** May lose something: whether it does is told by `plan`. */
  | {
      readonly effect: 'destructive';
      readonly need: (args: Args) => Need;
      readonly plan: (args: Args, facts: Facts) => PlanParts;
    };

export const read = { effect: 'read' } as const;
export const change = { effect: 'change' } as const;

interface ServerLike {
  readonly name: string;
  readonly kind?: number;
}

export const nameOf = (s: unknown): string => (s as ServerLike | undefined)?.name ?? String(s);
export const kindOf = (s: unknown): number | undefined => (s as ServerLike | undefined)?.kind;

/** Gids as the operator typed them; what is none fails in the call itself. */
export function gidOf(value: unknown): bigint {
  try {
    return BigInt(value as bigint);
  } catch {
    throw new WalbError('invalid-argument', `bad gid ${String(value)}${gidHint(value)}`);
  }
}

/** A call about a volume at one server: `(server, volume, ...)`. */
export function atServer(
  plan: (at: VolumeAt, args: Args, facts: Facts) => PlanParts,
  places: { readonly server: number; readonly volume: number } = { server: 0, volume: 1 },
): CallSpec {
  return {
    effect: 'destructive',
    need: (args) => ({
      kind: 'volume',
      volume: String(args[places.volume]),
      servers: [args[places.server]],
    }),
    plan: (args, facts) => {
      const server = nameOf(args[places.server]);
      const at = facts.volume.find((one) => one.server === server);
      if (at === undefined) return { unknown: [`nothing is known of ${server}`] };
      if (at.kind === 'silent') return { unknown: [`${server} did not answer: ${at.why}`] };
      return plan(at, args, facts);
    },
  };
}

/** The same, for archives: what another kind of server says is an error of the call. */
export function atArchive(
  plan: (at: Extract<VolumeAt, { kind: 'archive' }>, args: Args, facts: Facts) => PlanParts,
  places?: { readonly server: number; readonly volume: number },
): CallSpec {
  return atServer(
    (at, args, facts) => (at.kind === 'archive' ? plan(at, args, facts) : wrongKind(at)),
    places,
  );
}

export function atStorage(
  plan: (at: Extract<VolumeAt, { kind: 'storage' }>, args: Args, facts: Facts) => PlanParts,
): CallSpec {
  return atServer((at, args, facts) =>
    at.kind === 'storage' ? plan(at, args, facts) : wrongKind(at),
  );
}

export function wrongKind(at: VolumeAt): PlanParts {
  return { obstacles: [`${at.server} is the wrong kind of server for this (${at.kind})`] };
}

/** A call about a volume in the whole group. */
export function everywhere(
  plan: (args: Args, facts: Facts) => PlanParts,
  volume: number,
): CallSpec {
  return {
    effect: 'destructive',
    need: (args) => ({ kind: 'volume', volume: String(args[volume]), servers: [args[0]] }),
    plan: (args, facts) => joinParts([plan(args, facts), silentParts(facts)]),
  };
}

/** Of a call that goes to all servers, those that do not answer matter. */
function silentParts(facts: Facts): PlanParts {
  return {
    unknown: facts.volume.flatMap((at) =>
      at.kind === 'silent' ? [`${at.server} did not answer: ${at.why}`] : [],
    ),
  };
}

interface DeviceLike {
  readonly path: string;
  readonly ldev: string;
}

/** Of a method of a device, `args[0]` is the device itself. */
export function ofDevice(
  plan: (device: DeviceLike, args: Args, facts: Facts) => PlanParts,
): CallSpec {
  return {
    effect: 'destructive',
    need: (args) => ({ kind: 'device', device: args[0] }),
    plan: (args, facts) =>
      joinParts([plan(args[0] as DeviceLike, args.slice(1), facts), { unknown: facts.unknown }]),
  };
}

export function named(names: string, spec: CallSpec): Record<string, CallSpec> {
  return Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, spec]),
  );
}
