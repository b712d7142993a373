/** Whether the certificates of a layout can work: dates, key, authority, and what they are for. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { ROLES, type TlsOptions } from '../../rpc/tls.ts';
import type { Finding } from './finding.ts';
import type { TlsFiles } from './loaded.ts';

const DAY_MS = 24 * 3600 * 1000;
/** Time to get a new one without hurry. */
const SOON_DAYS = 30;

export function checkCertificates(tls: TlsOptions, files: TlsFiles, now: Date): Finding[] {
  const authority = read(() => new X509Certificate(tls.ca), 'ca', files.ca);
  const own = read(() => new X509Certificate(tls.certificate), 'certificate', files.certificate);
  const key = read(() => createPrivateKey(tls.privateKey), 'privateKey', files.privateKey);
  const findings = [authority, own, key].flatMap((one) => (one.finding ? [one.finding] : []));
  if (key.value !== undefined) findings.push(...checkKeyFile(files.privateKey));
  if (authority.value) findings.push(...checkDates(authority.value, files.ca, now));
  if (own.value === undefined) return findings;
  findings.push(...checkDates(own.value, files.certificate, now));
  if (authority.value && !own.value.verify(authority.value.publicKey)) {
    findings.push(
      error(`${files.certificate} was not signed by ${files.ca}: use the authority of the group`),
    );
  }
  if (key.value && !own.value.checkPrivateKey(key.value)) {
    findings.push(error(`${files.privateKey} is not the key of ${files.certificate}`));
  }
  return [...findings, ...checkRole(own.value, files.certificate)];
}

function error(text: string): Finding {
  return { level: 'error', about: 'tls', text };
}

function warning(text: string): Finding {
  return { level: 'warning', about: 'tls', text };
}

function read<T>(
  parse: () => T,
  key: string,
  file: string,
): { readonly value?: T; readonly finding?: Finding } {
  try {
    return { value: parse() };
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return { finding: error(`${key} ${file} can not be read as PEM: ${reason}`) };
  }
}

/** A key that others may read is not a key. */
function checkKeyFile(path: string): Finding[] {
  const { mode } = statSync(path);
  if ((mode & 0o077) === 0) return [];
  return [warning(`privateKey ${path} can be read by others: chmod 600 ${path}`)];
}

function checkDates(certificate: X509Certificate, file: string, now: Date): Finding[] {
  const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  const until = to.toISOString().slice(0, 10);
  if (now < from)
    return [error(`${file} is valid only from ${from.toISOString().slice(0, 10)} on`)];
  if (now > to) return [error(`${file} has expired on ${until}: make a new one`)];
  const days = Math.floor((to.getTime() - now.getTime()) / DAY_MS);
  return days >= SOON_DAYS ? [] : [warning(`${file} expires in ${days} days, on ${until}`)];
}

/** The certificate says who calls; servers refuse one that does not, and log what it says. */
function checkRole(certificate: X509Certificate, file: string): Finding[] {
  const role = /^OU=(.*)$/m.exec(certificate.subject)?.[1];
  if (role === 'controller') return [];
  if (!ROLES.some((known) => known === role)) {
    return [error(`${file} has OU=${role ?? ''}; servers take only ${ROLES.join(', ')}`)];
  }
  return [warning(`${file} has OU=${role}, that of a server: use one with OU=controller here`)];
}
