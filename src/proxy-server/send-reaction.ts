/**
 * What a proxy does with each answer of an archive to an offered diff, as a table.
 *
 * Source: semantics.md C.4. A gap (`too-new-diff`) is retried like the original does, because a
 * replication or hash backup may close it; but it is reported (systems.md W7) instead of being retried
 * silently for ever.
 */
import { unreachable } from '../core/index.ts';
import { WdiffAnswer } from '../rpc/index.ts';

export type SendReaction =
  /** Stream the diff. */
  | 'send'
  /** Set the send-error flag and wait for the operator. */
  | 'give-up'
  /** The archive can never use these diffs: delete them and go on at once. */
  | 'discard'
  /** Try again with backoff, for ever. */
  | 'retry'
  /** As `retry`, and report the missing piece. */
  | 'report-gap'
  /** Try again with backoff, until the retry timeout has passed without new log. */
  | 'retry-for-a-while';

export function reactionTo(answer: WdiffAnswer): SendReaction {
  switch (answer) {
    case WdiffAnswer.ACCEPT:
      return 'send';
    case WdiffAnswer.SMALLER_LV_SIZE:
    case WdiffAnswer.ARCHIVE_NOT_FOUND:
      return 'give-up';
    case WdiffAnswer.DIFFERENT_UUID:
    case WdiffAnswer.TOO_OLD_DIFF:
      return 'discard';
    case WdiffAnswer.TOO_NEW_DIFF:
      return 'report-gap';
    case WdiffAnswer.SYNCING:
      return 'retry';
    case WdiffAnswer.STOPPED:
    case WdiffAnswer.WDIFF_RECV:
    case WdiffAnswer.OTHER:
    case WdiffAnswer.UNSPECIFIED:
    case WdiffAnswer.UNRECOGNIZED:
      return 'retry-for-a-while';
    default:
      return unreachable(answer, 'answer of an archive');
  }
}

/**
 * Whether the retry timeout is over: only when log was received since the process started, and the
 * last of it longer ago than the timeout (seconds).
 */
export function isRetryOver(lastReceived: number, now: number, timeout: number): boolean {
  return lastReceived > 0 && now - lastReceived > timeout;
}
