/** Who may listen and connect without TLS, and who a certificate says its holder is. */
import type { PeerCertificate } from 'node:tls';
import { WalbError } from '../core/index.ts';

/** PEM texts. Both sides present a certificate that the other's `ca` has signed. */
export interface TlsOptions {
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** What a certificate may be for; the organizational unit (OU) of its subject. */
export const ROLES = ['storage', 'proxy', 'archive', 'controller'] as const;
export type Role = (typeof ROLES)[number];

/** `role/name` of a verified certificate: OU and common name of its subject. */
export function identityOf(certificate: PeerCertificate | undefined): string {
  const subject = certificate?.subject;
  const name = one(subject?.CN);
  const role = one(subject?.OU);
  if (name === undefined || !ROLES.some((known) => known === role)) {
    const message = `the caller's certificate must name a node as CN and one of ${ROLES.join(', ')} as OU; it has CN=${name} OU=${role}`;
    throw new WalbError('unauthenticated', message, { details: { name, role } });
  }
  return `${role}/${name}`;
}

/** A repeated attribute is an array at run time; then it says nothing. */
function one(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** `unix:/path`, `localhost`, 127.0.0.0/8 or ::1. Everything else can be reached from elsewhere. */
export function isLocalAddress(address: string): boolean {
  if (isUnixAddress(address)) return true;
  const host = hostOf(address);
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

export function isUnixAddress(address: string): boolean {
  return address.startsWith('unix:');
}

export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'));
}

/** Throws `invalid-argument` for an address that is neither `host:port` nor `unix:/path`. */
export function checkAddress(address: string): void {
  if (/^unix:\/.+$/.test(address)) return;
  const match = /^([\w.-]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(address);
  if (match !== null && Number(match[2]) <= 0xffff) return;
  const message = `${JSON.stringify(address)} must be host:port, [IPv6]:port or unix:/absolute/path`;
  throw new WalbError('invalid-argument', message, { details: { address } });
}

/** Throws `permission-denied` where data would cross a network unprotected. */
export function checkPlainAllowed(address: string): void {
  if (isLocalAddress(address)) return;
  const message = `${address} is beyond this machine and no TLS certificate is configured; give tls settings, or use a loopback address or unix socket`;
  throw new WalbError('permission-denied', message, { details: { address } });
}
