/** Refusals of another server, passed on to whoever asked this one. */
import { WalbError } from '../core/index.ts';

/**
 * The error of a request to `peer`, which says where it is from: "volume v is Stopped: run `start`"
 * would otherwise be taken for an answer of this server, and followed here.
 */
export function atPeer(peer: string, thrown: unknown): WalbError {
  const error = WalbError.from(thrown);
  if (error.message.includes(peer)) return error;
  return new WalbError(error.code, `${peer} answers: ${error.message}`, {
    details: { ...error.details, peer },
    cause: error,
  });
}
