/**
 * What `walbc check` measures, from which values on it warns, and how these values are typed:
 *
 *     --log-usage 60%:80%      warn from 60 %, critical from 80 %
 *     --overflow-in 2h:30m     warn from 2 hours down, critical from 30 minutes down
 *     --lag 15m                warn only
 *     --lag :1h                critical only
 *     --lag off                do not judge
 */
import { parseSize, WalbError } from '../../core/index.ts';
import { parseDuration } from './duration.ts';

export type Unit = 'percent' | 'seconds' | 'bytes';

export interface Metric {
  readonly name: string;
  readonly unit: Unit;
  /** Which side of the threshold is trouble. */
  readonly worse: 'higher' | 'lower';
  /** As typed. */
  readonly usual: string;
  readonly about: string;
}

/** Undefined = no threshold. Percent as 0..100. */
export interface Threshold {
  readonly warn: number | undefined;
  readonly critical: number | undefined;
}

export const METRICS = [
  {
    name: 'log-usage',
    unit: 'percent',
    worse: 'higher',
    usual: '60%:80%',
    about: 'used part of the ring of a volume at its storage',
  },
  {
    name: 'overflow-in',
    unit: 'seconds',
    worse: 'lower',
    usual: '2h:30m',
    about: 'time until that ring overflows if it fills on as in the last five minutes',
  },
  {
    name: 'lag',
    unit: 'seconds',
    worse: 'higher',
    usual: '15m:1h',
    about: 'how long data have been waiting at a storage or proxy, or are nowhere',
  },
  {
    name: 'lag-bytes',
    unit: 'bytes',
    worse: 'higher',
    usual: 'off',
    about: 'how much is on its way to an archive',
  },
  {
    name: 'snapshot-age',
    unit: 'seconds',
    worse: 'higher',
    usual: '6h:24h',
    about: 'age of the newest restorable snapshot while there are newer data than it',
  },
  {
    name: 'failing',
    unit: 'seconds',
    worse: 'higher',
    usual: '5m:1h',
    about: 'for how long a transfer has been failing each time it was tried',
  },
  {
    name: 'gap',
    unit: 'seconds',
    worse: 'higher',
    usual: '0s:10m',
    about: 'for how long a diff has been missing in a chain',
  },
  {
    name: 'spool',
    unit: 'percent',
    worse: 'higher',
    usual: '70%:90%',
    about: "used part of a proxy's -spool-limit",
  },
  {
    name: 'disk-free',
    unit: 'percent',
    worse: 'lower',
    usual: '15%:5%',
    about: 'free part of the disk of a server; of an archive, of its images',
  },
] as const satisfies readonly Metric[];

export type MetricName = (typeof METRICS)[number]['name'];

/** How bad what is only so or not so is. */
export const FLAGS = [
  { name: 'down', usual: 'critical', about: 'a server does not answer' },
  { name: 'send-error', usual: 'critical', about: 'a proxy has given up an archive' },
  { name: 'stopped', usual: 'warning', about: 'a volume is not followed anywhere, or is stopped' },
] as const;

export type FlagName = (typeof FLAGS)[number]['name'];
export type FlagLevel = 'ok' | 'warning' | 'critical';

export interface Limits {
  readonly metrics: Readonly<Record<MetricName, Threshold>>;
  readonly flags: Readonly<Record<FlagName, FlagLevel>>;
}

/** `given`: texts by name of metric or flag. Throws `invalid-argument`. */
export function limitsOf(given: Readonly<Record<string, string | undefined>> = {}): Limits {
  const metrics = METRICS.map((metric) => [
    metric.name,
    parseThreshold(metric, given[metric.name] ?? metric.usual),
  ]);
  const flags = FLAGS.map(({ name, usual }) => [name, parseLevel(name, given[name] ?? usual)]);
  return {
    metrics: Object.fromEntries(metrics) as Limits['metrics'],
    flags: Object.fromEntries(flags) as Limits['flags'],
  };
}

export function parseThreshold(metric: Metric, text: string): Threshold {
  if (text === 'off') return { warn: undefined, critical: undefined };
  const [warn = '', critical = '', ...rest] = text.split(':');
  if (rest.length > 0 || (warn === '' && critical === '')) throw bad(metric, text, 'WARN:CRITICAL');
  const threshold = {
    warn: warn === '' ? undefined : parseValue(metric, warn, text),
    critical: critical === '' ? undefined : parseValue(metric, critical, text),
  };
  const { warn: w, critical: c } = threshold;
  const isReversed =
    w !== undefined && c !== undefined && (metric.worse === 'higher' ? w > c : w < c);
  if (!isReversed) return threshold;
  const order = metric.worse === 'higher' ? 'above' : 'below';
  throw bad(metric, text, `a critical value ${order} that of the warning`);
}

function parseValue(metric: Metric, word: string, text: string): number {
  const { unit } = metric;
  try {
    if (unit === 'seconds') return parseDuration(word);
    if (unit === 'bytes') return parseSize(word);
  } catch (thrown) {
    throw bad(
      metric,
      text,
      WalbError.from(thrown).message.replace(/ is needed, for example .*$/, ''),
    );
  }
  const match = /^(\d+(?:\.\d+)?)%?$/.exec(word);
  const value = match === null ? Number.NaN : Number(match[1]);
  if (value >= 0 && value <= 100) return value;
  throw bad(metric, text, 'a share from 0% to 100%');
}

function parseLevel(name: string, text: string): FlagLevel {
  if (text === 'ok' || text === 'warning' || text === 'critical') return text;
  throw new WalbError(
    'invalid-argument',
    `bad --${name} '${text}': ok, warning or critical is needed`,
  );
}

function bad({ name, usual }: Metric, text: string, needed: string): WalbError {
  const example = usual === 'off' ? '1g:10g' : usual;
  return new WalbError(
    'invalid-argument',
    `bad --${name} '${text}': ${needed} is needed, for example ${example}, or off`,
  );
}

export type Level = 'ok' | 'warning' | 'critical' | 'unknown';

export function levelOf({ worse }: Metric, { warn, critical }: Threshold, value: number): Level {
  const reaches = (limit: number | undefined): boolean =>
    limit !== undefined && (worse === 'higher' ? value >= limit : value <= limit);
  if (reaches(critical)) return 'critical';
  return reaches(warn) ? 'warning' : 'ok';
}
