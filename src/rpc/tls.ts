/** Mutual TLS, and who a certificate says its holder is. */
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
