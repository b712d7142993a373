/** Addresses of servers: `host:port`, `[IPv6]:port` or `unix:/absolute/path`. */
import { formatHostPort, type HostPort, parseHostPort, WalbError } from '../core/index.ts';

const UNIX = 'unix:';

export type Address = (HostPort & { readonly kind: 'tcp' }) | UnixAddress;

export interface UnixAddress {
  readonly kind: 'unix';
  readonly path: string;
}

/** Throws `invalid-argument`. Port 0 is only for listeners. */
export function parseAddress(text: string, options: { allowPortZero?: boolean } = {}): Address {
  if (!text.startsWith(UNIX)) return { kind: 'tcp', ...parseHostPort(text, options) };
  const path = text.slice(UNIX.length);
  if (path.startsWith('/') && path.length > 1) return { kind: 'unix', path };
  const message = `${JSON.stringify(text)} must be unix: and an absolute path`;
  throw new WalbError('invalid-argument', message, { details: { address: text } });
}

/** The address with the port the system has chosen. */
export function withPort(address: Address, port: number): string {
  if (address.kind === 'unix') return `${UNIX}${address.path}`;
  return formatHostPort({ host: address.host, port });
}

/** A unix socket, `localhost`, 127.0.0.0/8 or ::1. Everything else can be reached from elsewhere. */
export function isLocal(address: Address): boolean {
  if (address.kind === 'unix') return true;
  const { host } = address;
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Throws `permission-denied` where data would cross a network unprotected. */
export function checkPlainAllowed(address: Address): void {
  if (isLocal(address)) return;
  const text = address.kind === 'unix' ? address.path : formatHostPort(address);
  const message = `${text} is beyond this machine and no TLS certificate is configured; give tls settings, or use a loopback address or unix socket`;
  throw new WalbError('permission-denied', message, { details: { address: text } });
}
