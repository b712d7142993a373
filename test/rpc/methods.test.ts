import { describe, expect, expectTypeOf, test } from 'vitest';
import { hasCode, type Method, U64_MAX } from '../../src/core/index.ts';
import {
  ArchiveRpc,
  ControlRpc,
  DeviceRpc,
  type GetStateReply,
  handle,
  ProxyRpc,
  StorageRpc,
  type VolumeRequest,
  VolumeState,
} from '../../src/rpc/index.ts';

const services = { ControlRpc, StorageRpc, ProxyRpc, ArchiveRpc, DeviceRpc };
const all = Object.values(services).flatMap((service) => Object.values(service));

describe('methods made from the contract', () => {
  test('carry path, kind and types', () => {
    expect(ControlRpc.getState.path).toBe('/walb.v1.Control/GetState');
    expect(ControlRpc.getState.kind).toBe('unary');
    expect(ControlRpc.watch.kind).toBe('server-stream');
    expect(ProxyRpc.transferWlog.kind).toBe('bidi');
    expectTypeOf(ControlRpc.getState).toEqualTypeOf<
      Method<VolumeRequest, GetStateReply, 'unary'>
    >();
  });

  test('have paths of their own', () => {
    expect(new Set(all.map((method) => method.path)).size).toBe(all.length);
  });

  test('decode an empty message, as every proto3 message can be', () => {
    for (const method of all) {
      expect(method.request.decode(new Uint8Array())).toBeTypeOf('object');
      expect(method.response.decode(new Uint8Array())).toBeTypeOf('object');
    }
  });

  test('carry the whole u64 range of gids, and the words of the specification for states', () => {
    const gid = StorageRpc.snapshot.response;
    expect(gid.decode(gid.encode({ gid: U64_MAX }))).toEqual({ gid: U64_MAX });
    const state = ControlRpc.getState.response;
    for (const word of Object.values(VolumeState)) {
      expect(state.decode(state.encode({ state: word }))).toEqual({ state: word });
    }
    expect(state.decode(state.encode({ state: 'SyncReady' }))).toEqual({ state: 'SyncReady' });
  });

  test('refuse values that do not fit their field', () => {
    const { request } = StorageRpc.resize;
    const encode = (sizeLb: number) => () => request.encode({ volume: 'v', sizeLb });
    expect(encode(1.5)).toThrow(/can not be encoded/);
    expect(encode(-1)).toThrow(/can not be encoded/);
    expect(() => StorageRpc.snapshot.response.encode({ gid: U64_MAX + 1n })).toThrow(/encoded/);
  });

  test('call bytes that are no message corrupt', () => {
    const { request } = ControlRpc.getState;
    for (const bytes of [[0x0a], [0x0a, 0x05, 0x41], [0xff], Array(11).fill(0xff)]) {
      expect(caught(() => request.decode(Uint8Array.from(bytes)))).toSatisfy((error: unknown) =>
        hasCode(error, 'corrupt'),
      );
    }
  });

  test('refuse counts beyond 2^53 - 1 when decoding', () => {
    const bytes = Uint8Array.from([0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    expect(() => StorageRpc.resize.request.decode(bytes)).toThrow(/MAX_SAFE_INTEGER/);
  });
});

test('handle checks the handler against the method', () => {
  handle(ControlRpc.getState, async ({ volume }) => {
    expectTypeOf(volume).toBeString();
    return { state: 'Clear' };
  });
  // @ts-expect-error no such state
  handle(ControlRpc.getState, async () => ({ state: 'clear' }));
  handle(ProxyRpc.transferWlog, async (stream) => {
    await stream.send({ message: { $case: 'ack', value: {} } });
  });
});

function caught(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}
