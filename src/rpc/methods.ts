/**
 * Every remote call of walb.v1 as a typed `Method` value, made from the generated service tables:
 *
 *     await channel.unary(ControlRpc.getState, { volume: 'vol' })
 */
import type { Codec, Method, MethodKind } from '../core/index.ts';
import { bulkCodec } from './bulk-codec.ts';
import { type MessageFunctions, messageCodec } from './codec.ts';
import { ArchiveDefinition, ScanEvent } from './generated/walb/v1/archive.ts';
import { ControlDefinition } from './generated/walb/v1/control.ts';
import { BlockData, DeviceDefinition } from './generated/walb/v1/device.ts';
import { ProxyDefinition } from './generated/walb/v1/proxy.ts';
import { StorageDefinition } from './generated/walb/v1/storage.ts';
import {
  FullSyncUp,
  HashSyncDown,
  HashSyncUp,
  ReplicationDown,
  ReplicationUp,
  WdiffUp,
  WlogUp,
} from './generated/walb/v1/transfer.ts';

/** The functions of any message. */
interface AnyMessage {
  encode(message: never): unknown;
  decode(input: Uint8Array): unknown;
}

interface MethodDefinition {
  readonly name: string;
  readonly requestType: AnyMessage;
  readonly requestStream: boolean;
  readonly responseType: AnyMessage;
  readonly responseStream: boolean;
}

interface ServiceDefinition {
  readonly fullName: string;
  readonly methods: Readonly<Record<string, MethodDefinition>>;
}

type MessageOf<Functions> = Functions extends { decode(...args: never[]): infer T } ? T : never;

type KindOf<D extends MethodDefinition> = D['requestStream'] extends true
  ? 'bidi'
  : D['responseStream'] extends true
    ? 'server-stream'
    : 'unary';

export type MethodsOf<S extends ServiceDefinition> = {
  readonly [Name in keyof S['methods']]: Method<
    MessageOf<S['methods'][Name]['requestType']>,
    MessageOf<S['methods'][Name]['responseType']>,
    KindOf<S['methods'][Name]>
  >;
};

/** Messages that carry packs, image chunks or hashes. */
const BULK_MESSAGES = new Set<AnyMessage>([
  BlockData,
  FullSyncUp,
  HashSyncDown,
  HashSyncUp,
  ReplicationDown,
  ReplicationUp,
  ScanEvent,
  WdiffUp,
  WlogUp,
]);

export const ControlRpc: MethodsOf<typeof ControlDefinition> = methodsOf(ControlDefinition);
export const StorageRpc: MethodsOf<typeof StorageDefinition> = methodsOf(StorageDefinition);
export const ProxyRpc: MethodsOf<typeof ProxyDefinition> = methodsOf(ProxyDefinition);
export const ArchiveRpc: MethodsOf<typeof ArchiveDefinition> = methodsOf(ArchiveDefinition);
export const DeviceRpc: MethodsOf<typeof DeviceDefinition> = methodsOf(DeviceDefinition);

function methodsOf<S extends ServiceDefinition>(service: S): MethodsOf<S> {
  const entries = Object.entries(service.methods).map(([key, definition]) => [
    key,
    {
      path: `/${service.fullName}/${definition.name}`,
      kind: kindOf(definition),
      request: codecOf(definition.requestType),
      response: codecOf(definition.responseType),
    },
  ]);
  return Object.fromEntries(entries) as MethodsOf<S>;
}

function kindOf(definition: MethodDefinition): MethodKind {
  if (definition.requestStream) return 'bidi';
  return definition.responseStream ? 'server-stream' : 'unary';
}

function codecOf(functions: AnyMessage): Codec<unknown> {
  const codec = BULK_MESSAGES.has(functions) ? bulkCodec : messageCodec;
  return codec(functions as MessageFunctions<unknown>);
}
