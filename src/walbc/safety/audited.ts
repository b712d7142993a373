/** Work that is in the audit log, before and after. */
import type { Clock } from '../../core/index.ts';
import type { AuditLog } from './audit-log.ts';
import { errorEnding } from './audit-record.ts';
import { resultText } from './call-text.ts';

/** Throws what `work` throws. */
export async function audited<T>(
  log: Pick<AuditLog, 'begin'>,
  clock: Clock,
  call: string,
  work: () => Promise<T>,
): Promise<T> {
  const end = log.begin(call);
  const began = clock.monotonic();
  const durationMs = (): number => Math.round(clock.monotonic() - began);
  try {
    const value = await work();
    const result = resultText(value);
    end({ durationMs: durationMs(), ...(result === '' ? {} : { result }) });
    return value;
  } catch (thrown) {
    end({ durationMs: durationMs(), error: errorEnding(thrown) });
    throw thrown;
  }
}
