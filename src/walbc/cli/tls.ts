/**
 * TLS of the controller: `-tls-cert`, `-tls-key`, `-tls-ca`, or the environment variables
 * WALB_TLS_CERT, WALB_TLS_KEY, WALB_TLS_CA. All three or none; anything else is refused.
 */
import { readFileSync } from 'node:fs';
import { WalbError } from '../../core/index.ts';
import type { OptionSpec } from '../../core/original-options.ts';
import type { TlsOptions } from '../../rpc/index.ts';

export const TLS_OPTIONS: readonly OptionSpec[] = [
  { name: 'tls-cert', type: 'string', help: 'PEM file with our certificate (or WALB_TLS_CERT)' },
  { name: 'tls-key', type: 'string', help: 'PEM file with its private key (or WALB_TLS_KEY)' },
  {
    name: 'tls-ca',
    type: 'string',
    help: 'PEM file with the authority of the group (or WALB_TLS_CA)',
  },
];

type TlsName = 'tls-cert' | 'tls-key' | 'tls-ca';

/** Throws `invalid-argument` when only some are given, and what reading the files fails with. */
export function tlsFrom(
  options: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string | undefined>>,
): TlsOptions | undefined {
  const path = (name: TlsName): string | undefined =>
    options.get(name) ?? environment[`WALB_${name.toUpperCase().replace('-', '_')}`];
  const names = ['tls-cert', 'tls-key', 'tls-ca'] as const;
  const missing = names.filter((name) => (path(name) ?? '') === '');
  if (missing.length === names.length) return undefined;
  if (missing.length > 0) {
    throw new WalbError(
      'invalid-argument',
      `TLS needs -tls-cert, -tls-key and -tls-ca together; missing: -${missing.join(', -')}`,
    );
  }
  const read = (name: TlsName): string => {
    try {
      return readFileSync(path(name) as string, 'utf8');
    } catch (error) {
      throw WalbError.from(error, `-${name} ${path(name)}`);
    }
  };
  return { certificate: read('tls-cert'), privateKey: read('tls-key'), ca: read('tls-ca') };
}
