/** What a client calls itself, as it travels with every call. */
import { WalbError } from '../core/index.ts';
import { MAX_CLIENT_ID, PROTOCOL_VERSION } from './limits.ts';

/** Throws `invalid-argument` for an id that could not be sent or would spoil a log line. */
export function checkClientId(clientId: string): string {
  if (isClientId(clientId)) return clientId;
  const message = `client id ${JSON.stringify(clientId)} must be 1-${MAX_CLIENT_ID} printable ASCII characters without spaces`;
  throw new WalbError('invalid-argument', message, { details: { clientId } });
}

export function isClientId(text: string): boolean {
  return text.length <= MAX_CLIENT_ID && /^[\x21-\x7e]+$/.test(text);
}

/** Throws `unsupported` when caller and server speak different versions of the contract. */
export function checkVersion(received: string | undefined): void {
  if (received === String(PROTOCOL_VERSION)) return;
  const theirs = received === undefined ? 'no version' : `version ${received.slice(0, 20)}`;
  const message = `the caller speaks ${theirs} of the walb protocol, this server version ${PROTOCOL_VERSION}; install the same release of walb-ts on both`;
  throw new WalbError('unsupported', message, {
    details: { received: received?.slice(0, 20), expected: PROTOCOL_VERSION },
  });
}
