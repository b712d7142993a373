/** Failures of what is tried again, as status shows them: the last one, how many in a row, since when. */
import { type UnixSeconds, WalbError } from '../core/index.ts';
import { type LastError, toErrorInfo } from '../rpc/index.ts';

/** `last` is the failure before it, if nothing has gone well since. */
export function nextFailure(
  last: LastError | undefined,
  thrown: unknown,
  time: UnixSeconds,
  peer = '',
): LastError {
  return {
    error: toErrorInfo(WalbError.from(thrown)),
    time,
    count: (last?.count ?? 0) + 1,
    peer,
    since: last?.since ?? time,
  };
}
