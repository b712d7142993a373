/**
 * House rules no general linter knows: which folders may touch the outside world, and what may never
 * be committed. Each rule says why it is there, so that breaking it is a decision and not an accident.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

interface Rule {
  readonly why: string;
  readonly pattern: RegExp;
  /** Files the rule looks at. */
  readonly where: RegExp;
  /** Files it leaves out: the thin shells around the logic. */
  readonly except?: RegExp;
}

/** Shells that touch the outside world for the logic, or are programs themselves. */
const SHELLS =
  /^src\/(core\/real-|cli\/|walbc\/|[a-z-]+\/main\.ts$|server\/program[a-z-]*\.ts$|rpc\/grpc|rpc\/tls|wdev\/nbd\/.*socket|wdev\/daemon\/|wdev\/kernel\/.*shell|kernels\/|wdiff\/codec\/)/;

const RULES: readonly Rule[] = [
  {
    why: 'time and randomness reach logic through Env, so that the simulator owns them',
    pattern:
      /\b(Date\.now|Math\.random|performance\.now)\b|new Date\(\)|(?<![.#\w])(setTimeout|setInterval)\((?!\w+: )/,
    where: /^src\//,
    except: SHELLS,
  },
  {
    why: 'files and sockets reach logic through Env',
    pattern: /from 'node:(fs|fs\/promises|net|http2|tls|child_process|dgram)'/,
    where: /^src\//,
    except: SHELLS,
  },
  {
    why: 'arguments and environment are read by programs only',
    pattern: /\bprocess\.(argv|env)\b/,
    where: /^src\//,
    except: SHELLS,
  },
  {
    why: 'unfinished work is not committed',
    pattern: /\b(TODO|FIXME|XXX)\b/,
    where: /^(src|test|bench|tools|examples|bin)\//,
    except: /^tools\/tidy\.ts$/,
  },
  {
    why: 'a committed file works on every machine',
    pattern: /\/work\/|\/root\//,
    where: /./,
    except: /^tools\/tidy\.ts$/,
  },
];

const MAX_COMMITTED_BYTES = 1024 * 1024;

const files = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' })
  .split('\0')
  .filter((name) => name !== '');

const problems: string[] = [];
for (const file of files) {
  const bytes = readFileSync(file);
  if (bytes.length > MAX_COMMITTED_BYTES)
    problems.push(`${file}: ${bytes.length} bytes; data over 1 MiB are not committed`);
  if (bytes.includes(0) || file === 'package-lock.json' || file.startsWith('src/rpc/generated/'))
    continue;
  const rules = RULES.filter((rule) => rule.where.test(file) && !rule.except?.test(file));
  bytes
    .toString('utf8')
    .split('\n')
    .forEach((line, index) => {
      for (const rule of rules) {
        if (isComment(line) || !rule.pattern.test(line)) continue;
        problems.push(`${file}:${index + 1}: ${line.trim().slice(0, 90)}\n    ${rule.why}`);
      }
    });
}

function isComment(line: string): boolean {
  return /^\s*(\/\/|\*|\/\*|#)/.test(line) && !/TODO|FIXME/.test(line);
}

for (const problem of problems) console.log(problem);
process.exit(problems.length > 0 ? 1 : 0);
