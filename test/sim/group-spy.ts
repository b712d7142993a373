/** Listens on the storage's side of wlog transfers: which gid ends at which lsid. */
import { type BidiStream, type Channel, type Env, toHex } from '../../src/core/index.ts';
import { ProxyRpc, type WlogDown, type WlogUp } from '../../src/rpc/index.ts';
import type { Positions } from './group-model.ts';

export function spyOnLog(env: Env, { positions, afterEnd }: Listener): Env {
  return onWlogTransfer(env, (stream) => {
    let uuid = '';
    return {
      ...stream,
      send: (message) => {
        const part = message.message;
        if (part?.$case === 'hello') {
          uuid = toHex(part.value.uuid);
          positions.noteGid(uuid, part.value.gidB, part.value.beginLsid);
        }
        if (part?.$case === 'end') {
          positions.noteGid(uuid, part.value.diff?.snapE?.gidB as bigint, part.value.endLsid);
          afterEnd();
        }
        return stream.send(message);
      },
    };
  });
}

interface Listener {
  readonly positions: Positions;
  readonly afterEnd: () => void;
}

type Stream = BidiStream<WlogUp, WlogDown>;

/** The Env with every outgoing wlog transfer wrapped. */
export function onWlogTransfer(env: Env, wrap: (stream: Stream) => Stream): Env {
  const { network } = env;
  return {
    ...env,
    network: {
      listen: (address, bindings) => network.listen(address, bindings),
      connect: (address, options) => {
        const channel = network.connect(address, options);
        const bidi: Channel['bidi'] = (method, callOptions) => {
          const stream = channel.bidi(method, callOptions);
          if (method.path !== ProxyRpc.transferWlog.path) return stream;
          return wrap(plain(stream as unknown as Stream)) as unknown as typeof stream;
        };
        return {
          address,
          unary: (method, request, callOptions) => channel.unary(method, request, callOptions),
          serverStream: (method, request, callOptions) =>
            channel.serverStream(method, request, callOptions),
          bidi,
          close: () => channel.close(),
        };
      },
    },
  };
}

function plain(stream: Stream): Stream {
  return {
    send: (message) => stream.send(message),
    end: () => stream.end(),
    receive: () => stream.receive(),
    cancel: (reason) => stream.cancel(reason),
  };
}
